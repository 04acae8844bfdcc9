// Looking after it: what calls did.
import { call } from './api.js'
import { line, pair } from './curl.js'
import { button, csv, dialog, el, field, form, save, say, section, table } from './dom.js'
import { model } from './model.js'
import { moment, number, t } from './words.js'

const most = 5000 // entries that are fetched
const first = 200 // that are shown at once

export function reportView() {
  const ended = new AbortController()
  const choose = (name, choices) => el('select', { 'data-filter': name, onchange: show }, choices.map(([value, words]) => el('option', { value }, words)))
  const wanted = el('input', { type: 'search', oninput: show, maxlength: '200', placeholder: t('searchLog') })
  const outcome = choose('outcome', [['', t('all')], ['done', t('succeeded')], ['failed', t('failed')], ['pending', t('PENDING')]])
  const endpoint = choose('endpoint', [['', t('all')]])
  const key = choose('key', [['', t('all')]])
  const from = el('input', { type: 'date', onchange: show })
  const through = el('input', { type: 'date', onchange: show })
  const count = el('p', { role: 'status', class: 'count' })
  const rows = el('div', {})
  let entries = []
  let limit = first
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('log')), el('p', {}, t('logText')),
    el('div', { class: 'acts tools' }, field(t('search_word'), wanted), field(t('outcome'), outcome), field(t('callName'), endpoint), field(t('key'), key), field(t('fromDay'), from), field(t('throughDay'), through)),
    el('p', { class: 'acts' }, pair(button(t('refresh'), () => section(rows, load)), 'getReportApi', t('log')),
      button(t('asCSV'), () => save('pesan-log.csv', csv([columns.map(([heading]) => heading()), ...chosen().map(e => columns.map(([, text]) => text(e)))])), { 'data-act': 'asCSV' }),
      pair(button(t('emptyLog'), empty, { class: 'danger', 'data-act': 'emptyLog' }), 'clearReportApi', t('emptyLog'))),
    count, rows)

  const state = e => (e.command === 'pending' ? 'pending' : e.command === 'failed' || e.command === 'lost' || e.error ? 'failed' : 'done')
  const person = target => model.people.get(target.includes('@') ? target : target + '@s.whatsapp.net')
  const columns = [
    [() => t('time'), e => moment(Date.parse(e.time))],
    [() => t('callName'), e => e.endpoint],
    [() => t('about'), e => (e.target ? [person(e.target), e.target].filter(Boolean).join(' · ') : '')],
    [() => t('outcome'), e => t({ pending: 'PENDING', failed: 'failed', done: 'succeeded' }[state(e)])],
    [() => t('answer'), e => [e.code, e.error].filter(Boolean).join(' ')],
    [() => t('key'), e => (e.key === 'main' ? t('mainKey') : e.key ?? '')],
  ]

  const midnight = (value, days) => {
    const [year, month, date] = value.split('-').map(Number)
    return new Date(year, month - 1, date + days).getTime() // where the user is
  }

  function chosen() {
    const text = wanted.value.trim().toLowerCase()
    return entries.filter(e => (!outcome.value || state(e) === outcome.value) && (!endpoint.value || e.endpoint === endpoint.value) && (!key.value || e.key === key.value) &&
      (!from.value || Date.parse(e.time) >= midnight(from.value, 0)) && (!through.value || Date.parse(e.time) < midnight(through.value, 1)) &&
      (!text || columns.some(([, cell]) => String(cell(e)).toLowerCase().includes(text))))
  }

  function show(event) {
    if (event) limit = first
    const some = chosen()
    count.textContent = t('nEntries', { n: some.length }) + (entries.length >= most ? ` (${t('newestOnly', { n: most })})` : '')
    rows.replaceChildren(...some.length ? [
      table(t('log'), columns.map(([heading, text]) => [heading(), e => text(e) && el('bdi', {}, text(e))]), some.slice(0, limit)),
      ...some.length > limit ? [el('p', { class: 'acts' }, button(t('showMore', { n: number(Math.min(first, some.length - limit)) }), () => { limit += first; show() }))] : [],
    ] : [el('p', { class: 'empty' }, t('noEntries'))])
  }

  // offer has the values that there are.
  function offer(select, values) {
    const now = select.value
    select.replaceChildren(select.options[0], ...[...new Set(values)].filter(Boolean).sort().map(value => el('option', { value }, value === 'main' ? t('mainKey') : value)))
    select.value = [...select.options].some(o => o.value === now) ? now : ''
    select.parentElement.hidden = select.options.length < 3
  }

  async function load() {
    const all = []
    let cursor
    do {
      const answer = await call('getReportApi', { limit: 1000, cursor }, { signal: ended.signal })
      all.push(...answer.results)
      cursor = answer.nextCursor
    } while (cursor && all.length < most)
    entries = all
    offer(endpoint, all.map(e => e.endpoint))
    offer(key, all.map(e => e.key))
    show()
  }

  function empty() {
    const all = el('input', { type: 'checkbox' })
    const params = () => ({ all: all.checked ? 'all' : undefined })
    dialog(t('emptyLog'), close => form(async () => {
      await call('clearReportApi', params())
      close()
      say(t('logEmptied'))
      await load()
    }, t('emptyLog'), { danger: true, beside: [button(t('cancel'), close, { autofocus: true }), line('clearReportApi', t('emptyLog'), params)] },
    el('p', {}, t('emptyLogText')), el('label', { class: 'choice' }, all, t('pendingToo'))))
  }

  section(rows, load)
  return { node, title: t('log'), close: () => ended.abort() }
}
