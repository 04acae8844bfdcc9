// Elements, dialogs and what is said to people. Whatever text comes in becomes a text node: nothing is ever read as markup.
import { t } from './words.js'

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
  return el('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, text)
}

const polite = el('div', { class: 'toasts', role: 'status' })
const urgent = el('div', { class: 'toasts urgent', role: 'alert' })
export const regions = [polite, urgent]

// say tells what was done; complain what went wrong.
export const say = (...children) => toast(polite, 5000, children)
export const complain = error => toast(urgent, 12000, [error.message ?? String(error)])

function toast(region, patience, children) {
  const node = el('p', { dir: 'auto' }, children, button('✕', () => node.remove(), { class: 'plain', 'aria-label': t('close') }))
  region.append(node)
  while (region.childElementCount > 3) region.firstChild.remove()
  setTimeout(() => node.remove(), patience)
}

// dialog shows content above everything until it is closed. What build returns is the content; its argument closes.
export function dialog(title, build) {
  const node = el('dialog', { 'aria-label': title, onclose: () => node.remove() })
  const close = () => node.close()
  node.append(el('header', {}, el('h2', {}, title), button('✕', close, { class: 'plain', 'aria-label': t('close') })), el('div', {}, build(close)))
  document.body.append(node)
  node.showModal()
  return node
}

// form runs act when it is sent, shows that it is under way, and complains where it fails.
export function form(act, words, ...children) {
  const send = el('button', { class: 'primary' }, words)
  const node = el('form', {
    async onsubmit(event) {
      event.preventDefault()
      if (send.disabled) return
      send.disabled = true
      try {
        await act(node)
      } catch (error) {
        complain(error)
      } finally {
        send.disabled = false
      }
    },
  }, children, el('p', { class: 'acts' }, send))
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

// showLine shows a line for a terminal, and copies it. What is shown hides the key.
export function showLine(line) {
  dialog(t('curlTitle'), close => [
    el('pre', { tabindex: '0', class: 'line' }, line.replace(/(pk_\w{4})\w+|(secret=)\w+/g, '$1$2…')),
    el('p', {}, t('curlHint')),
    el('p', { class: 'acts' }, button(t('copy'), () => run(async () => {
      await navigator.clipboard.writeText(line)
      close()
      say(t('copied'))
    }), { class: 'primary' })),
  ])
}

// save hands the user a file.
export function save(name, blob) {
  const address = URL.createObjectURL(blob)
  el('a', { href: address, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

// table makes rows of a list; columns are [heading, cell of an entry].
export function table(caption, columns, entries) {
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, el('table', {},
    el('caption', { class: 'sr' }, caption),
    el('thead', {}, el('tr', {}, columns.map(([heading]) => el('th', { scope: 'col' }, heading)))),
    el('tbody', {}, entries.map(entry => el('tr', {}, columns.map(([, cell]) => el('td', {}, cell(entry))))))))
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
