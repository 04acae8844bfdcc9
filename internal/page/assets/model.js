// The account's chats as they are known here, and what is new of them.
import { call } from './api.js'
import { preview } from './content.js'
import { language } from './words.js'

const seconds = value => (typeof value === 'object' && value ? value.low >>> 0 : Number(value ?? 0))
const kinds = { 'g.us': 'group', newsletter: 'newsletter', broadcast: 'broadcast' }
export const user = jid => String(jid ?? '').split('@')[0].split(':')[0]

// A chat keeps of its document what the list shows.
class Chat {
  constructor(document) {
    this.id = document.id
    this.kind = kinds[document.id.split('@')[1]] ?? 'private'
    this.lid = document.lidJid ?? ''
    this.title = document.name ?? (document.id.endsWith('@s.whatsapp.net') ? '+' + user(document.id) : user(document.id))
    this.time = seconds(document.conversationTimestamp) * 1000
    this.unread = document.unreadCount
    this.marked = document.markedAsUnread === true
    this.muteEnd = document.muted ? document.muteEndTime : 0
    this.pinned = document.pinned ?? 0
    this.archived = document.archived
    this.members = document.participant.length
    this.labels = document.labels ?? []
    this.last = document.messages[0]?.message
    this.words = '' // that a search finds
    this.line = { of: '', text: '' }
  }

  get muted() { return this.muteEnd === -1 || this.muteEnd > Date.now() }

  // preview is made when it is first shown, and again when more names are known.
  get preview() {
    const of = language() + model.people.size
    if (this.line.of !== of) this.line = { of, text: preview(this.last, model.name) }
    return this.line.text
  }

  matches(wanted) {
    this.words ||= `${this.title}\n${this.id}\n${this.lid}\n${this.preview}`.toLowerCase()
    return this.words.includes(wanted)
  }
}

class Model extends EventTarget {
  chats = new Map() // by id
  people = new Map() // names by address
  labels = [] // of a business account
  state = {} // of the link
  asOf = null
  complete = false
  #ended = new AbortController()
  #order
  #since = ''

  // name of a person or a group by its address.
  name = (jid, push) => {
    if (user(jid) === this.state.number) return this.state.pushName || '+' + this.state.number
    return this.people.get(jid) ?? push ?? (String(jid).endsWith('@s.whatsapp.net') ? '+' + user(jid) : user(jid))
  }

  mine = jid => user(jid) === this.state.number

  // take learns chats from their documents.
  take(documents) {
    for (const document of documents) {
      const chat = new Chat(document)
      this.chats.set(chat.id, chat)
      if (!document.name) continue
      this.people.set(chat.id, chat.title)
      if (chat.lid) this.people.set(chat.lid, chat.title)
    }
  }

  // all chats as the list shows them: pinned ones first, then by their last activity.
  sorted() {
    this.#order ??= [...this.chats.values()].sort((a, b) => b.pinned - a.pinned || b.time - a.time || (a.id < b.id ? -1 : 1))
    return this.#order
  }

  changed(ids) {
    this.#order = undefined
    this.dispatchEvent(new CustomEvent('chats', { detail: ids }))
  }

  // prepare makes what a search looks at while nothing else is to be done, so that the first one is as fast as the others.
  async #prepare(signal) {
    let until = 0
    for (const chat of [...this.chats.values()]) {
      if (performance.now() > until) {
        await new Promise(done => setTimeout(done))
        if (signal.aborted) return
        until = performance.now() + 5
      }
      chat.matches('')
    }
  }

  // start loads everything, the first of it at once, and then follows what is new until stop.
  async start() {
    this.stop()
    this.#ended = new AbortController()
    const signal = this.#ended.signal
    this.chats.clear()
    this.people.clear()
    this.complete = false
    await Promise.all([this.#load(signal), this.#link(signal)])
    this.#prepare(signal)
    this.follow(signal)
    this.labels = (await call('getLabels', {}, { signal })).results
    if (this.labels.length) this.changed()
  }

  stop() { this.#ended.abort() }

  async #load(signal) {
    let cursor
    do {
      const answer = await call('getChats', { limit: cursor ? 1000 : 60, cursor }, { signal })
      if (!cursor) this.#since = answer.nextSince // whatever changes while the rest is read comes again
      this.take(answer.results)
      this.asOf = answer.asOf
      cursor = answer.nextCursor
      this.complete = !cursor
      this.changed()
    } while (cursor)
  }

  async #link(signal) {
    const answer = await call('getState', {}, { signal })
    this.state = answer.results
    this.asOf = answer.asOf
    this.dispatchEvent(new Event('state'))
  }

  // refresh asks for the link's state, and for one chat if it is named.
  async refresh(id) {
    const signal = this.#ended.signal
    if (id) {
      try {
        const answer = await call('getChatById', { phone: id }, { signal })
        this.take([answer.results])
      } catch (error) {
        if (error.code !== 'CHAT_NOT_FOUND') throw error
        this.chats.delete(id)
      }
      this.changed([id])
    } else await this.#link(signal)
  }

  // follow hears of changes as they come, and asks for the chats that have changed.
  async follow(signal) {
    while (!signal.aborted) {
      if (document.hidden) await new Promise(seen => document.addEventListener('visibilitychange', seen, { once: true })) // nobody looks
      try {
        const news = await call('getChanges', { since: this.#since, wait: 20 }, { signal })
        if (news.results.some(change => change.type === 'emptied')) return this.start()
        if (news.results.some(change => change.type === 'state')) await this.#link(signal)
        if (news.results.some(change => change.type === 'chat')) await this.#delta(signal)
        this.#since = news.nextSince
      } catch (error) {
        if (signal.aborted) return
        if (error.status === 410) return this.start() // away for too long
        await new Promise(done => setTimeout(done, 2000))
        await this.#glance(signal).catch(() => {})
      }
    }
  }

  // glance looks at the newest chats, where a call that waits fails: something between here and the server may cut it.
  async #glance(signal) {
    const answer = await call('getChats', { limit: 50 }, { signal })
    this.take(answer.results)
    this.changed()
    await this.#link(signal)
  }

  async #delta(signal) {
    let since = this.#since
    for (let more = true; more;) {
      const answer = await call('getChats', { since }, { signal })
      this.take(answer.results)
      for (const id of answer.deleted) this.chats.delete(id)
      this.asOf = answer.asOf
      this.changed([...answer.results.map(chat => chat.id), ...answer.deleted, ...answer.cleared])
      since = answer.nextSince
      more = answer.more === true
    }
  }
}

export const model = new Model()
