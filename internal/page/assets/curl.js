// Lines for a terminal: each action of the page has its own beside it, ready to copy.
import { address, key, secret } from './api.js'
import { button, complain, dialog, el, shown } from './dom.js'
import { t } from './words.js'

const quoted = text => "'" + text.replaceAll("'", "'\\''") + "'"
const given = params => Object.entries(params).filter(([, value]) => value !== undefined && value !== '')

// curl is the line that makes a call.
export function curl(endpoint, params = {}, bySecret = false) {
  const all = [[bySecret ? 'secret' : 'apiKey', bySecret ? secret() : key()], ...given(params)]
  return 'curl -s ' + quoted(address('api/' + endpoint).href) + all.map(([name, value]) => ` --data-urlencode ${quoted(name + '=' + value)}`).join('')
}

// curlFile is the line that sends a file.
export function curlFile(endpoint, params, file, type) {
  const url = address('api/' + endpoint)
  url.search = new URLSearchParams(given(params))
  return `curl -s ${quoted(url.href)} -H ${quoted('X-Api-Key: ' + key())} -H ${quoted('Content-Type: ' + type)} --data-binary ${quoted('@' + file)}`
}

// line is the button that shows a call's line; what is what the call does. Parameters may be a function, which reads them from a
// form and throws what is wrong with them, or returns the whole line.
export function line(endpoint, what, params = {}, bySecret = false) {
  return button('curl', () => {
    try {
      const now = typeof params === 'function' ? params() : params
      show(typeof now === 'string' ? now : curl(endpoint, now, bySecret))
    } catch (error) {
      complain(error)
    }
  }, { class: 'plain curl', 'aria-label': t('curlFor', { what }), 'data-curl': endpoint })
}

// pair keeps a button and the line for it together where there is no room for both.
export const pair = (act, ...rest) => el('span', { class: 'pair' }, act, line(...rest))

// show shows a line. What is seen of it hides the key.
function show(text) {
  dialog(t('curlTitle'), () => [el('p', {}, t('curlHint')), shown(text, { hidden: text.replace(/(pk_\w{4})\w+|('secret=)[^']*/g, '$1$2…') })])
}
