// Many changes by one call: from marked chats or from a file, with how far they are and how each ended.
import { call, curl } from './api.js'
import { button, complain, csv, dialog, el, field, form, run, save, say, showLine, table } from './dom.js'
import { model } from './model.js'
import { moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })
const json = { 'Content-Type': 'application/json' }

// submit makes a batch of operations, and shows it.
export async function submit(operations) {
  const { results } = await call('createBatch', {}, { body: JSON.stringify({ operations, onInvalid: 'skip' }), headers: json })
  if (results.invalidCount > 0) complain(new Error(`${t('nWrong', { n: results.invalidCount })} ${results.invalid[0].message}`))
  if (results.batchId) location.hash = '#/batches/' + results.batchId
}

const named = jid => model.people.get(jid) ?? jid

export function batchesView(id) {
  const ended = new AbortController()
  const { signal } = ended
  const body = el('div', {})
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t(id ? 'batch' : 'batches')), body)
  run(() => (id ? one(id, body, signal) : all(body, signal)))
  return { node, title: t('batches'), close: () => ended.abort() }
}

async function all(body, signal) {
  const rows = el('div', {})
  body.append(fromFile(), el('h2', {}, t('batches')), rows)
  const { results } = await call('listBatches', {}, { signal })
  rows.append(results.length === 0 ? el('p', { class: 'empty' }, t('noBatches')) : table(t('batches'), [
    [t('time'), b => el('a', { href: '#/batches/' + b.batchId }, moment(Date.parse(b.createdAt)))],
    [t('state'), b => t('batch_' + b.state)],
    [t('operations'), b => b.total.toLocaleString()],
    [t('succeeded'), b => b.counts.done.toLocaleString()],
    [t('failed'), b => b.counts.failed.toLocaleString()],
  ], results), el('p', {}, line('listBatches', t('batches'))))
}

async function one(id, body, signal) {
  const only = el('select', { onchange: () => run(results) }, [['', 'all'], ['failed', 'failed'], ['done', 'succeeded'], ['pending', 'PENDING'], ['cancelled', 'cancelled']]
    .map(([value, words]) => el('option', { value }, t(words))))
  const facts = el('div', {})
  const rows = el('div', {})
  body.append(facts, el('div', { class: 'acts' }, el('label', { class: 'choice' }, t('outcome'), only), button(t('asCSV'), () => run(download)), line('getBatch', t('batch'), { batchId: id })), rows)
  const columns = [
    [t('line'), o => String(o.line)], [t('callName'), o => o.op], [t('chat'), o => named(o.to.includes('@') ? o.to : o.to + '@s.whatsapp.net')],
    [t('outcome'), o => t('operation_' + o.outcome)], [t('answer'), o => [o.code, o.error].filter(Boolean).join(' ')], [t('time'), o => (o.time ? moment(Date.parse(o.time)) : '')],
  ]
  const page = (limit, cursor) => call('getBatch', { batchId: id, only: only.value, limit, cursor }, { signal })
  async function results() {
    const { results: batch } = await page(200)
    rows.replaceChildren(batch.operations.length === 0 ? el('p', { class: 'empty' }, t('noEntries')) : table(t('results'), columns.map(([heading, text]) => [heading, o => el('bdi', {}, text(o))]), batch.operations))
    return batch
  }
  async function download() {
    const lines = [columns.map(([heading]) => heading)]
    for (let cursor = ''; cursor !== undefined;) {
      const answer = await page(1000, cursor)
      lines.push(...answer.results.operations.map(o => columns.map(([, text]) => text(o))))
      cursor = answer.nextCursor
    }
    save('pesan-batch.csv', csv(lines))
  }
  const bar = el('progress', { max: 1 })
  const state = el('strong', {})
  const words = el('span', {})
  const stop = button(t('cancelBatch'), () => run(async () => {
    await call('cancelBatch', { batchId: id })
    say(t('batch_cancelled'))
    again()
  }), { class: 'danger' })
  const retry = button(t('retryBatch'), () => run(async () => {
    const { results } = await call('retryBatch', { batchId: id })
    if (results.batchId) location.hash = '#/batches/' + results.batchId
    else say(t('nothingToRetry'))
  }))
  const curls = { stop: line('cancelBatch', t('cancelBatch'), { batchId: id }), retry: line('retryBatch', t('retryBatch'), { batchId: id }) }
  facts.append(el('p', { class: 'state', role: 'status' }, state, ' — ', words), el('label', { class: 'field' }, el('span', {}, t('progress')), bar), el('p', { class: 'acts' }, stop, curls.stop, retry, curls.retry))
  let again = () => {}
  while (!signal.aborted) {
    const batch = await results()
    const open = batch.state === 'queued' || batch.state === 'running'
    const { done, failed, cancelled, pending } = batch.counts
    state.textContent = t('batch_' + batch.state)
    words.textContent = [t('progressOf', { n: batch.total - pending, total: batch.total }), failed > 0 && t('nFailed', { n: failed }), cancelled > 0 && t('nCancelled', { n: cancelled }),
      open && batch.estimatedEnd && t('until', {}) + ' ' + moment(Date.parse(batch.estimatedEnd)), batch.message].filter(Boolean).join(' · ')
    bar.max = Math.max(1, batch.total)
    bar.value = batch.total - pending
    stop.hidden = curls.stop.hidden = !open
    retry.hidden = curls.retry.hidden = open || failed === 0
    facts.dataset.done = done
    if (!open) break
    await new Promise(next => { again = next; setTimeout(next, 1000) })
  }
}

// fromFile takes a CSV file, shows what it would do and which of its lines are wrong, and then makes the batch.
function fromFile() {
  const file = el('input', { type: 'file', accept: '.csv,.jsonl,text/csv', required: true })
  const send = async (text, params) => (await call('createBatch', params, {
    body: text, headers: { 'Content-Type': file.files[0]?.name.endsWith('l') ? 'application/x-ndjson' : 'text/csv' },
  })).results
  return form(async () => {
    const text = await file.files[0].text()
    const plan = await send(text, { dryRun: 'true', onInvalid: 'skip' })
    const lines = text.split(/\r?\n/)
    dialog(t('preview'), close => [
      el('p', { role: 'status' }, [t('wouldDo', { n: plan.accepted }), plan.invalidCount > 0 && t('nWrong', { n: plan.invalidCount }), plan.replacedCount > 0 && t('nReplaced', { n: plan.replacedCount })]
        .filter(Boolean).join(' ')),
      plan.invalid.length > 0 && table(t('wrongLines'), [[t('line'), l => String(l.line)], [t('reason'), l => l.message], [t('text'), l => el('bdi', {}, (lines[l.line - 1] ?? '').slice(0, 200))]],
        plan.invalid.slice(0, 200)),
      plan.accepted > 0 && form(async () => {
        const { batchId } = await send(text, { onInvalid: 'skip' })
        close()
        location.hash = '#/batches/' + batchId
      }, t('doIt', { n: plan.accepted })),
    ].filter(Boolean))
  }, t('preview'), el('h2', {}, t('fromFile')), field(t('csvFile'), file, t('csvHint')))
}
