// Many changes by one call: from marked chats or from a file, with how far they are and how each ended.
import { call, pause } from './api.js'
import { curlFile, line, pair } from './curl.js'
import { button, complain, csv, dialog, el, field, form, run, save, say, section, table } from './dom.js'
import { model } from './model.js'
import { known, moment, number, t } from './words.js'

const json = { 'Content-Type': 'application/json' }

// submit makes a batch of operations, and shows it.
export async function submit(operations) {
  const { results } = await call('createBatch', {}, { body: JSON.stringify({ operations, onInvalid: 'skip' }), headers: json })
  const tell = () => { if (results.invalidCount > 0) complain(new Error(`${t('nLeftOut', { n: results.invalidCount })} ${results.invalid[0].message}`)) }
  if (!results.batchId) return tell()
  addEventListener('hashchange', tell, { once: true }) // on the page that it is shown on
  location.hash = '#/batches/' + results.batchId
}

// operationsLine is the line that does to several chats what is asked for.
export const operationsLine = (what, operations) => line('createBatch', what, () => ({ operations: JSON.stringify(operations()), onInvalid: 'skip' }))

const named = jid => model.people.get(jid) ?? jid
const op = name => (name === 'deleteChat' ? t('remove') : known(name) ? t(name) : name)

export function batchesView(id) {
  const ended = new AbortController()
  const { signal } = ended
  const body = el('div', {})
  const node = el('section', { class: 'page' }, id && el('p', {}, el('a', { href: '#/batches' }, '‹ ' + t('batches'))), el('h1', { tabindex: '-1' }, t(id ? 'batch' : 'batches')), body)
  section(body, () => (id ? one(id, body, signal) : all(body, signal)))
  return { node, title: t('batches'), close: () => ended.abort() }
}

async function all(body, signal) {
  const rows = el('div', {})
  body.append(fromFile(), el('section', {}, el('h2', {}, t('batchesSoFar')), rows))
  const show = async () => {
    const { results } = await call('listBatches', {}, { signal })
    rows.replaceChildren(el('p', { class: 'acts' }, button(t('refresh'), () => section(rows, show)), line('listBatches', t('batchesSoFar'))),
      results.length === 0 ? el('p', { class: 'empty' }, t('noBatches')) : table(t('batchesSoFar'), [
        [t('time'), b => el('a', { href: '#/batches/' + b.batchId }, moment(Date.parse(b.createdAt)))],
        [t('state'), b => t('batch_' + b.state)],
        [t('operations'), b => number(b.total)],
        [t('succeeded'), b => number(b.counts.done)],
        [t('failed'), b => number(b.counts.failed)],
      ], results))
  }
  await section(rows, show)
}

const outcomes = { '': 'all', done: 'operation_done', failed: 'operation_failed', pending: 'operation_pending', cancelled: 'operation_cancelled' }

