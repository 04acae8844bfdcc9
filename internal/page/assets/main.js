// The frame: who is signed in, which page is looked at, in which language.
import * as api from './api.js'
import { batchesView } from './batch.js'
import { chatsView } from './chats.js'
import { reportView } from './care.js'
import { devicesView } from './devices.js'
import { button, dialog, el, field, form, regions, run } from './dom.js'
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
const state = el('p', { class: 'link', role: 'status' })

function frame() {
  document.documentElement.lang = language()
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/')
  const page = pages[name] ?? pages.chats
  const signedIn = api.key() !== ''
  view?.close?.()
  view = !signedIn && !page.open ? signInView() : page.view(...rest.map(decodeURIComponent))
  document.title = view.title + ' · Pesan'
  document.body.replaceChildren(
    el('a', { class: 'skip', href: '#main', onclick: event => { event.preventDefault(); main.focus() } }, t('skip')),
    el('header', { class: 'frame' },
      el('p', { class: 'brand' }, 'Pesan'),
      el('nav', { 'aria-label': t('navigation') }, Object.entries(pages).filter(([, p]) => signedIn || p.open)
        .map(([to, p]) => el('a', { href: '#/' + to, ...(p === page && { 'aria-current': 'page' }) }, t(p.words))),
        el('a', { href: 'docs' }, t('apiDocs'))),
      state,
      button(t('language'), () => { setLanguage(language() === 'id' ? 'en' : 'id'); frame() }, { class: 'plain', lang: language() === 'id' ? 'en' : 'id' }),
      signedIn && button(t('signOut'), signOut, { class: 'plain' })),
    main, ...regions)
  main.replaceChildren(view.node)
  showState()
}

const main = el('main', { id: 'main', tabindex: '-1' })

function showState() {
  const { state: now, reason } = model.state
  state.textContent = api.key() && now ? t(now) : ''
  state.className = 'link ' + (now ?? '')
  state.title = reason && known(reason) ? t(reason) : ''
}
model.addEventListener('state', showState)

function signInView() {
  const key = el('input', { type: 'password', required: true, autocomplete: 'off', spellcheck: false })
  const stay = el('input', { type: 'checkbox' })
  const node = el('section', { class: 'page narrow' }, el('h1', {}, t('signIn')), el('p', {}, t('signInText')), form(async () => {
    await api.call('getState', {}, { by: key.value.trim() })
    api.setKey(key.value.trim(), stay.checked)
    begin()
  }, t('open'), field(t('apiKey'), key), el('label', { class: 'choice' }, stay, t('stay'))), el('p', {}, el('a', { href: '#/devices' }, t('noKey'))))
  return { node, title: t('signIn') }
}

function signOut() {
  model.stop()
  model.state = {}
  api.setKey('')
  api.setSecret('')
  location.hash = '#/chats'
  frame()
}

function begin() {
  frame()
  if (api.key()) run(() => model.start())
}

// A key in the address opens the inbox, and goes from the address at once. One that would replace another is asked about: it may
// be somebody else's who wants to be written to.
function enter() {
  const given = /^#key=(\w+)$/.exec(location.hash)?.[1]
  if (!given) return false
  history.replaceState(null, '', location.pathname + location.search + '#/chats')
  const other = api.key() !== '' && api.key() !== given
  if (!other) api.setKey(given)
  begin()
  if (other) dialog(t('otherKey'), close => form(() => { api.setKey(given); close(); begin() }, t('goOn'), el('p', {}, t('otherKeyText')), el('p', {}, button(t('cancel'), close))))
  return true
}

addEventListener('hashchange', () => {
  if (enter()) return
  frame()
  main.querySelector('h1')?.focus()
})
addEventListener('pesan-locked', () => {
  if (api.key()) signOut()
})
if (!enter()) begin()
