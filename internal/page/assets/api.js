// Calls of the API, and the keys that open it.
import { language, t } from './words.js'

export class Failure extends Error {
  constructor(status, code, message) {
    super(message)
    Object.assign(this, { name: 'Failure', status, code })
  }
}

// Keys are kept for the tab alone, unless the user asks to stay.
const kept = name => sessionStorage.getItem(name) ?? localStorage.getItem(name) ?? ''
function keep(name, value, stay) {
  sessionStorage.removeItem(name)
  localStorage.removeItem(name)
  if (value) (stay ? localStorage : sessionStorage).setItem(name, value)
}
export const key = () => kept('pesan.key')
export const secret = () => kept('pesan.secret')
export const setKey = (value, stay) => keep('pesan.key', value, stay)
export const setSecret = value => keep('pesan.secret', value, false)

// address of something that the API serves.
export const address = path => new URL(path, document.baseURI)

// request sends a call, and returns the response if it is good. What opens it goes in a header, so that it stands in no address.
export async function request(endpoint, params = {}, { method = 'POST', by = key(), body, headers = {}, ...more } = {}) {
  const url = address('api/' + endpoint)
  const form = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined && value !== ''))
  if (method === 'GET' || body) url.search = form
  let response
  try {
    response = await fetch(url, {
      method, body: method === 'GET' ? undefined : body ?? form, credentials: 'omit', cache: 'no-store', ...more,
      headers: { 'X-Api-Key': by, 'Accept-Language': language(), ...headers },
    })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Failure(0, 'OFFLINE', t('offline'))
  }
  if (response.ok) return response
  const answer = await response.json().catch(() => ({}))
  if (answer.error === 'INVALID_API_KEY' && by === key()) dispatchEvent(new Event('pesan-locked')) // it was replaced
  throw new Failure(response.status, answer.error ?? '', answer.message ?? t('badAnswer', { n: response.status }))
}

// call calls an endpoint and returns its answer. A call that came too fast is made again when the API says so.
export async function call(endpoint, params, options = {}) {
  for (let tries = 0; ; tries++) {
    try {
      const response = await request(endpoint, params, options)
      return await response.json()
    } catch (error) {
      if (error.status !== 429 || tries === 3) throw error
      await new Promise(done => setTimeout(done, 1000 * (tries + 1)))
    }
  }
}

export const system = (endpoint, params) => call(endpoint, params, { by: secret() })

const quoted = text => "'" + text.replaceAll("'", "'\\''") + "'"

// curl is the line for a terminal that makes a call.
export function curl(endpoint, params = {}, bySecret = false) {
  const all = [[bySecret ? 'secret' : 'apiKey', bySecret ? secret() : key()], ...Object.entries(params)]
  return 'curl -s ' + address('api/' + endpoint) + all.filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => ` --data-urlencode ${quoted(name + '=' + value)}`).join('')
}
