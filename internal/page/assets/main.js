// The frame: who is signed in, which page is looked at, in which language.
import * as api from './api.js'
import { batchesView } from './batch.js'
import { chatsView, forget } from './chats.js'
import { reportView } from './care.js'
import { devicesView } from './devices.js'
import { button, closeDialogs, complain, dialog, el, field, form, quiet, regions } from './dom.js'
import { linkView } from './link.js'
import { model } from './model.js'
import { settingsView } from './settings.js'
import { known, language, setLanguage, t } from './words.js'

// Pages by the first part of the fragment.
const pages = {
  chats: { words: 'chats', view: chatsView },
  link: { words: 'linking', view: linkView },
  batches: { words: 'batches', view: batchesView },
  log: { words: 'log', view: reportView },
  settings: { words: 'settings', view: settingsView },
  devices: { words: 'devices', view: devicesView, open: true },
}

let view
let at // the page that is looked at
let refused = '' // why there is no key any more
let using = '' // the key of what is shown
const stateLink = el('a', { href: '#/link' })
const state = el('p', { class: 'link', role: 'status' }, stateLink)
const trouble = el('p', { class: 'trouble', role: 'alert', hidden: true })

// frame shows the page that the fragment names. One that can go to another part of itself does, and keeps what it shows.
function frame(anew = true) {
  document.documentElement.lang = language()
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/')
  const page = pages[name] ?? pages.chats
  const parts = rest.map(decoded)
  const signedIn = api.key() !== ''
  closeDialogs()
  quiet()
  if (!anew && page === at && view.go) {
    const focused = view.go(...parts)
    document.title = view.title + ' · Pesan'
    return !focused || view.node.classList.contains('talking')
  }
  view?.close?.()
  at = signedIn || page.open ? page : undefined
  view = at ? page.view(...parts) : signInView()
  document.title = view.title + ' · Pesan'
  const other = language() === 'id' ? 'en' : 'id'
  document.body.replaceChildren(
    el('a', { class: 'skip', href: '#main', onclick: event => { event.preventDefault(); main.focus() } }, t('skip')),
    el('header', { class: 'frame' },
      el('p', { class: 'brand' }, 'Pesan'),
      el('nav', { 'aria-label': t('navigation') }, Object.entries(pages).filter(([, p]) => signedIn || p.open)
        .map(([to, p]) => el('a', { href: '#/' + to, ...(p === page && at && { 'aria-current': 'page' }) }, t(p.words))),
        el('a', { href: 'docs' }, t('apiDocs'))),
      signedIn && state,
      button(t('language'), () => { setLanguage(other); frame(); document.querySelector('.frame button[lang]').focus() }, { class: 'plain', lang: other }),
      signedIn && button(t('signOut'), () => signOut(), { class: 'plain', 'data-act': 'signOut' })),
    trouble, main, regions)
  main.replaceChildren(view.node)
  document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
  showState()
  return true
}

function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // somebody typed it
  }
}

const main = el('main', { id: 'main', tabindex: '-1' })

function showState() {
  const { state: now, reason } = model.state
  const words = now ? (known(now) ? t(now) : now) : ''
  if (stateLink.textContent !== words) stateLink.textContent = words
  state.className = now === 'CONNECTED' ? 'link good' : 'link'
  state.hidden = words === '' || model.trouble !== '' // nobody knows then
  state.title = reason && known(reason) ? t(reason) : ''
  trouble.hidden = model.trouble === '' || api.key() === ''
  trouble.textContent = trouble.hidden ? '' : t('trouble', { what: model.trouble })
}
model.addEventListener('state', showState)

function signInView() {
  const key = el('input', { type: 'password', required: true, autocomplete: 'off', spellcheck: false })
  const stay = el('input', { type: 'checkbox' })
  const node = el('section', { class: 'page narrow' }, el('h1', {}, t('signIn')), el('p', {}, t('signInText')), form(async () => {
    await api.call('getState', {}, { by: key.value.trim() })
    api.setKey(key.value.trim(), stay.checked)
    begin()
  }, t('open'), { refused: refused && t(refused) }, field(t('apiKey'), key, t('keyWhere')), el('label', { class: 'choice' }, stay, t('stay'))), el('p', {}, el('a', { href: '#/devices' }, t('noKey'))))
  return { node, title: t('signIn') }
}

// signOut forgets all keys; why says that it wasn't the user who wanted it.
function signOut(why = '') {
  model.stop()
  model.state = {}
  forget()
  api.setKey('')
  api.setSecret('')
  using = ''
  refused = why
  history.replaceState(null, '', location.pathname + location.search + '#/chats')
  frame()
  main.querySelector('input')?.focus()
}

function begin() {
  using = api.key()
  frame()
  if (!api.key()) return
  refused = ''
  model.start()
}

// A key in the address opens the inbox, and goes from the address at once. One that would replace another is asked about: it may
// be somebody else's who wants to be written to.
function enter() {
  const [, encoded] = /^#key=(.*)$/.exec(location.hash) ?? []
  if (encoded === undefined) return false
  const given = decoded(encoded).trim()
  history.replaceState(null, '', location.pathname + location.search + '#/chats')
  if (!/^\w+$/.test(given)) {
    if (!api.key()) refused = 'wrongKey'
    begin()
    if (api.key()) complain(new Error(t('wrongKey')))
    return true
  }
  const other = api.key() !== '' && api.key() !== given
  const take = () => { forget(); api.setKey(given); begin() }
  if (!other) take()
  else {
    begin()
    dialog(t('otherKey'), close => form(() => { close(); take() }, t('goOn'), { beside: [button(t('cancel'), close, { autofocus: true })] }, el('p', {}, t('otherKeyText'))))
  }
  return true
}

addEventListener('hashchange', () => {
  if (enter()) return
  if (frame(false)) main.querySelector('h1:not([hidden])')?.focus()
})
// The key doesn't open any more: it was replaced or revoked, or its device was deleted. The system secret stays.
addEventListener('pesan-locked', () => {
  if (!api.key()) return
  const secret = api.secret()
  signOut('locked')
  api.setSecret(secret)
})
// A key that stays is one for all tabs: another may have put it away, or another key in its place.
addEventListener('storage', ({ key }) => {
  if (key !== null && key !== 'pesan.key' || api.key() === using) return
  forget()
  if (api.key()) begin()
  else signOut()
})
if (!enter()) begin()
