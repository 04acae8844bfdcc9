// Calls of the API, and the keys that open it.
import { language, t } from './words.js'

export class Failure extends Error {
  constructor(status, code, message, after) {
    super(message)
    Object.assign(this, { name: 'Failure', status, code, after })
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
  if (!/^[!-~]*$/.test(by)) throw new Failure(401, 'INVALID_API_KEY', t('wrongKey')) // no header takes it
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
  const after = Number(response.headers.get('Retry-After') ?? NaN)
  throw new Failure(response.status, answer.error ?? '', answer.message ?? t('badAnswer', { n: response.status }), after)
}

const patience = 10 // seconds that a call waits for its turn

// pause waits, or ends at once when the signal does.
export const pause = (ms, signal) => new Promise(done => {
  if (signal?.aborted) return done()
  const timer = setTimeout(done, ms)
  signal?.addEventListener('abort', () => { clearTimeout(timer); done() }, { once: true })
})

// call calls an endpoint and returns its answer. A call that came too fast is made again when the API says so, if that is soon.
export async function call(endpoint, params, options = {}) {
  for (let tries = 0; ; tries++) {
    try {
      const response = await request(endpoint, params, options)
      return await response.json()
    } catch (error) {
      const after = Number.isFinite(error.after) ? Math.max(error.after, 0.2) : 1
      if (error.status !== 429 || tries === 3 || after > patience) throw error
      await pause(1000 * after, options.signal)
      if (options.signal?.aborted) throw new DOMException('', 'AbortError')
    }
  }
}

export const system = (endpoint, params, options) => call(endpoint, params, { by: secret(), ...options })
