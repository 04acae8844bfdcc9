// The chats: the list with its filters and search, and the conversation beside it.
import { el, sign } from './dom.js'
import { List } from './list.js'
import { model } from './model.js'
import { Talk } from './talk.js'
import { marking } from './acts.js'
import { short, t } from './words.js'

const filters = {
  all: chat => !chat.archived,
  unreadOnes: chat => !chat.archived && (chat.unread > 0 || chat.marked),
  private: chat => !chat.archived && chat.kind === 'private',
  groups: chat => !chat.archived && chat.kind === 'group',
  channels: chat => chat.kind === 'newsletter' || chat.kind === 'broadcast',
  mutedOnes: chat => chat.muted,
  pinnedOnes: chat => chat.pinned > 0,
  archivedOnes: chat => chat.archived,
}

// What the list shows, and which chats are marked, stays when another page is looked at.
const shown = { filter: 'all', wanted: '', label: '' }
const marked = new Set()

export function chatsView(id) {
  const count = el('p', { class: 'count', role: 'status' })
  const empty = el('p', { class: 'empty', hidden: true })
  const list = new List({
    label: t('chats'), help: 'list-help', make, name: chat => chat.id,
    fill: (row, chat) => fill(row, chat, id),
    open: chat => { location.hash = '#/chats/' + encodeURIComponent(chat.id) },
    mark: chat => { marked[marked.has(chat.id) ? 'delete' : 'add'](chat.id); list.again(); tools() },
  })
  const bar = el('div', { class: 'marking', hidden: true, role: 'toolbar', 'aria-label': t('marking') })
  const tools = () => {
    bar.hidden = marked.size === 0
    if (!bar.hidden) bar.replaceChildren(...marking(marked, () => list.items, () => { list.again(); tools() }))
  }

  function show() {
    const keep = filters[shown.filter], wanted = shown.wanted.trim().toLowerCase()
    const items = model.sorted().filter(chat => keep(chat) && (!shown.label || chat.labels.includes(shown.label)) && (!wanted || chat.matches(wanted)))
    list.show(items)
    if (label.options.length !== model.labels.length + 1) {
      label.replaceChildren(...[{ id: '', name: t('anyLabel') }, ...model.labels].map(({ id, name }) => el('option', { value: id, selected: id === shown.label }, name)))
    }
    label.hidden = model.labels.length === 0
    count.textContent = model.complete ? t('nChats', { n: items.length }) : t('loading')
    empty.hidden = items.length > 0 || !model.complete
    empty.textContent = model.chats.size ? t('noChats') : t('notLinked')
  }

  const search = el('input', {
    type: 'search', placeholder: t('search'), 'aria-label': t('search'), value: shown.wanted, maxlength: '200',
    oninput: () => { shown.wanted = search.value; list.top(); show() },
  })
  const label = el('select', { 'aria-label': t('label'), hidden: true, onchange: () => { shown.label = label.value; list.top(); show() } })
  const choices = el('fieldset', { class: 'filters' }, el('legend', { class: 'sr' }, t('filter')), Object.keys(filters).map(name => el('label', {},
    el('input', { type: 'radio', name: 'filter', checked: shown.filter === name, onchange: () => { shown.filter = name; list.top(); show() } }),
    el('span', {}, t(name)))))
  const talk = id && new Talk(id)
  const node = el('div', { class: id ? 'chats talking' : 'chats' },
    el('section', { class: 'side', 'aria-label': t('chats') },
      !talk && el('h1', { class: 'sr', tabindex: '-1' }, t('chats')), el('div', { class: 'top' }, search, choices, label, bar, count), el('p', { id: 'list-help', class: 'sr' }, t('listHelp')), list.node, empty),
    talk ? talk.node : el('section', { class: 'talk none' }, el('p', { class: 'empty' }, t('pick'))))
  let due = false
  const changed = event => {
    talk?.changed(event.detail)
    if (due) return
    due = true
    requestAnimationFrame(() => { due = false; show() })
  }
  model.addEventListener('chats', changed)
  queueMicrotask(() => { show(); tools() })
  talk?.start()
  return {
    node, title: talk ? talk.title : t('chats'),
    close() {
      model.removeEventListener('chats', changed)
      talk?.stop()
    },
  }
}

// make makes an empty row, fill writes a chat into it.
function make() {
  const part = (name, tag = 'span') => el(tag, { class: name })
  const row = el('div', { class: 'row' })
  row.parts = {
    avatar: el('span', { class: 'avatar', 'aria-hidden': 'true' }), name: el('bdi', { class: 'name' }), time: part('time'), line: el('bdi', { class: 'line' }),
    signs: part('signs'),
  }
  row.append(row.parts.avatar, row.parts.name, row.parts.time, row.parts.line, row.parts.signs)
  return row
}

function fill(row, chat, open) {
  const { avatar, name, time, line, signs } = row.parts
  const isMarked = marked.has(chat.id)
  avatar.textContent = isMarked ? '✓' : initial(chat)
  name.textContent = chat.title
  time.textContent = chat.time ? short(chat.time) : ''
  line.textContent = chat.preview
  row.setAttribute('aria-selected', isMarked)
  row.classList.toggle('open', chat.id === open)
  row.classList.toggle('news', chat.unread > 0 || chat.marked)
  row.toggleAttribute('aria-current', chat.id === open)
  const unread = chat.unread > 0 ? el('span', { class: 'badge' }, el('span', { 'aria-hidden': 'true' }, chat.unread > 999 ? '999+' : String(chat.unread)),
    el('span', { class: 'sr' }, t('nUnread', { n: chat.unread }))) : chat.marked && el('span', { class: 'badge' }, el('span', { class: 'sr' }, t('markedUnread')))
  signs.replaceChildren(...[chat.muted && sign('🔕', t('muted')), chat.pinned > 0 && sign('📌', t('pinned')), chat.archived && sign('🗄️', t('archived')), unread].filter(Boolean))
}

const kindSigns = { group: '👥', newsletter: '📢', broadcast: '📣' }

function initial(chat) {
  return kindSigns[chat.kind] ?? ([...chat.title].find(c => /[\p{L}\p{N}]/u.test(c)) ?? '?').toUpperCase()
}
