// The webhook: where the account's events are sent, how that goes, and what could not be delivered.
import { call, curl } from './api.js'
import { button, dialog, el, field, form, run, say, showLine, table } from './dom.js'
import { moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })
const kinds = ['ready', 'change_state', 'disconnected', 'message', 'message_ack', 'chat', 'batch', 'command']
const time = text => (text ? moment(Date.parse(text)) : '')

export function webhookSection(signal) {
  const body = el('div', {})

  async function show() {
    let hook
    try {
      hook = (await call('getWebhook', {}, { signal })).results
    } catch (error) {
      if (error.code !== 'WEBHOOK_NOT_FOUND') throw error
    }
    const set = button(t(hook ? 'changeWebhook' : 'setWebhook'), () => ask(hook), { class: hook ? '' : 'primary' })
    if (!hook) {
      body.replaceChildren(el('p', {}, t('noWebhook')), el('p', { class: 'acts' }, set))
      return
    }
    const { results: dead } = await call('listDeadLetters', { limit: 100 }, { signal })
    body.replaceChildren(
      el('p', { class: 'state ' + (hook.state === 'ON' ? 'CONNECTED' : ''), role: 'status' }, el('strong', {}, t('webhook_' + hook.state)), ' — ', el('bdi', {}, hook.url),
        hook.nextAttemptAt && ` · ${t('nextAttempt', { time: time(hook.nextAttemptAt) })}`),
      el('p', { class: 'fact' }, hook.events.join(', ')),
      el('p', { class: 'acts' }, set, button(t('testWebhook'), () => run(test), { 'data-act': 'testWebhook' }), line('testWebhook', t('testWebhook')), line('getWebhook', t('webhook')), button(t('delete'), remove, { class: 'danger', 'aria-label': `${t('delete')}: ${t('webhook')}` })),
      el('h3', {}, t('deliveries')),
      (hook.deliveries ?? []).length === 0 ? el('p', {}, t('never')) : table(t('deliveries'), [
        [t('time'), d => time(d.time)], [t('kind'), d => d.type], [t('outcome'), d => t(d.delivered ? 'succeeded' : 'failed')],
        [t('answer'), d => [d.status, d.error].filter(Boolean).join(' ')], ['ms', d => String(d.ms)],
      ], hook.deliveries),
      el('h3', {}, t('undelivered')),
      dead.length === 0 ? el('p', {}, t('allDelivered')) : [
        el('p', { class: 'acts' }, button(t('sendAllAgain'), () => run(() => again({}))), line('redeliverWebhook', t('sendAllAgain'))),
        table(t('undelivered'), [
          [t('time'), d => time(d.time)], [t('kind'), d => d.type], [t('answer'), d => [d.status, d.error].filter(Boolean).join(' ')],
          [t('actions'), d => button(t('sendAgain'), () => run(() => again({ id: d.id })), { 'aria-label': `${t('sendAgain')}: ${d.id}` })],
        ], dead)])
  }

  function ask(hook) {
    const url = el('input', { type: 'url', required: true, value: hook?.url ?? 'https://', maxlength: '2048' })
    const boxes = kinds.map(kind => el('label', { class: 'choice' }, el('input', { type: 'checkbox', value: kind, checked: !hook || hook.events.includes(kind) }), kind))
    dialog(t('webhook'), close => form(async () => {
      const events = boxes.map(box => box.firstChild).filter(box => box.checked).map(box => box.value)
      if (events.length === 0) throw new Error(t('pickEvents'))
      const { results } = await call('setWebhook', { url: url.value, events: events.length === kinds.length ? undefined : events.join(',') })
      close()
      if (results.secret) dialog(t('signingSecret'), () => [el('p', {}, t('signingText')), el('pre', { class: 'line', tabindex: '0' }, results.secret)])
      await show()
    }, t('save'), field('URL', url), el('fieldset', {}, el('legend', {}, t('events')), boxes), el('p', {}, line('setWebhook', t('setWebhook'), { url: 'https://contoh.id/pesan' }))))
  }

  async function test() {
    const { results } = await call('testWebhook')
    say(t(results.delivered ? 'testDelivered' : 'testFailed', { what: [results.status, results.error].filter(Boolean).join(' ') }))
    await show()
  }

  async function again(params) {
    const { results } = await call('redeliverWebhook', params)
    say(t('nDelivered', { n: results.delivered }))
    await show()
  }

  function remove() {
    dialog(t('delete'), close => form(async () => {
      await call('deleteWebhook')
      close()
      await show()
    }, t('delete'), el('p', {}, t('deleteWebhookText')), el('p', {}, line('deleteWebhook', t('delete')), button(t('cancel'), close))))
  }

  run(show)
  return el('section', { 'aria-label': t('webhook') }, el('h2', {}, t('webhook')), body)
}
