// Settings of the account: its further keys, and how it is.
import { call, curl } from './api.js'
import { button, dialog, el, field, form, run, say, showLine, table } from './dom.js'
import { model } from './model.js'
import { usageSection } from './usage.js'
import { webhookSection } from './webhook.js'
import { known, moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })

export function settingsView() {
  const ended = new AbortController()
  const { signal } = ended
  const health = el('div', {})
  const keys = el('div', {})
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('settings')),
    el('h2', {}, t('health')), health, el('h2', {}, t('keys')), el('p', {}, t('keysText')), keys, webhookSection(signal), usageSection(signal))

  async function showHealth() {
    const began = performance.now()
    const { results, asOf } = await call('getState', {}, { signal })
    const took = performance.now() - began
    health.replaceChildren(el('dl', {}, [
      [t('server'), t('answersIn', { n: Math.round(took) })],
      ['WhatsApp', known(results.state) ? t(results.state) : results.state],
      [t('newest'), asOf ? moment(Date.parse(asOf)) : t('never')],
      [t('chats'), model.chats.size.toLocaleString()],
      results.reason && [t('reason'), known(results.reason) ? t(results.reason) : results.reason],
    ].filter(Boolean).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])), line('getState', t('health')))
  }

  async function showKeys() {
    const { results } = await call('listKeys', {}, { signal })
    keys.replaceChildren(el('p', { class: 'acts' }, button(t('addKey'), add, { class: 'primary' }), line('listKeys', t('keys'))), table(t('keys'), [
      [t('name'), k => el('bdi', {}, k.name)], [t('scope'), k => t('scope_' + k.scope)], [t('added'), k => (k.createdAt ? moment(Date.parse(k.createdAt)) : '')],
      [t('ends'), k => (k.until ? moment(Date.parse(k.until)) : t('noEnd'))],
      [t('actions'), k => k.name !== 'main' && button(t('revoke'), () => revoke(k), { class: 'danger', 'aria-label': `${t('revoke')}: ${k.name}` })],
    ], results))
  }

  function add() {
    const name = el('input', { required: true, maxlength: '100' })
    const scope = el('select', {}, ['read', 'commands', 'admin'].map(value => el('option', { value }, t('scope_' + value))))
    const until = el('input', { type: 'date' })
    dialog(t('addKey'), close => form(async () => {
      const { results } = await call('addKey', { name: name.value, scope: scope.value, until: until.value })
      close()
      dialog(t('apiKey'), () => [el('p', {}, t('keyOnce')), el('pre', { class: 'line', tabindex: '0' }, results.apiKey), el('p', {}, button(t('copy'), () => run(async () => {
        await navigator.clipboard.writeText(results.apiKey)
        say(t('copied'))
      })))])
      await showKeys()
    }, t('addKey'), field(t('name'), name), field(t('scope'), scope), field(t('ends'), until, t('endHint')), el('p', {}, line('addKey', t('addKey'), { name: 'Laporan', scope: 'read' }))))
  }

  function revoke(k) {
    dialog(t('revokeFor', { name: k.name }), close => form(async () => {
      await call('revokeKey', { name: k.name })
      close()
      await showKeys()
    }, t('revoke'), el('p', {}, t('revokeText')), el('p', {}, line('revokeKey', t('revoke'), { name: k.name }), button(t('cancel'), close))))
  }

  run(showHealth)
  run(showKeys)
  return { node, title: t('settings'), close: () => ended.abort() }
}
