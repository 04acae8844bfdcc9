// Looking after it: what calls did, and how the link is.
import { call, curl } from './api.js'
import { button, csv, dialog, el, field, form, run, save, say, showLine, table } from './dom.js'
import { model } from './model.js'
import { moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })

const most = 5000 // entries that are fetched

export function reportView() {
  const ended = new AbortController()
  const wanted = el('input', { type: 'search', 'aria-label': t('searchLog'), placeholder: t('searchLog'), oninput: show, maxlength: '200' })
  const outcome = el('select', { onchange: show }, [['', 'all'], ['done', 'succeeded'], ['failed', 'failed'], ['pending', 'PENDING']]
    .map(([value, words]) => el('option', { value }, t(words))))
  const count = el('p', { role: 'status', class: 'count' })
  const rows = el('div', {})
  let entries = []
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('log')),
    el('div', { class: 'acts' }, wanted, el('label', { class: 'choice' }, t('outcome'), outcome),
      button(t('asCSV'), () => save('pesan-log.csv', csv([columns.map(([heading]) => heading()), ...chosen().map(e => columns.map(([, text]) => text(e)))]))),
      button(t('emptyLog'), empty, { class: 'danger' }), line('getReportApi', t('log')), button(t('refresh'), () => run(load))), count, rows)

  const state = e => (e.command === 'pending' ? 'pending' : e.command === 'failed' || e.error ? 'failed' : 'done')
  const columns = [
    [() => t('time'), e => moment(Date.parse(e.time))],
    [() => t('callName'), e => e.endpoint],
    [() => t('about'), e => e.target ?? ''],
    [() => t('outcome'), e => t({ pending: 'PENDING', failed: 'failed', done: 'succeeded' }[state(e)])],
    [() => t('answer'), e => [e.code, e.error].filter(Boolean).join(' ')],
  ]

  function chosen() {
    const text = wanted.value.trim().toLowerCase()
    return entries.filter(e => (!outcome.value || state(e) === outcome.value) &&
      (!text || `${e.endpoint} ${e.target ?? ''} ${e.error ?? ''} ${e.code} ${model.people.get(e.target) ?? ''}`.toLowerCase().includes(text)))
  }

  function show() {
    const some = chosen()
    count.textContent = t('nEntries', { n: some.length })
    rows.replaceChildren(some.length ? table(t('log'), columns.map(([heading, text]) => [heading(), e => el('bdi', {}, String(text(e)))]), some.slice(0, 500)) : el('p', { class: 'empty' }, t('noEntries')))
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
    show()
  }

  function empty() {
    const all = el('input', { type: 'checkbox' })
    dialog(t('emptyLog'), close => form(async () => {
      await call('clearReportApi', { all: all.checked ? 'all' : undefined })
      close()
      say(t('done'))
      await load()
    }, t('emptyLog'), el('p', {}, t('emptyLogText')), el('label', { class: 'choice' }, all, t('pendingToo')), el('p', {}, line('clearReportApi', t('emptyLog')), button(t('cancel'), close))))
  }

  run(load)
  return { node, title: t('log'), close: () => ended.abort() }
}
