// What can be done with a chat, and with several.
import { call } from './api.js'
import { operationsLine, submit } from './batch.js'
import { line } from './curl.js'
import { button, complain, dialog, el, form, run, say, table } from './dom.js'
import { model } from './model.js'
import { t } from './words.js'

const channel = chat => chat.kind === 'newsletter' // WhatsApp takes fewer acts for it

// One act: its words, the call that it is, whether it fits a chat. ask makes a dialog for what has to be said first; with go, which
// takes the parameters.
const acts = {
  mute: { endpoint: 'muteChat', fits: chat => !chat.muted, ask: askMute },
  unmute: { endpoint: 'unmuteChat', fits: chat => chat.muted },
  pin: { endpoint: 'pinChat', fits: chat => !chat.pinned },
  unpin: { endpoint: 'unpinChat', fits: chat => chat.pinned > 0 },
  archive: { endpoint: 'archiveChat', fits: chat => !channel(chat) && !chat.archived },
  unarchive: { endpoint: 'unarchiveChat', fits: chat => !channel(chat) && chat.archived },
  read: { endpoint: 'readChat', fits: chat => !channel(chat) && (chat.unread > 0 || chat.marked) },
  unread: { endpoint: 'unreadChat', fits: chat => !channel(chat) && chat.unread === 0 && !chat.marked },
  clear: { endpoint: 'clearMessageById', fits: chat => !channel(chat), ask: askClear },
  disappear: { endpoint: 'setDisappearing', fits: chat => chat.kind === 'private' || chat.kind === 'group', ask: askDisappear },
  remove: { endpoint: 'deleteChat', op: 'deleteChat', fits: chat => !channel(chat), ask: askRemove },
}

// What only reads a chat, with the line for it.
const readings = {
  members: { endpoint: 'getGroup', fits: chat => chat.kind === 'group', show: showMembers },
  readMessages: { endpoint: 'fetchMessageById', fits: () => true },
  readOne: { endpoint: 'getChatById', fits: () => true },
}

// perform makes the call, tells how it went, and has the chat read again.
async function perform(name, chat, params = {}) {
  const answer = await call(acts[name].endpoint, { phone: chat.id, ...params })
  say(answer.code === 202 ? t('goesOn', { what: t(name), name: chat.title }) : t('did_' + name, { name: chat.title }))
  const here = '#/chats/' + encodeURIComponent(chat.id)
  if (name === 'remove' && answer.code === 200 && location.hash === here) location.hash = '#/chats'
  await model.refresh(chat.id)
}

function start(name, chat) {
  const act = acts[name]
  if (act.ask) act.ask(chat, params => perform(name, chat, params))
  else perform(name, chat).catch(complain)
}

// closing closes a menu when one leaves it, or has chosen.
const closing = menu => ({
  onkeydown(event) {
    if (event.key !== 'Escape' || !menu().open) return
    menu().open = false
    menu().querySelector('summary').focus()
  },
  onfocusout(event) { if (event.relatedTarget && !menu().contains(event.relatedTarget)) menu().open = false },
  onclick(event) { if (event.target.closest('button')) menu().open = false },
})

// actions are the buttons of a conversation: the first one to hand, all others under it. Beside each stands its line for a terminal.
export function actions(chat) {
  const fitting = Object.keys(acts).filter(name => acts[name].fits(chat))
  const one = name => button(t(name), () => start(name, chat), { 'data-act': name })
  const params = { phone: chat.id }
  const reading = Object.entries(readings).filter(([, r]) => r.fits(chat)).map(([name, r]) => el('li', {},
    r.show ? button(t(name), () => run(() => r.show(chat)), { 'data-act': name }) : el('span', { class: 'only' }, t(name)), line(r.endpoint, t(name), params)))
  const menu = el('details', { class: 'menu', ...closing(() => menu) }, el('summary', {}, t('actions')), el('ul', {}, fitting.map(name => el('li', {}, one(name), line(acts[name].endpoint, t(name), params))), reading))
  const [first] = fitting
  return [one(first), menu]
}

// showMembers shows who is in a group.
async function showMembers(chat) {
  const { results } = await call('getGroup', { phone: chat.id })
  const ranks = { ADMIN: 'admin', SUPERADMIN: 'admin' }
  dialog(t('membersOf', { name: chat.title }), close => [
    el('p', {}, t('nMembers', { n: results.participants.length })),
    table(t('members'), [[t('name'), p => el('bdi', {}, model.mine(p.id) ? t('you') : model.name(p.id))], [t('role'), p => (ranks[p.rank] ? t(ranks[p.rank]) : '')]], results.participants),
    el('p', { class: 'acts' }, button(t('close'), close, { autofocus: true }), line('getGroup', t('members'), { phone: chat.id })),
  ])
}