async function one(id, body, signal) {
  let most = 200 // results that are shown
  let last = ''
  const only = el('select', { onchange: () => run(results) }, Object.entries(outcomes).map(([value, words]) => el('option', { value }, t(words))))
  const rows = el('div', {})
  const columns = [
    [t('line'), o => number(o.line)], [t('callName'), o => op(o.op)], [t('chat'), o => named(o.to.includes('@') ? o.to : o.to + '@s.whatsapp.net')],
    [t('outcome'), o => t('operation_' + o.outcome)], [t('answer'), o => [o.code, o.error].filter(Boolean).join(' ')], [t('time'), o => (o.time ? moment(Date.parse(o.time)) : '')],
  ]
  const page = (limit, cursor) => call('getBatch', { batchId: id, only: only.value, limit, cursor }, { signal })
  async function results() {
    const { results: batch, nextCursor } = await page(most)
    const now = JSON.stringify([batch.operations, nextCursor])
    if (now === last) return batch
    last = now
    rows.replaceChildren(batch.operations.length === 0 ? el('p', { class: 'empty' }, t('noEntries')) : table(t('results'), columns.map(([heading, text]) => [heading, o => text(o) && el('bdi', {}, text(o))]), batch.operations),
      nextCursor && most < 1000 ? el('p', { class: 'acts' }, button(t('showMore', { n: number(Math.min(1000, batch.total) - most) }), () => { most = 1000; run(results) })) : '')
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
  const state = el('strong', { role: 'status' }) // how far it is would be said each second
  const words = el('span', {})
  const stop = button(t('cancelBatch'), () => run(async () => {
    await call('cancelBatch', { batchId: id })
    say(t('batch_cancelled'))
    again()
  }), { class: 'danger', 'data-act': 'cancelBatch' })
  const retry = button(t('retryBatch'), () => run(async () => {
    const { results } = await call('retryBatch', { batchId: id })
    if (results.batchId) location.hash = '#/batches/' + results.batchId
    else say(t('nothingToRetry'))
  }), { 'data-act': 'retryBatch' })
  const curls = { stop: line('cancelBatch', t('cancelBatch'), { batchId: id }), retry: line('retryBatch', t('retryBatch'), { batchId: id }) }
  const facts = el('p', { class: 'state' }, state, ' — ', words)
  let again = () => {}
  for (let begun = false; !signal.aborted;) {
    const batch = await results()
    if (!begun) {
      begun = true
      body.append(facts, el('label', { class: 'field' }, el('span', {}, t('progress')), bar), el('p', { class: 'acts' }, stop, curls.stop, retry, curls.retry),
        el('div', { class: 'acts tools' }, field(t('outcome'), only), pair(button(t('asCSV'), () => run(download)), 'getBatch', t('batch'), () => ({ batchId: id, only: only.value }))), rows)
    }
    const open = batch.state === 'queued' || batch.state === 'running'
    const { done, failed, cancelled, overtaken, pending } = batch.counts
    if (state.textContent !== t('batch_' + batch.state)) state.textContent = t('batch_' + batch.state)
    words.textContent = [t('progressOf', { n: batch.total - pending, total: batch.total }), failed > 0 && t('nFailed', { n: failed }), cancelled > 0 && t('nCancelled', { n: cancelled }),
      overtaken > 0 && t('nOvertaken', { n: overtaken }), open && batch.estimatedEnd && t('doneBy', { time: moment(Date.parse(batch.estimatedEnd)) }), batch.message].filter(Boolean).join(' · ')
    facts.className = batch.state === 'done' && failed === 0 ? 'state good' : 'state'
    bar.max = Math.max(1, batch.total)
    bar.value = batch.total - pending
    stop.hidden = curls.stop.hidden = !open
    retry.hidden = curls.retry.hidden = open || failed === 0
    facts.dataset.done = done
    if (!open) break
    await Promise.race([pause(1000, signal), new Promise(next => { again = next })])
  }
}

const wrongLines = 200 // that are shown

// fromFile takes a CSV file, shows what it would do and which of its lines are wrong, and then makes the batch.
function fromFile() {
  const file = el('input', { type: 'file', accept: '.csv,.jsonl,text/csv', required: true })
  const type = () => (file.files[0]?.name.endsWith('l') ? 'application/x-ndjson' : 'text/csv')
  const send = async (text, params) => (await call('createBatch', params, { body: text, headers: { 'Content-Type': type() } })).results
  const fileLine = (what, params) => line('createBatch', what, () => curlFile('createBatch', { onInvalid: 'skip', ...params }, file.files[0]?.name ?? 'pesan.csv', type()))
  return form(async () => {
    const text = await file.files[0].text()
    const plan = await send(text, { dryRun: 'true', onInvalid: 'skip' })
    const lines = text.split(/\r?\n/)
    dialog(`${t('preview')}: ${file.files[0].name}`, close => {
      const said = el('p', { role: 'status' }, [t('wouldDo', { n: plan.accepted }), plan.invalidCount > 0 && t('nWrong', { n: plan.invalidCount }), plan.replacedCount > 0 && t('nReplaced', { n: plan.replacedCount })]
        .filter(Boolean).join(' '))
      const wrong = plan.invalid.length > 0 && [
        table(t('wrongLines'), [[t('line'), l => number(l.line)], [t('reason'), l => l.message], [t('text'), l => el('bdi', {}, (lines[l.line - 1] ?? '').slice(0, 200))]], plan.invalid.slice(0, wrongLines)),
        plan.invalidCount > wrongLines && el('p', {}, t('firstOnly', { n: wrongLines })),
      ]
      const cancel = button(t('cancel'), close)
      if (plan.accepted === 0) return [said, wrong, el('p', { class: 'acts' }, cancel)].flat()
      return form(async () => {
        const { batchId } = await send(text, { onInvalid: 'skip' })
        close()
        location.hash = '#/batches/' + batchId
      }, t('doIt', { n: plan.accepted }), { beside: [cancel, fileLine(t('doIt', { n: plan.accepted }), {})] }, said, wrong)
    })
  }, t('preview'), { beside: [fileLine(t('preview'), { dryRun: 'true' })] }, el('h2', {}, t('fromFile')), field(t('csvFile'), file, t('csvHint')))
}
