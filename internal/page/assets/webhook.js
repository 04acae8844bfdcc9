// The webhook: where the account's events are sent, how that goes, and what could not be delivered.
import { call } from './api.js'
import { line, pair } from './curl.js'
import { button, complain, dialog, el, field, form, run, say, section, shown, table } from './dom.js'
import { moment, number, t } from './words.js'

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
    const set = button(t(hook ? 'changeWebhook' : 'setWebhook'), () => ask(hook), { class: hook ? '' : 'primary', 'data-act': 'setWebhook' })
    if (!hook) {
      body.replaceChildren(el('p', {}, t('noWebhook')), el('p', { class: 'acts' }, set, line('getWebhook', t('webhook'))))
      return
    }
    const { results: dead } = await call('listDeadLetters', { limit: 100 }, { signal })
    body.replaceChildren(
      el('p', { class: hook.state === 'ON' ? 'state good' : 'state', role: 'status' }, el('strong', {}, t('webhook_' + hook.state)), ' — ', el('bdi', {}, hook.url),
        hook.nextAttemptAt && ` · ${t('nextAttempt', { time: time(hook.nextAttemptAt) })}`),
      el('p', { class: 'fact' }, `${t('events')}: ${hook.events.join(', ')}`),
      el('p', { class: 'acts' }, set, pair(button(t('testWebhook'), () => run(test), { 'data-act': 'testWebhook' }), 'testWebhook', t('testWebhook')),
        button(t('delete'), remove, { class: 'danger', 'aria-label': `${t('delete')}: ${t('webhook')}` }), pair(button(t('refresh'), () => section(body, show)), 'getWebhook', t('webhook'))),
      el('h3', {}, t('deliveries')),
      (hook.deliveries ?? []).length === 0 ? el('p', {}, t('never')) : table(t('deliveries'), [
        [t('time'), d => time(d.time)], [t('kind'), d => d.type], [t('outcome'), d => t(d.delivered ? 'succeeded' : 'failed')],
        [t('answer'), d => [d.status, d.error].filter(Boolean).join(' ')], [t('took'), d => number(d.ms) + ' ms'],
      ], hook.deliveries),
      el('h3', {}, t('undelivered')),
      ...dead.length === 0 ? [el('p', {}, t('allDelivered'))] : [
        el('p', { class: 'acts' }, button(t('sendAllAgain'), () => run(() => again({})), { 'data-act': 'sendAllAgain' }), line('redeliverWebhook', t('sendAllAgain')), line('listDeadLetters', t('undelivered'))),
        table(t('undelivered'), [
          [t('time'), d => time(d.time)], [t('kind'), d => d.type], [t('answer'), d => [d.status, d.error].filter(Boolean).join(' ')],
          [t('actions'), d => el('div', { class: 'acts' }, button(t('sendAgain'), () => run(() => again({ id: d.id })), { 'aria-label': `${t('sendAgain')}: ${d.type}, ${time(d.time)}` }),
            line('redeliverWebhook', `${t('sendAgain')}: ${d.type}, ${time(d.time)}`, { id: d.id }))],
        ], dead)])
  }

  function ask(hook) {
    const url = el('input', { type: 'url', required: true, value: hook?.url ?? 'https://', maxlength: '2048' })
    const boxes = kinds.map(kind => el('label', { class: 'choice' }, el('input', { type: 'checkbox', value: kind, checked: !hook || hook.events.includes(kind) }), kind))
    const params = () => {
      const events = boxes.map(box => box.firstChild).filter(box => box.checked).map(box => box.value)
      if (events.length === 0) throw new Error(t('pickEvents'))
      return { url: url.value, events: events.length === kinds.length ? undefined : events.join(',') }
    }
    dialog(t('webhook'), close => form(async () => {
      const { results } = await call('setWebhook', params())
      close()
      if (results.secret) dialog(t('signingSecret'), () => [el('p', {}, t('signingText')), shown(results.secret, { label: t('signingSecret') })])
      await show()
    }, t('save'), { beside: [button(t('cancel'), close), line('setWebhook', t('setWebhook'), params)] },
    field('URL', url, t('urlHint')), el('fieldset', { class: 'choices' }, el('legend', {}, t('events')), boxes)))
  }

  async function test() {
    const { results } = await call('testWebhook')
    say(t(results.delivered ? 'testDelivered' : 'testFailed', { what: [results.status, results.error].filter(Boolean).join(' ') }))
    await show()
  }

  async function again(params) {
    const { results } = await call('redeliverWebhook', params)
    const failed = results.deliveries.find(d => !d.delivered)
    if (failed) complain(new Error(t('deliveryFailed', { what: [failed.status, failed.error].filter(Boolean).join(' ') })))
    if (results.delivered > 0 || !failed) say(t('nDelivered', { n: results.delivered }))
    await show()
  }

  function remove() {
    dialog(`${t('delete')}: ${t('webhook')}`, close => form(async () => {
      await call('deleteWebhook')
      close()
      await show()
    }, t('delete'), { danger: true, beside: [button(t('cancel'), close, { autofocus: true }), line('deleteWebhook', t('delete'))] }, el('p', {}, t('deleteWebhookText'))))
  }

  section(body, show)
  return el('section', { 'aria-label': t('webhook') }, el('h2', {}, t('webhook')), body)
}
