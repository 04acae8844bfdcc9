// Elements, dialogs and what is said to people. Whatever text comes in becomes a text node: nothing is ever read as markup.
import { plain, t } from './words.js'

// el makes an element. on… is a listener, a text an attribute, anything else a property.
export function el(name, props = {}, ...children) {
  const node = document.createElement(name)
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else if (typeof value === 'string') node.setAttribute(key, value)
    else if (key in node) node[key] = value
    else node.setAttribute(key, value)
  }
  node.append(...children.flat(Infinity).filter(c => c !== undefined && c !== null && c !== false && c !== ''))
  return node
}

// sign is a picture with the words that it stands for.
export function sign(picture, words) {
  return el('span', { class: 'sign', title: words }, el('span', { 'aria-hidden': 'true' }, picture), el('span', { class: 'sr' }, words))
}

export function button(words, onclick, props = {}) {
  return el('button', { type: 'button', onclick, ...props }, words)
}

// field is an input under its label.
export function field(words, input, hint) {
  return el('label', { class: 'field' }, el('span', {}, words), input, hint && el('small', {}, hint))
}

// link leads to another site, if the address is one of the web: javascript: and the like stay texts.
export function link(address, text = address) {
  let url
  try {
    url = new URL(address)
  } catch {
    return text
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return text
  return el('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, plain(text))
}

// Regions where screen readers hear what is said. Each dialog has its own: what stands behind one is out of reach.
function live() {
  const polite = el('div', { class: 'toasts', role: 'status' })
  const urgent = el('div', { class: 'toasts urgent', role: 'alert' })
  return { polite, urgent, both: el('div', { class: 'said' }, urgent, polite) }
}
const page = live()
export const regions = page.both
const dialogs = [] // those that are open, the topmost last

// say tells what was done; complain what went wrong.
export const say = (...children) => toast('polite', 5000, children)
export const complain = error => toast('urgent', 12000, [error.message ?? String(error)])

function toast(kind, patience, children) {
  const region = (dialogs.findLast(d => d.node.open) ?? page)[kind]
  const node = el('p', { dir: 'auto' }, children, button('✕', () => node.remove(), { class: 'plain', 'aria-label': t('close') }))
  region.append(node)
  while (region.childElementCount > 3) region.firstChild.remove()
  setTimeout(() => node.remove(), patience)
}

// quiet takes away what was complained about elsewhere.
export const quiet = () => page.urgent.replaceChildren()

// dialog shows content above everything until it is closed. What build returns is the content; its argument closes.
export function dialog(title, build) {
  const own = live()
  const opener = document.activeElement
  const node = el('dialog', {
    'aria-label': title,
    onclose() {
      dialogs.splice(dialogs.indexOf(own), 1)
      const next = dialogs.at(-1) ?? page // where what was just said in this one stays
      for (const kind of ['polite', 'urgent']) next[kind].append(...own[kind].childNodes)
      node.remove()
      back(opener)
    },
  })
  const close = () => node.close()
  const body = el('div', {}, build(close))
  node.append(el('header', {}, el('h2', {}, title), button('✕', close, { class: 'plain', 'aria-label': t('close') })), body, own.both)
  document.body.append(node)
  dialogs.push(Object.assign(own, { node }))
  node.showModal()
  ;(body.querySelector('[autofocus]') ?? body.querySelector('input, select, textarea') ?? body.querySelector('button:not(.danger)'))?.focus()
  return node
}

// released settles once nobody presses anything: what is replaced between press and release isn't clicked.
let press
addEventListener('pointerdown', () => { press ??= Promise.withResolvers() }, true)
for (const end of ['pointerup', 'pointercancel', 'contextmenu', 'dragend', 'blur']) { // a context menu may swallow the release
  addEventListener(end, () => setTimeout(() => {
    press?.resolve()
    press = undefined
  }), end !== 'blur') // an element's blur isn't the window's: a press takes the focus away from what had it
}
export const released = () => press?.promise

// back gives the focus to what opened a dialog, or to what stands in its place: its menu, if that has closed, or the button that was
// made anew.
function back(opener) {
  const seen = node => node?.isConnected && node.checkVisibility()
  const { act } = opener?.dataset ?? {}
  const places = [opener, opener?.closest('details')?.querySelector('summary'), act && document.querySelector(`[data-act="${act}"]`), document.querySelector('main h1[tabindex]:not([hidden])'), document.querySelector('main')]
  places.find(seen)?.focus()
}

// closeDialogs closes what stands above the page, which is about to change.
export const closeDialogs = () => { for (const node of document.querySelectorAll('dialog[open]')) node.close() }

// form runs act when it is sent, shows that it is under way, and says beside the button where it fails, or what was wrong before.
export function form(act, words, { danger = false, beside = [], refused = '' } = {}, ...children) {
  const send = el('button', { class: danger ? 'primary danger' : 'primary' }, words)
  const wrong = el('p', { class: 'wrong', role: 'alert', dir: 'auto' }, refused)
  const node = el('form', {
    async onsubmit(event) {
      event.preventDefault()
      if (send.disabled) return
      send.disabled = true
      node.setAttribute('aria-busy', 'true')
      wrong.textContent = ''
      try {
        await act(node)
      } catch (error) {
        if (error.name !== 'AbortError') wrong.textContent = error.message ?? String(error)
      } finally {
        send.disabled = false
        node.removeAttribute('aria-busy')
        if (document.activeElement === document.body && send.isConnected) send.focus() // a button that was disabled has lost it
      }
    },
  }, children, wrong, el('p', { class: 'acts' }, send, beside))
  return node
}

// run does something that may fail.
export async function run(act) {
  try {
    return await act()
  } catch (error) {
    if (error.name !== 'AbortError') complain(error)
  }
}

// section fills a part of a page, and says there what hinders it.
export async function section(node, fill) {
  try {
    await fill()
  } catch (error) {
    if (error.name !== 'AbortError') node.replaceChildren(...hindrance(error.message, () => section(node, fill)))
  }
}

// hindrance says what stands in the way, with a button that tries again.
export function hindrance(message, act) {
  return [el('p', { class: 'wrong', role: 'alert', dir: 'auto' }, message), el('p', { class: 'acts' }, button(t('again'), act, { 'data-act': 'again' }))]
}

// copy puts a text on the clipboard, if the browser lets it: it doesn't on a page that came without TLS from another machine.
export async function copy(text, node) {
  try {
    await navigator.clipboard.writeText(text)
    say(t('copied'))
  } catch {
    node.textContent = text
    getSelection().selectAllChildren(node)
    say(t('copyByHand'))
  }
}

// shown is a text to be copied: a line for a terminal, or a key. What hidden makes of it is shown.
export function shown(text, { hidden = text, label, ...props } = {}) {
  const node = el('pre', { tabindex: '0', class: 'line', ...(label && { role: 'region', 'aria-label': label }) }, hidden)
  return [node, el('p', { class: 'acts' }, button(t('copy'), () => copy(text, node), { class: 'primary', autofocus: true, ...props }))]
}

// save hands the user a file.
export function save(name, blob) {
  const address = URL.createObjectURL(blob)
  el('a', { href: address, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

// table makes rows of a list; columns are [heading, cell of an entry]. On a phone each row is a card, so the roles are said.
export function table(caption, columns, entries) {
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, el('table', { role: 'table' },
    el('caption', { class: 'sr' }, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, columns.map(([heading]) => el('th', { scope: 'col', role: 'columnheader' }, heading)))),
    el('tbody', { role: 'rowgroup' }, entries.map(entry => el('tr', { role: 'row' }, columns.map(([heading, cell]) => el('td', { role: 'cell', 'data-label': heading }, cell(entry))))))))
}

// csv makes a file of rows. A cell that a spreadsheet would run as a formula is made a text.
export function csv(rows) {
  const cell = value => {
    let text = String(value ?? '')
    if (/^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+$/.test(text)) text = "'" + text
    return /[",\r\n;]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text
  }
  return new Blob(['\ufeff', rows.map(row => row.map(cell).join(',')).join('\r\n'), '\r\n'], { type: 'text/csv' })
}
