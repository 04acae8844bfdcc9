// What the keys used: a chart of the days of a month, and the same as a table.
import { call, request } from './api.js'
import { pair } from './curl.js'
import { button, el, field, run, save, section, table } from './dom.js'
import { day, number, t } from './words.js'

const counts = ['calls', 'failed', 'commands', 'operations', 'messages', 'deliveries']

export function usageSection(signal) {
  const today = new Date().toISOString().slice(0, 10) // days of usage are UTC's
  const month = el('input', { type: 'month', value: today.slice(0, 7), max: today.slice(0, 7), required: true, onchange: () => month.value && section(rows, load) })
  const what = el('select', { onchange: show }, counts.map(name => el('option', { value: name }, t('used_' + name))))
  const chart = el('div', { class: 'chart', role: 'img' })
  const rows = el('div', {})
  let days = []

  // load adds up what each key used, and has the days without any too.
  async function load() {
    const { results } = await call('getUsage', { month: month.value }, { signal })
    const all = new Map()
    for (let ms = Date.parse(results.from); ms <= Math.min(Date.parse(results.through), Date.parse(today)); ms += 86_400_000) {
      const of = new Date(ms).toISOString().slice(0, 10)
      all.set(of, { of, ...Object.fromEntries(counts.map(name => [name, 0])) })
    }
    for (const entry of results.days) for (const name of counts) if (all.has(entry.day)) all.get(entry.day)[name] += entry[name]
    days = [...all.values()]
    show()
  }

  function show() {
    const name = what.value
    const most = Math.max(1, ...days.map(d => d[name]))
    const total = days.reduce((sum, d) => sum + d[name], 0)
    const used = days.filter(d => counts.some(c => d[c] > 0))
    chart.setAttribute('aria-label', `${t('used_' + name)}: ${number(total)}`)
    chart.hidden = used.length === 0
    chart.replaceChildren(...days.map(d => {
      const bar = el('span', { class: 'bar', title: `${day(Date.parse(d.of), 'UTC')}: ${number(d[name])}` })
      bar.style.height = 100 * d[name] / most + '%'
      return el('span', { class: 'column' }, el('span', { class: 'height' }, d[name] === most && el('span', { class: 'most' }, number(most)), bar), el('span', { class: 'label' }, String(Number(d.of.slice(8)))))
    }))
    rows.replaceChildren(used.length === 0 ? el('p', { class: 'empty' }, t('noUsage'))
      : table(t('usage'), [[t('day'), d => day(Date.parse(d.of), 'UTC')], ...counts.map(c => [t('used_' + c), d => number(d[c])])], used.reverse()))
  }

  const download = () => run(async () => {
    const response = await request('getUsage', { month: month.value }, { headers: { Accept: 'text/csv' }, signal })
    save(`pesan-${month.value}.csv`, await response.blob())
  })
  section(rows, load)
  return el('section', {}, el('h2', {}, t('usage')), el('div', { class: 'acts tools' }, field(t('month'), month), field(t('chartOf'), what),
    pair(button(t('asCSV'), download), 'getUsage', t('usage'), () => ({ month: month.value }))), chart, rows)
}