// beside stands beside the button of a dialog: the way back, and the line that does the same. Of several chats the line makes a batch.
const beside = (name, chat, close, params, safe) => [button(t('cancel'), close, safe ? { autofocus: true } : {}),
  chat.id ? line(acts[name].endpoint, t(name), () => ({ phone: chat.id, ...params() })) : operationsLine(t(name), () => chat.operations(params()))]

const day = 86_400

// askMute asks for how long: the times that WhatsApp offers, or a date.
function askMute(chat, go) {
  const choice = (value, words, checked) => el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'time', value, checked, onchange: update }), words)
  const soon = new Date(Date.now() + day * 1000)
  const local = new Date(soon - soon.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
  const date = el('input', { type: 'datetime-local', value: local, disabled: true, 'aria-label': t('until') })
  const forever = channel(chat) // it can only be muted without an end
  const shape = el('fieldset', {}, el('legend', {}, t('howLong')), forever ? choice('', t('always'), true)
    : [choice(String(8 * 3600), t('eightHours'), true), choice(String(7 * day), t('oneWeek')), choice('', t('always')), choice('date', t('untilDate')), date])
  const chosen = () => shape.querySelector('input:checked').value
  const params = () => {
    if (chosen() !== 'date') return { second: chosen() }
    const second = Math.round((new Date(date.value) - Date.now()) / 1000)
    if (!(second >= 1 && second <= 3650 * day)) throw new Error(t('pastDate'))
    return { second: String(second) }
  }
  function update() {
    date.disabled = chosen() !== 'date'
  }
  dialog(t('muteFor', { name: chat.title }), close => form(async () => {
    await go(params())
    close()
  }, t('mute'), { beside: beside('mute', chat, close, params) }, shape))
}

function askDisappear(chat, go) {
  const choices = [['86400', 'oneDay'], ['604800', 'oneWeek'], ['7776000', 'ninetyDays'], ['0', 'turnedOff']]
  const shape = el('fieldset', {}, el('legend', {}, t('howLong')), choices.map(([value, words], i) =>
    el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'time', value, checked: i === 0 }), t(words))))
  const params = () => ({ seconds: shape.querySelector('input:checked').value })
  dialog(`${t('disappear')}: ${chat.title}`, close => form(async () => {
    await go(params())
    close()
  }, t('save'), { beside: beside('disappear', chat, close, params) }, el('p', {}, t('disappearText')), shape))
}

function askClear(chat, go) {
  const starred = el('input', { type: 'checkbox' })
  const params = () => ({ starred: starred.checked ? 'delete' : undefined })
  dialog(t('clearFor', { name: chat.title }), close => form(async () => {
    await go(params())
    close()
  }, t('clear'), { danger: true, beside: beside('clear', chat, close, params, true) }, el('p', {}, t('clearText')), el('label', { class: 'choice' }, starred, t('clearStarred'))))
}

function askRemove(chat, go) {
  dialog(t('removeFor', { name: chat.title }), close => form(async () => {
    await go({})
    close()
  }, t('remove'), { danger: true, beside: beside('remove', chat, close, () => ({}), true) }, el('p', {}, t('removeText'))))
}

// marking are the tools for several chats: what is asked for becomes a batch.
export function marking(marked, items, changed) {
  const all = () => { for (const chat of items()) marked.add(chat.id); changed() }
  const none = () => { marked.clear(); changed() }
  const operations = (name, params) => [...marked].map(phone => ({ op: acts[name].op ?? name, phone, ...params }))
  const many = name => ({ title: t('nChats', { n: marked.size }), operations: params => operations(name, params) })
  const go = name => async params => {
    await submit(operations(name, params))
    none()
  }
  const act = name => {
    if (acts[name].ask) acts[name].ask(many(name), go(name))
    else run(() => go(name)())
  }
  const menu = el('details', { class: 'menu', ...closing(() => menu) }, el('summary', {}, t('actions')),
    el('ul', {}, Object.keys(acts).map(name => el('li', {}, button(t(name), () => act(name), { 'data-many': name }), operationsLine(t(name), () => operations(name, {}))))))
  menu.hidden = marked.size === 0
  return [el('strong', { role: 'status' }, t('nMarked', { n: marked.size })), button(t('markAll'), all), button(t('cancel'), none), menu]
}
