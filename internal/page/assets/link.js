// The link of the device: codes to scan or to type, how it stands, and its end.
import { call, curl } from './api.js'
import { button, dialog, el, field, form, run, say, showLine } from './dom.js'
import { model } from './model.js'
import { known, moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })

export function linkView() {
  const ended = new AbortController()
  const { signal } = ended
  const facts = el('div', {})
  const codes = el('div', {})
  const acts = el('p', { class: 'acts' })
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('linkTitle')), facts, acts, codes)

  // facts and buttons follow the state.
  function show() {
    const s = model.state
    if (s.state === 'SERVICE_SCAN' || s.state === 'PAIRING') watch()
    const rows = [[t('device'), s.name], [t('service'), t(s.service ? 'on' : 'off')], [t('number'), s.number && '+' + s.number], [t('profile'), s.pushName],
      [t('newest'), model.asOf ? moment(Date.parse(model.asOf)) : t('never')]]
    const key = JSON.stringify([s, model.asOf])
    if (key === facts.key) return
    facts.key = key
    facts.replaceChildren(
      el('p', { class: 'state ' + s.state, role: 'status' }, el('strong', {}, known(s.state) ? t(s.state) : s.state), s.reason && ' — ' + (known(s.reason) ? t(s.reason) : s.reason)),
      s.sync ? el('label', { class: 'field' }, el('span', {}, t('history', s.sync)), el('progress', { max: '100', value: s.sync.percent })) : '',
      el('dl', {}, rows.filter(([, value]) => value).map(([name, value]) => [el('dt', {}, name), el('dd', {}, el('bdi', {}, value))])))
    const wanted = [
      !s.service || s.state === 'SERVICE_OFF' ? button(t('start'), () => act('serviceStart', {}, 'started'), { class: 'primary' }) : '',
      !s.service || s.state === 'SERVICE_OFF' ? line('serviceStart', t('start')) : '',
      s.service ? [button(t('stop'), () => act('serviceDestroy', {}, 'stopped')), line('serviceDestroy', t('stop'))] : '',
      s.number ? [button(t('unlink'), unlink, { class: 'danger' }), line('serviceDestroy', t('unlink'), { logout: 'true' })] : '',
    ].flat().filter(Boolean)
    acts.replaceChildren(...wanted)
  }

  const act = (endpoint, params, words) => run(async () => {
    await call(endpoint, params)
    say(t(words))
    await model.refresh()
  })

  function unlink() {
    dialog(t('unlink'), close => form(async () => {
      await act('serviceDestroy', { logout: 'true' }, 'unlinked')
      close()
    }, t('unlink'), el('p', {}, t('unlinkText')), el('p', {}, button(t('cancel'), close))))
  }

  // watch shows codes as long as some are wanted, each until it ends.
  let watching = false
  async function watch() {
    if (watching) return
    watching = true
    await run(async () => {
      const image = el('img', { class: 'qr', alt: t('qr'), hidden: true })
      const hint = el('p', { 'aria-live': 'off' }, t('codeComes'))
      const pairing = el('output', { class: 'pairing' })
      const phone = el('input', { type: 'tel', required: true, autocomplete: 'tel', maxlength: '32' })
      const byNumber = form(async () => {
        const { results } = await call('getQR', { phone: phone.value }, { signal })
        pairing.replaceChildren(results.pairingCode ? el('p', {}, t('typeCode')) : '', results.pairingCode ? el('strong', {}, results.pairingCode) : results.message)
      }, t('getCode'), el('h2', {}, t('pairByNumber')), field(t('ownNumber'), phone), pairing, el('p', {}, line('getQR', t('getCode'), { phone: '6281234567890' })))
      const scan = el('div', { class: 'codes' }, el('div', {}, el('p', {}, t('scan')), image, hint, line('getQR', t('linking'))), byNumber)
      const passkey = el('div', { class: 'codes' })
      let until = 0
      for (; !signal.aborted; await new Promise(done => setTimeout(done, 1000))) {
        await model.refresh().catch(() => {})
        const { state, reason, service } = model.state
        if (state === 'CONNECTED' || !service || state === 'SERVICE_OFF') break
        if (reason === 'PASSKEY_REQUIRED' || reason === 'PASSKEY_COMPARE') {
          codes.replaceChildren(passkey)
          await showPasskey(passkey, signal)
        } else if (state === 'SERVICE_SCAN') {
          if (!scan.isConnected) codes.replaceChildren(scan)
          if (Date.now() >= until) {
            const { results } = await call('getQR', {}, { signal })
            until = results.expiresAt ? Date.parse(results.expiresAt) : 0
            image.hidden = !results.qrString?.startsWith('data:image/png;base64,')
            if (!image.hidden) image.src = results.qrString
          }
          hint.textContent = image.hidden ? t('codeComes') : t('renews', { n: Math.max(0, Math.round((until - Date.now()) / 1000)) })
        } else codes.replaceChildren()
      }
      codes.replaceChildren()
    })
    watching = false
  }

  async function showPasskey(box, signal) {
    const { results } = await call('getPasskey', {}, { signal })
    if (results.compareCode) {
      box.replaceChildren(el('p', {}, t('PASSKEY_COMPARE')), el('p', { class: 'pairing' }, el('strong', {}, results.compareCode)),
        button(t('sameCode'), () => act('confirmPasskey', {}, 'done'), { class: 'primary' }), line('confirmPasskey', t('sameCode')))
    } else box.replaceChildren(el('p', {}, t('passkeyHow', { time: moment(Date.parse(results.expiresAt)) })), line('getPasskey', 'passkey'))
  }

  model.addEventListener('state', show)
  if (model.state.state) show()
  return {
    node, title: t('linkTitle'),
    close() {
      ended.abort()
      model.removeEventListener('state', show)
    },
  }
}
