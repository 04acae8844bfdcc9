// What can be done with a chat, and with several.
import { call, curl } from './api.js'
import { submit } from './batch.js'
import { button, complain, dialog, el, field, form, say, showLine } from './dom.js'
import { model } from './model.js'
import { t } from './words.js'

// One act: its words, the call that it is, whether it fits a chat. ask makes a dialog for what has to be said first; with go, which
// takes the parameters.
const acts = {
  mute: { endpoint: 'muteChat', fits: chat => !chat.muted, ask: askMute },
  unmute: { endpoint: 'unmuteChat', fits: chat => chat.muted },
  pin: { endpoint: 'pinChat', fits: chat => !chat.pinned },
  unpin: { endpoint: 'unpinChat', fits: chat => chat.pinned > 0 },
  archive: { endpoint: 'archiveChat', fits: chat => !chat.archived },
  unarchive: { endpoint: 'unarchiveChat', fits: chat => chat.archived },
  read: { endpoint: 'readChat', fits: chat => chat.unread > 0 || chat.marked },
  unread: { endpoint: 'unreadChat', fits: chat => chat.unread === 0 && !chat.marked },
  clear: { endpoint: 'clearMessageById', fits: chat => chat.kind !== 'newsletter', ask: askClear },
  disappear: { endpoint: 'setDisappearing', fits: chat => chat.kind === 'private' || chat.kind === 'group', ask: askDisappear },
  remove: { endpoint: 'deleteChat', op: 'deleteChat', fits: chat => chat.kind !== 'newsletter', ask: askRemove },
}

// perform makes the call, tells how it went, and has the chat read again.
async function perform(name, chat, params = {}) {
  const answer = await call(acts[name].endpoint, { phone: chat.id, ...params })
  say(t(answer.code === 202 ? 'goesOn' : 'didIt', { what: t(name), name: chat.title }))
  await model.refresh(chat.id)
}

function start(name, chat) {
  const act = acts[name]
  if (act.ask) act.ask(chat, params => perform(name, chat, params))
  else perform(name, chat).catch(complain)
}

// actions are the buttons of a conversation: the first one to hand, all others under it. Beside each stands its line for a terminal.
export function actions(chat) {
  const fitting = Object.keys(acts).filter(name => acts[name].fits(chat))
  const one = name => button(t(name), () => start(name, chat), { 'data-act': name })
  const line = name => button('curl', () => showLine(curl(acts[name].endpoint, { phone: chat.id })), { class: 'plain curl', 'aria-label': t('curlFor', { what: t(name) }) })
  const menu = el('details', {
    class: 'menu',
    onkeydown(event) {
      if (event.key === 'Escape') { menu.open = false; menu.querySelector('summary').focus() }
    },
    onfocusout(event) { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false },
    onclick(event) { if (event.target.closest('button')) menu.open = false },
  }, el('summary', {}, t('actions')), el('ul', {}, fitting.map(name => el('li', {}, one(name), line(name)))))
  const [first] = fitting
  return [one(first), menu]
}

const day = 86_400

// askMute asks for how long: the times that WhatsApp offers, or a date.
function askMute(chat, go) {
  const choice = (value, words, checked) => el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'time', value, checked, onchange: update }), words)
  const soon = new Date(Date.now() + day * 1000)
  const local = new Date(soon - soon.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
  const date = el('input', { type: 'datetime-local', value: local, disabled: true, oninput: update, 'aria-label': t('until') })
  const shape = el('div', {})
  const params = () => {
    const value = shape.querySelector('input:checked').value
    if (value !== 'date') return { second: value }
    const second = Math.round((new Date(date.value) - Date.now()) / 1000)
    if (!(second >= 1 && second <= 3650 * day)) throw new Error(t('pastDate'))
    return { second: String(second) }
  }
  function update() {
    date.disabled = shape.querySelector('input:checked').value !== 'date'
  }
  dialog(t('muteFor', { name: chat.title }), close => form(async () => {
    await go(params())
    close()
  }, t('mute'), shape, chat.id && el('p', {}, button('curl', () => { try { showLine(curl('muteChat', { phone: chat.id, ...params() })) } catch (e) { complain(e) } },
    { class: 'plain curl', 'aria-label': t('curlFor', { what: t('mute') }) }))))
  shape.append(el('fieldset', {}, el('legend', {}, t('howLong')), choice(String(8 * 3600), t('eightHours'), true), choice(String(7 * day), t('oneWeek')),
    choice('', t('always')), chat.kind === 'newsletter' ? '' : choice('date', t('untilDate')), date))
  if (chat.kind === 'newsletter') { // a channel can only be muted without an end
    for (const input of shape.querySelectorAll('input')) { input.disabled = input.value !== ''; input.checked = input.value === '' }
  }
}

function askDisappear(chat, go) {
  const choices = [['86400', 'oneDay'], ['604800', 'oneWeek'], ['7776000', 'ninetyDays'], ['0', 'off']]
  const shape = el('fieldset', {}, el('legend', {}, t('howLong')), choices.map(([value, words], i) =>
    el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'time', value, checked: i === 0 }), t(words))))
  dialog(`${t('disappear')}: ${chat.title}`, close => form(async () => {
    await go({ seconds: shape.querySelector('input:checked').value })
    close()
  }, t('disappear'), el('p', {}, t('disappearText')), shape))
}

function askClear(chat, go) {
  const starred = el('input', { type: 'checkbox' })
  dialog(t('clearFor', { name: chat.title }), close => form(async () => {
    await go({ starred: starred.checked ? 'delete' : undefined })
    close()
  }, t('clear'), el('p', {}, t('clearText')), el('label', { class: 'choice' }, starred, t('clearStarred')), el('p', {}, button(t('cancel'), close))))
}

function askRemove(chat, go) {
  dialog(t('removeFor', { name: chat.title }), close => form(async () => {
    await go()
    close()
  }, t('remove'), el('p', {}, t('removeText')), el('p', {}, button(t('cancel'), close))))
}

// marking are the tools for several chats: what is asked for becomes a batch.
export function marking(marked, items, changed) {
  const all = () => { for (const chat of items()) marked.add(chat.id); changed() }
  const none = () => { marked.clear(); changed() }
  const many = { title: t('nMarked', { n: marked.size }) }
  const go = name => async params => {
    await submit([...marked].map(phone => ({ op: acts[name].op ?? name, phone, ...params })))
    none()
  }
  const act = name => {
    if (acts[name].ask) acts[name].ask(many, go(name))
    else go(name)().catch(complain)
  }
  const menu = el('details', { class: 'menu', onclick(event) { if (event.target.closest('button')) menu.open = false } }, el('summary', {}, t('actions')),
    el('ul', {}, Object.keys(acts).map(name => el('li', {}, button(t(name), () => act(name), { 'data-many': name })))))
  return [el('strong', {}, many.title), button(t('markAll'), all), button(t('cancel'), none), menu]
}
