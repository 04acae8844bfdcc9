// What the keys used: a chart of the days of a month, and the same as a table.
import { call, curl, request } from './api.js'
import { button, el, field, run, save, showLine, table } from './dom.js'
import { locale, t } from './words.js'

const counts = ['calls', 'failed', 'commands', 'operations', 'messages', 'deliveries']

export function usageSection(signal) {
  const month = el('input', { type: 'month', value: new Date().toISOString().slice(0, 7), onchange: () => run(load) })
  const what = el('select', { onchange: show }, counts.map(name => el('option', { value: name }, t('used_' + name))))
  const chart = el('div', { class: 'chart' })
  const rows = el('div', {})
  const line = button('curl', () => showLine(curl('getUsage', { month: month.value })), { class: 'plain curl', 'aria-label': t('curlFor', { what: t('usage') }) })
  let days = []

  async function load() {
    const { results } = await call('getUsage', { month: month.value }, { signal })
    const all = new Map()
    for (const entry of results.days) { // one a key
      const day = all.get(entry.day) ?? { day: entry.day, calls: 0, failed: 0, commands: 0, operations: 0, messages: 0, deliveries: 0 }
      for (const name of counts) day[name] += entry[name]
      all.set(entry.day, day)
    }
    days = [...all.values()].sort((a, b) => (a.day < b.day ? -1 : 1))
    show()
  }

  function show() {
    const name = what.value
    const most = Math.max(1, ...days.map(d => d[name]))
    const total = days.reduce((sum, d) => sum + d[name], 0)
    chart.setAttribute('role', 'img')
    chart.setAttribute('aria-label', `${t('used_' + name)}: ${total.toLocaleString(locale())}`)
    chart.replaceChildren(...days.map(d => {
      const bar = el('span', { class: 'bar', title: `${d.day}: ${d[name].toLocaleString(locale())}` })
      bar.style.height = 100 * d[name] / most + '%'
      return el('span', { class: 'column' }, el('span', { class: 'height' }, bar), el('span', { class: 'label' }, String(Number(d.day.slice(8)))))
    }))
    rows.replaceChildren(days.length === 0 ? el('p', { class: 'empty' }, t('noUsage'))
      : table(t('usage'), [[t('day'), d => d.day], ...counts.map(name => [t('used_' + name), d => d[name].toLocaleString(locale())])], days))
  }

  const download = () => run(async () => {
    const response = await request('getUsage', { month: month.value }, { headers: { Accept: 'text/csv' }, signal })
    save(`pesan-${month.value}.csv`, await response.blob())
  })
  run(load)
  return el('section', {}, el('h2', {}, t('usage')), el('div', { class: 'acts' }, field(t('month'), month), field(t('chartOf'), what), button(t('asCSV'), download), line),
    chart, rows)
}
