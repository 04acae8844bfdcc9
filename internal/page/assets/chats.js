// The chats: the list with its filters and search, and the conversation beside it.
import { line } from './curl.js'
import { button, el, released, sign } from './dom.js'
import { List } from './list.js'
import { model } from './model.js'
import { Talk } from './talk.js'
import { marking } from './acts.js'
import { known, short, t } from './words.js'

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

// What the list shows, where it is, and which chats are marked, stays when another page is looked at.
const shown = { filter: 'all', wanted: '', label: '', top: 0, choosing: false }
const marked = new Set()

// forget is for another account.
export function forget() {
  Object.assign(shown, { filter: 'all', wanted: '', label: '', top: 0, choosing: false })
  marked.clear()
}

export function chatsView(first) {
  let id // of the chat that is open
  let talk
  const count = el('p', { class: 'count', role: 'status' })
  const empty = el('div', { class: 'empty', hidden: true })
  const news = el('div', { class: 'news-bar', hidden: true })
  const heading = el('h1', { class: 'sr', tabindex: '-1' }, t('chats'))
  const mark = chat => { marked[marked.has(chat.id) ? 'delete' : 'add'](chat.id); list.again(); tools() }
  const list = new List({
    label: t('chats'), help: 'list-help', make, name: chat => chat.id, mark,
    fill: (row, chat) => fill(row, chat, id),
    open: chat => { if (shown.choosing) mark(chat); else location.hash = '#/chats/' + encodeURIComponent(chat.id) },
  })
  list.node.addEventListener('scroll', () => { shown.top = list.node.scrollTop }, { passive: true })
  const bar = el('div', { class: 'marking', hidden: true, role: 'toolbar', 'aria-label': t('marking') })
  const choose = button(t('choose'), () => { shown.choosing = !shown.choosing; tools() }, { class: 'plain' })
  const tools = () => {
    choose.setAttribute('aria-pressed', String(shown.choosing))
    bar.hidden = marked.size === 0 && !shown.choosing
    if (bar.hidden) return
    const focused = bar.contains(document.activeElement) && [...bar.children].indexOf(document.activeElement)
    bar.replaceChildren(...marking(marked, () => list.items, () => { if (marked.size === 0) shown.choosing = false; list.again(); tools() }))
    if (focused !== false) bar.children[focused]?.focus()
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
    if (!empty.hidden) empty.replaceChildren(...nothing())
    link()
  }

  // nothing says why there are no chats.
  function nothing() {
    if (model.chats.size) return [el('p', {}, t('noChats')), button(t('showAll'), () => { Object.assign(shown, { filter: 'all', wanted: '', label: '' }); search.value = ''; choices.querySelector('input').checked = true; show() })]
    if (model.state.number) return [el('p', {}, t('chatsCome'))]
    return [el('p', {}, t('notLinked')), el('a', { class: 'button primary', href: '#/link' }, t('linkTitle'))]
  }

  // link says above the list what there is to say of the link: how far the history is, or that nothing new comes.
  function link() {
    const { state, reason, sync, number } = model.state
    const away = state && state !== 'CONNECTED' && (number || model.chats.size > 0)
    const now = JSON.stringify([away && [state, reason], sync])
    news.hidden = !away && !sync
    if (news.now === now) return
    news.now = now
    news.replaceChildren(...[
      away && el('p', {}, el('strong', {}, known(state) ? t(state) : state), ' — ', reason && known(reason) ? t(reason) : t('nothingNew'), ' ', el('a', { href: '#/link' }, t('linkTitle'))),
      sync && el('label', { class: 'field' }, el('span', {}, t('history', sync)), el('progress', { max: 100, value: sync.percent })),
    ].filter(Boolean))
  }

  const search = el('input', {
    type: 'search', placeholder: t('search'), 'aria-label': t('search'), value: shown.wanted, maxlength: '200',
    oninput: () => { shown.wanted = search.value; list.top(); show() },
  })
  const label = el('select', { 'aria-label': t('label'), hidden: true, onchange: () => { shown.label = label.value; list.top(); show() } })
  const choices = el('fieldset', { class: 'filters' }, el('legend', { class: 'sr' }, t('filter')), Object.keys(filters).map(name => el('label', {},
    el('input', { type: 'radio', name: 'filter', value: name, checked: shown.filter === name, onchange: () => { shown.filter = name; list.top(); show() } }),
    el('span', {}, t(name)))), label)
  const beside = el('div', { class: 'beside' })
  const view = {
    node: el('div', { class: 'chats' },
      el('section', { class: 'side', 'aria-label': t('chats') }, heading, el('div', { class: 'top' }, news, search, choices, bar,
        el('div', { class: 'counting' }, count, choose, line('getChats', t('chats')))), el('p', { id: 'list-help', class: 'sr' }, t('listHelp')), list.node, empty),
      beside),
    get title() { return talk?.title ?? t('chats') },
    // go opens another chat beside the list, or none.
    go(next) {
      const before = id
      const top = list.node.clientHeight ? list.node.scrollTop : shown.top
      talk?.stop()
      id = next
      talk = id ? new Talk(id) : undefined
      view.node.classList.toggle('talking', Boolean(talk))
      heading.hidden = Boolean(talk) // there is one of the conversation then
      beside.replaceChildren(talk ? talk.node : el('section', { class: 'talk none' }, el('p', { class: 'empty' }, t('pick'))))
      list.again()
      list.node.scrollTop = top // where the list was hidden, a browser may have forgotten it
      talk?.start()
      if (!talk && before) queueMicrotask(() => list.focus(before))
      return Boolean(talk || before)
    },
    close() {
      model.removeEventListener('chats', changed)
      model.removeEventListener('state', link)
      talk?.stop()
    },
  }
  let due = false
  const changed = event => {
    talk?.changed(event.detail)
    if (due) return
    due = true
    requestAnimationFrame(async () => { await released(); due = false; show() })
  }
  model.addEventListener('chats', changed)
  model.addEventListener('state', link)
  view.go(first)
  queueMicrotask(() => { const { top } = shown; show(); tools(); list.node.scrollTop = top })
  return view
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
  const { avatar, name, time, line: said, signs } = row.parts
  const isMarked = marked.has(chat.id)
  avatar.textContent = isMarked ? '✓' : initial(chat)
  name.textContent = chat.title
  time.textContent = chat.time ? short(chat.time) : ''
  said.textContent = chat.preview
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
