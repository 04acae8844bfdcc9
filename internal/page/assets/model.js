// The account's chats as they are known here, and what is new of them.
import { call, pause } from './api.js'
import { preview, user } from './content.js'
import { released } from './dom.js'
import { language, plain } from './words.js'

const seconds = value => (typeof value === 'object' && value ? value.low >>> 0 : Number(value ?? 0))
const kinds = { 'g.us': 'group', newsletter: 'newsletter', broadcast: 'broadcast' }

// A chat keeps of its document what the list shows.
class Chat {
  constructor(document) {
    this.id = document.id
    this.kind = kinds[document.id.split('@')[1]] ?? 'private'
    this.lid = document.lidJid ?? ''
    this.title = plain(document.name) || (document.id.endsWith('@s.whatsapp.net') ? '+' + user(document.id) : user(document.id))
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
    const of = language() + model.named
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
  people = new Map() // names by address, as the address book has them
  labels = [] // of a business account
  state = {} // of the link
  asOf = null
  complete = false
  trouble = '' // what keeps this from being up to date
  named = 0 // rises when more names are known
  #ended = new AbortController()
  #order
  #since = ''
  #pushed = new Map() // what people call themselves
  #looked = 0 // when the link was last asked for

  // name of a person or a group by its address.
  name = (jid, push) => {
    if (this.mine(jid)) return this.state.pushName || '+' + this.state.number
    return this.people.get(jid) || plain(push) || this.#pushed.get(jid) || (String(jid).endsWith('@s.whatsapp.net') ? '+' + user(jid) : user(jid))
  }

  mine = jid => user(jid) === this.state.number

  // learn keeps what somebody calls themself.
  learn(jid, name) {
    const push = plain(name)
    if (!push || this.#pushed.get(jid) === push) return
    this.#pushed.set(jid, push)
    this.named++
  }

  // take learns chats from their documents.
  take(documents) {
    for (const document of documents) {
      const chat = new Chat(document)
      this.chats.set(chat.id, chat)
      if (chat.last?.pushName && !chat.last.key.fromMe) this.learn(chat.last.key.participant ?? chat.id, chat.last.pushName)
      if (!document.name) continue
      if (this.people.get(chat.id) !== chat.title) this.named++
      this.people.set(chat.id, chat.title)
      if (chat.lid) this.people.set(chat.lid, chat.title)
    }
  }

  // all chats as the list shows them: pinned ones first, then by their last activity.
  sorted() {
    this.#order ??= [...this.chats.values()].sort((a, b) => b.pinned - a.pinned || b.time - a.time || (a.id < b.id ? -1 : 1))
    return this.#order
  }

  // changed tells which chats have, all of them without ids, and what the feed says of their messages.
  changed(ids, news = []) {
    this.#order = undefined
    this.dispatchEvent(new CustomEvent('chats', { detail: { ids, news } }))
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
    this.#pushed.clear()
    this.labels = []
    this.complete = false
    if (!await this.#try(signal, () => Promise.all([this.#load(signal), this.#link(signal)]))) return
    this.#prepare(signal)
    this.follow(signal)
    await this.#try(signal, async () => {
      this.labels = (await call('getLabels', {}, { signal })).results
      if (this.labels.length) this.changed()
    })
  }

  stop() { this.#ended.abort() }

  // try does something until it is done; what is in the way is shown meanwhile. It returns false when there was an end to it.
  async #try(signal, act) {
    for (let wait = 1; !signal.aborted; wait = Math.min(2 * wait, 30)) {
      try {
        await act()
        this.#trouble('')
        return true
      } catch (error) {
        if (signal.aborted) break
        this.#trouble(error.message)
        await pause(1000 * Math.max(wait, Math.min(error.after || 0, 60)), signal)
      }
    }
    return false
  }

  #trouble(message) {
    if (this.trouble === message) return
    this.trouble = message
    this.dispatchEvent(new Event('state'))
  }

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
    this.#looked = Date.now()
    this.state = answer.results
    this.asOf = answer.asOf
    this.dispatchEvent(new Event('state'))
    if (this.trouble) this.#trouble('')
  }

  // refresh asks for the link's state, and for one chat if it is named.
  async refresh(id) {
    const signal = this.#ended.signal
    if (!id) return this.#link(signal)
    try {
      const answer = await call('getChatById', { phone: id }, { signal })
      this.take([answer.results])
    } catch (error) {
      if (error.code !== 'CHAT_NOT_FOUND') throw error
      this.chats.delete(id)
    }
    this.changed([id])
  }

  // follow hears of changes as they come, and asks for the chats that have changed.
  async follow(signal) {
    let since = this.#since
    const ask = wait => call('getChanges', { since, wait }, { signal })
    const hear = async () => {
      const news = await ask(this.trouble ? 0 : this.state.sync ? 2 : 20).catch(async error => {
        if (error.status >= 400 && error.status < 500) throw error
        await pause(1000, signal)
        return ask(0) // something between here and the server may cut calls that wait
      })
      const about = type => news.results.filter(change => change.type === type)
      if (about('emptied').length) return this.start()
      // A history's progress isn't in the feed: it is looked at as its chats come.
      if (about('state').length || this.state.sync || (about('chat').length && Date.now() - this.#looked > 5000)) await this.#link(signal)
      if (about('chat').length) await this.#delta(signal, about('chat'))
      since = news.nextSince
    }
    while (!signal.aborted) {
      if (document.hidden) await new Promise(seen => document.addEventListener('visibilitychange', seen, { once: true })) // nobody looks
      await this.#try(signal, async () => {
        try {
          await hear()
        } catch (error) {
          if (error.status === 410) return this.start() // away for too long
          throw error
        }
      })
    }
  }

  async #delta(signal, news) {
    for (let more = true; more;) {
      const answer = await call('getChats', { since: this.#since }, { signal })
      await released()
      this.take(answer.results)
      for (const id of answer.deleted) this.chats.delete(id)
      this.asOf = answer.asOf
      this.changed([...answer.results.map(chat => chat.id), ...answer.deleted, ...answer.cleared])
      this.#since = answer.nextSince
      more = answer.more === true
    }
    this.changed([...new Set(news.map(change => change.id))], news)
  }
}

export const model = new Model()
