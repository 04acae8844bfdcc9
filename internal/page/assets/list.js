// A list of any length whose rows exist only where they are seen. It is a listbox: one stop of the Tab key, arrows within.
import { el } from './dom.js'

const beyond = 6 // rows kept above and below what is seen

export class List {
  #items = []
  #rows = new Map() // those there are, by index
  #spare = []
  #at = -1
  #height = 0
  #drawn = false

  // make makes a row's element, fill writes an item into it; open and mark do what the user asks for.
  constructor({ label, help, make, fill, open, mark, name }) {
    Object.assign(this, { make, fill, open, mark, name })
    this.space = el('div', { role: 'presentation', class: 'space' })
    this.node = el('div', {
      class: 'list', role: 'listbox', tabindex: '0', 'aria-label': label, 'aria-multiselectable': 'true', 'aria-describedby': help,
      onscroll: () => this.#later(), onkeydown: event => this.#key(event),
      onfocus: () => { if (this.node.matches(':focus-visible')) this.#move(Math.max(this.#at, 0)) }, // a pointer knows where it is
    }, this.space)
    this.watch = new ResizeObserver(() => { this.#height = 0; this.#later() })
    this.watch.observe(this.node)
  }

  get items() { return this.#items }

  show(items) {
    const current = this.#items[this.#at]
    this.#items = items
    this.#at = current ? items.findIndex(item => this.name(item) === this.name(current)) : -1
    this.node.hidden = items.length === 0
    this.#draw(true)
  }

  // again writes the rows once more.
  again() { this.#draw(true) }

  top() { this.node.scrollTop = 0 }

  // focus goes to the list, at an item if it is there.
  focus(name) {
    const at = this.#items.findIndex(item => this.name(item) === name)
    if (at >= 0) this.#at = at
    this.node.focus({ preventScroll: true })
    this.#draw(false)
  }

  #later() {
    if (this.#drawn) return
    this.#drawn = true
    requestAnimationFrame(() => { this.#drawn = false; this.#draw(false) })
  }

  #draw(all) {
    if (this.node.hidden) return
    // A row's height is the style sheet's, in units of the user's own font.
    this.#height ||= parseFloat(getComputedStyle(this.node).getPropertyValue('--row')) * parseFloat(getComputedStyle(document.documentElement).fontSize)
    const height = this.#height
    this.space.style.height = this.#items.length * height + 'px'
    const first = Math.max(0, Math.floor(this.node.scrollTop / height) - beyond)
    const last = Math.min(this.#items.length, Math.ceil((this.node.scrollTop + (this.node.clientHeight || 800)) / height) + beyond)
    for (const [index, row] of this.#rows) {
      if (index >= first && index < last) continue
      this.#rows.delete(index)
      this.#spare.push(row)
    }
    for (let index = first; index < last; index++) {
      let row = this.#rows.get(index)
      if (row && !all) continue
      if (!row) {
        row = this.#spare.pop() ?? this.#row()
        this.#rows.set(index, row)
        row.index = index
        row.id = 'row-' + index
        row.style.transform = `translateY(${index * height}px)`
        row.setAttribute('aria-posinset', index + 1)
      }
      row.setAttribute('aria-setsize', this.#items.length)
      row.classList.toggle('at', index === this.#at)
      this.fill(row, this.#items[index])
    }
    for (const row of this.#spare) row.remove()
    for (const row of this.#rows.values()) if (!row.isConnected) this.space.append(row)
    this.#point()
  }

  #row() {
    const row = this.make()
    row.setAttribute('role', 'option')
    row.addEventListener('click', event => {
      this.#move(row.index)
      const item = this.#items[row.index]
      if (event.ctrlKey || event.metaKey || event.target.closest('.avatar')) this.mark(item)
      else this.open(item)
    })
    return row
  }

  #point() {
    if (this.#at >= 0 && this.#rows.has(this.#at)) this.node.setAttribute('aria-activedescendant', 'row-' + this.#at)
    else this.node.removeAttribute('aria-activedescendant')
  }

  #move(index) {
    const before = this.#rows.get(this.#at)
    before?.classList.remove('at')
    this.#at = Math.min(Math.max(index, 0), this.#items.length - 1)
    const top = this.#at * this.#height
    const { scrollTop, clientHeight } = this.node
    if (top < scrollTop) this.node.scrollTop = top
    else if (top + this.#height > scrollTop + clientHeight) this.node.scrollTop = top + this.#height - clientHeight
    this.#draw(false)
    this.#rows.get(this.#at)?.classList.add('at')
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.#height) - 1)
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }
    const item = this.#items[this.#at]
    if (event.key in steps) this.#move(this.#at + steps[event.key])
    else if (event.key === 'Enter' && item) this.open(item)
    else if (event.key === ' ' && item) this.mark(item)
    else return
    event.preventDefault()
  }
}
