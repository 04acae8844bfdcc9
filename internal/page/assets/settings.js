// Settings of the account: its further keys, and how it is.
import { call } from './api.js'
import { line } from './curl.js'
import { button, dialog, el, field, form, say, section, shown, table } from './dom.js'
import { model } from './model.js'
import { usageSection } from './usage.js'
import { webhookSection } from './webhook.js'
import { day, known, moment, number, t } from './words.js'

export function settingsView() {
  const ended = new AbortController()
  const { signal } = ended
  const health = el('div', {})
  const keys = el('div', {})
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('settings')),
    el('section', {}, el('h2', {}, t('health')), health),
    el('section', {}, el('h2', {}, t('keys')), el('p', {}, t('keysText')), keys), webhookSection(signal), usageSection(signal))

  async function showHealth() {
    const began = performance.now()
    const { results, asOf } = await call('getState', {}, { signal })
    const took = performance.now() - began
    health.replaceChildren(el('dl', {}, [
      [t('server'), t('answersIn', { n: Math.round(took) })],
      ['WhatsApp', known(results.state) ? t(results.state) : results.state],
      [t('newest'), asOf ? moment(Date.parse(asOf)) : t('never')],
      [t('chats'), number(model.chats.size)],
      results.reason && [t('reason'), known(results.reason) ? t(results.reason) : results.reason],
    ].filter(Boolean).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])), el('p', { class: 'acts' }, button(t('refresh'), () => section(health, showHealth)), line('getState', t('health'))))
  }

  async function showKeys() {
    const { results } = await call('listKeys', {}, { signal })
    const limited = results.some(k => k.perSecond || k.perMonth)
    keys.replaceChildren(el('p', { class: 'acts' }, button(t('addKey'), add, { class: 'primary', 'data-act': 'addKey' }), line('listKeys', t('keys'))), table(t('keys'), [
      [t('name'), k => el('bdi', { class: 'strong' }, k.name === 'main' ? t('mainKey') : k.name)], [t('scope'), k => t('scope_' + k.scope)],
      [t('added'), k => (k.createdAt ? moment(Date.parse(k.createdAt)) : '')], [t('lastUsed'), k => (k.lastUsed ? day(Date.parse(k.lastUsed), 'UTC') : t('never'))],
      [t('ends'), k => [k.until ? moment(Date.parse(k.until)) : t('noEnd'), k.ended && el('span', { class: 'fact' }, ' · ' + t('hasEnded'))]],
      ...(limited ? [[t('limits'), k => [k.perSecond && t('perSecond', { n: k.perSecond }), k.perMonth && t('perMonth', { n: k.perMonth })].filter(Boolean).join(', ')]] : []),
      [t('actions'), k => k.name !== 'main' && button(t('revoke'), () => revoke(k), { class: 'danger', 'aria-label': `${t('revoke')}: ${k.name}` })],
    ], results))
  }

  function add() {
    const name = el('input', { required: true, maxlength: '100' })
    const scope = el('select', {}, ['read', 'commands', 'admin'].map(value => el('option', { value }, t('scope_' + value))))
    const until = el('input', { type: 'date', min: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10) })
    const params = () => ({ name: name.value, scope: scope.value, until: until.value })
    dialog(t('addKey'), close => form(async () => {
      const { results } = await call('addKey', params())
      close()
      dialog(`${t('apiKey')}: ${results.name}`, () => [el('p', {}, t('keyOnce')), shown(results.apiKey, { label: t('apiKey') })])
      await showKeys()
    }, t('addKey'), { beside: [button(t('cancel'), close), line('addKey', t('addKey'), params)] },
    field(t('name'), name, t('keyHint')), field(t('scope'), scope), field(t('ends'), until, t('endHint'))))
  }

  function revoke(k) {
    dialog(t('revokeFor', { name: k.name }), close => form(async () => {
      await call('revokeKey', { name: k.name })
      close()
      say(t('revoked_key', { name: k.name }))
      await showKeys()
    }, t('revoke'), { danger: true, beside: [button(t('cancel'), close, { autofocus: true }), line('revokeKey', t('revoke'), { name: k.name })] }, el('p', {}, t('revokeText'))))
  }

  section(health, showHealth)
  section(keys, showKeys)
  return { node, title: t('settings'), close: () => ended.abort() }
}
