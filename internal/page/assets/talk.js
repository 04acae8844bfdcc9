// A conversation: its newest messages, older ones as one scrolls up, and what can be done with the chat.
import { call } from './api.js'
import { actions } from './acts.js'
import { line } from './curl.js'
import { button, el, hindrance, released, run, say } from './dom.js'
import { messageNode } from './message.js'
import { model } from './model.js'
import { day, moment, t } from './words.js'

const page = 50

// phoneHasMore tells whether a phone is asked for what is older: it isn't of a channel or a broadcast list.
const phoneHasMore = chat => chat?.kind === 'private' || chat?.kind === 'group'

export class Talk {
  #messages = [] // oldest first
  #nodes = new Map() // by id: what was drawn, of which document
  #cursor
  #busy = false
  #again = false
  #seen = ''
  #failed // why the newest messages aren't there
  #stuck // why older ones aren't
  #ended = new AbortController()
  #low = true // the newest message is in sight

  constructor(id) {
    this.id = id
    this.older = el('div', { class: 'older', hidden: true })
    this.list = el('div', { class: 'messages' })
    this.scroller = el('div', { class: 'scroller', role: 'log', tabindex: '0', 'aria-label': t('conversation', { name: this.title }), onscroll: () => this.#scrolled() },
      this.older, this.list)
    this.head = el('header', { class: 'head' })
    this.hindered = el('div', { class: 'hindered', hidden: true })
    this.node = el('section', { class: 'talk', 'aria-label': t('conversation', { name: this.title }) }, this.head, this.scroller, this.hindered)
    this.#header()
    // Pictures take their place after the messages are there: who sees the newest one goes on seeing it.
    this.grown = new ResizeObserver(() => { if (this.#low) this.scroller.scrollTop = this.scroller.scrollHeight })
    this.grown.observe(this.list)
  }

  get chat() { return model.chats.get(this.id) }
  get title() { return this.chat?.title ?? model.name(this.id) }

  start() {
    this.#newest()
    model.addEventListener('state', () => { if (!model.trouble) this.#retry() }, { signal: this.#ended.signal })
  }

  stop() {
    this.#ended.abort()
    this.grown.disconnect()
  }

  // changed looks whether the chat is among those that have, and which of its messages.
  changed({ ids, news }) {
    if (ids && !ids.includes(this.id)) return
    this.#header()
    const mine = news.filter(change => change.id === this.id)
    if (mine.some(change => change.cleared || change.deleted)) this.#messages = []
    const seen = JSON.stringify(this.chat?.last ?? null)
    if (mine.length || !ids && seen !== this.#seen) this.#newest()
    this.#seen = seen
    const older = this.#messages.slice(0, -page)
    for (const { id, change } of mine.flatMap(change => change.messages ?? []).slice(0, page)) {
      if (older.some(m => m.id === id)) this.#reread(id, change === 'gone')
    }
  }

  // reread reads one message again, which the newest are behind.
  async #reread(id, gone) {
    let now = []
    if (!gone) {
      try {
        now = [(await call('getMessage', { phone: this.id, id }, { signal: this.#ended.signal })).results]
      } catch (error) {
        if (error.status !== 404) return
      }
    }
    await released()
    if (this.#ended.signal.aborted) return
    this.#messages = this.#messages.flatMap(m => (m.id === id ? now : [m]))
    this.#draw()
  }

  #header() {
    const chat = this.chat
    const facts = [
      chat?.members > 0 && t('nMembers', { n: chat.members }),
      chat?.muted && (chat.muteEnd === -1 ? t('mutedForever') : t('mutedUntil', { time: moment(chat.muteEnd) })),
      chat?.archived && t('archived').toLowerCase(),
      chat && chat.kind !== 'private' && chat.kind !== 'group' && t(chat.kind === 'newsletter' ? 'channel' : 'broadcast').toLowerCase(),
    ].filter(Boolean).join(' · ')
    const state = JSON.stringify([this.title, facts, chat?.muted, chat?.pinned, chat?.archived, chat?.unread > 0, chat?.marked])
    if (state === this.head.state) return
    this.head.state = state
    const focused = this.head.contains(document.activeElement) && document.activeElement
    const { act, curl } = focused?.dataset ?? {}
    const open = this.head.querySelector('details')?.open
    this.head.replaceChildren(
      el('a', { href: '#/chats', class: 'back', 'aria-label': t('back') }, '‹'),
      el('div', { class: 'who' }, el('h1', { tabindex: '-1' }, el('bdi', {}, this.title)), el('p', {}, facts)),
      ...(chat ? actions(chat) : []))
    if (open) this.head.querySelector('details').open = true
    if (focused) { // what doesn't fit any more has its menu in its place
      const same = this.head.querySelector(act ? `[data-act="${act}"]` : curl ? `[data-curl="${curl}"]` : focused.localName)
      ;(same ?? this.head.querySelector('summary'))?.focus()
    }
  }

  async #fetch(cursor) {
    const answer = await call('fetchMessageById', { phone: this.id, limit: page, cursor }, { signal: this.#ended.signal })
    return { messages: answer.results, cursor: answer.nextCursor }
  }

  // newest fetches the newest messages and puts them behind the older ones that are here.
  async #newest() {
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    try {
      const { messages, cursor } = await this.#fetch()
      await released()
      this.#hinder()
      const first = messages.length ? this.#messages.findIndex(m => m.id === messages[0].id) : -1
      if (first < 0) this.#cursor = cursor // too many are new, or all is gone: begin anew
      this.#messages = [...this.#messages.slice(0, Math.max(first, 0)), ...messages]
      const bottom = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80
      const begins = this.#nodes.size === 0
      this.#draw()
      if (bottom || begins) this.scroller.scrollTop = this.scroller.scrollHeight
    } catch (error) {
      if (error.name !== 'AbortError') this.#hinder(error)
      if (error.code === 'CHAT_NOT_FOUND') { // it was deleted meanwhile
        this.#messages = []
        this.#cursor = undefined
        this.#draw()
      }
    }
    this.#done()
  }

  // hinder says below the messages why newer ones are missing, until they are there.
  #hinder(error) {
    if (error?.message === this.#failed?.message) return
    this.#failed = error
    this.hindered.hidden = !error
    this.hindered.replaceChildren(...(error ? hindrance(error.message, () => this.#newest()) : []))
  }

  // retry makes again what has failed, if it may go better by now.
  #retry() {
    const passes = error => error && (error.status < 400 || error.status >= 500 || error.status === 429)
    if (passes(this.#failed)) this.#newest()
    if (passes(this.#stuck)) this.#goOn()
  }

  #goOn() {
    this.#stuck = undefined
    this.#above()
    this.#scrolled()
  }

  #done() {
    this.#busy = false
    if (this.#again && !this.#ended.signal.aborted) {
      this.#again = false
      this.#newest()
    } else this.#scrolled()
  }

  async #scrolled() {
    this.#low = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80
    if (this.#busy || this.#stuck || !this.#cursor || this.scroller.scrollTop > 600 || this.#ended.signal.aborted) return
    this.#busy = true
    try {
      const { messages, cursor } = await this.#fetch(this.#cursor)
      this.#cursor = cursor
      this.#messages = [...messages, ...this.#messages]
      const { scrollHeight, scrollTop } = this.scroller
      this.#draw()
      this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight
    } catch (error) {
      if (error.name !== 'AbortError') {
        this.#stuck = error
        this.#above()
      }
    }
    this.#done()
  }

  // ask has the phone send what is older than all that is stored. It comes as other messages do.
  #ask() {
    return button(t('askPhone'), () => run(async () => {
      await call('fetchOlder', { phone: this.id }, { signal: this.#ended.signal })
      say(t('asked'))
      this.#cursor = undefined
      this.#messages = [] // where they go on is found anew
      this.#newest()
    }), { class: 'plain' })
  }

  // above says what is above the messages.
  #above() {
    this.older.hidden = false
    if (this.#stuck) return this.older.replaceChildren(...hindrance(this.#stuck.message, () => this.#goOn()))
    this.older.replaceChildren(this.#messages.length === 0 ? t('noMessages') : this.#cursor ? t('loading') : t('beginning'), ' ',
      ...(this.#cursor || !phoneHasMore(this.chat) ? [] : [this.#ask(), line('fetchOlder', t('askPhone'), { phone: this.id })]))
  }

  // draw makes the nodes be those of the messages, and keeps what has not changed.
  #draw() {
    this.#above()
    const nodes = new Map()
    let last = ''
    let at = this.list.firstChild
    const place = node => {
      if (node === at) at = at.nextSibling
      else this.list.insertBefore(node, at)
    }
    for (const m of this.#messages) {
      const date = day(Number(m.timestamp) * 1000)
      if (date !== last) {
        const name = 'day ' + date
        const divider = this.#nodes.get(name) ?? { node: el('p', { class: 'day' }, date) }
        nodes.set(name, divider)
        place(divider.node)
        last = date
      }
      const document = JSON.stringify(m)
      let drawn = this.#nodes.get(m.id)
      if (drawn?.document !== document) {
        drawn?.node === at && (at = at.nextSibling)
        drawn?.node.remove()
        drawn = { document, node: messageNode(m, id => this.#reread(id)) }
      }
      nodes.set(m.id, drawn)
      place(drawn.node)
    }
    for (const [name, { node }] of this.#nodes) if (nodes.get(name)?.node !== node) node.remove()
    this.#nodes = nodes
  }
}
