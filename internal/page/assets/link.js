// The link of the device: codes to scan or to type, how it stands, and its end.
import { call, pause } from './api.js'
import { line, pair } from './curl.js'
import { button, dialog, el, field, form, run, say } from './dom.js'
import { model } from './model.js'
import { known, moment, t } from './words.js'

export function linkView() {
  const ended = new AbortController()
  const { signal } = ended
  const status = el('p', { class: 'state', role: 'status' })
  const facts = el('div', {})
  const codes = el('div', {})
  const acts = el('p', { class: 'acts' })
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('linkTitle')), status, facts, acts, codes)

  // facts and buttons follow the state.
  function show() {
    const s = model.state
    const rows = [[t('device'), s.name], [t('service'), t(s.service ? 'on' : 'SERVICE_OFF')], [t('number'), s.number && '+' + s.number], [t('profile'), s.pushName],
      [t('newest'), model.asOf ? moment(Date.parse(model.asOf)) : t('never')]]
    const key = JSON.stringify([s, model.asOf])
    if (key === facts.key) return
    facts.key = key
    const said = JSON.stringify([s.state, s.reason])
    const news = said !== facts.said // only that is for a screen reader
    facts.said = said
    if (news) status.replaceChildren(el('strong', {}, known(s.state) ? t(s.state) : s.state), s.reason ? ' — ' + (known(s.reason) ? t(s.reason) : s.reason) : '')
    status.className = s.state === 'CONNECTED' ? 'state good' : 'state'
    facts.replaceChildren(
      s.sync ? el('label', { class: 'field' }, el('span', {}, t('history', s.sync)), el('progress', { max: 100, value: s.sync.percent })) : '',
      el('dl', {}, rows.filter(([, value]) => value).map(([name, value]) => [el('dt', {}, name), el('dd', {}, el('bdi', {}, value))])))
    const wanted = [
      (!s.service || s.state === 'SERVICE_OFF') && pair(button(t('start'), () => act('serviceStart', {}, 'started'), { class: 'primary', 'data-act': 'start' }), 'serviceStart', t('start')),
      s.service && pair(button(t('stop'), () => act('serviceDestroy', {}, 'stopped'), { 'data-act': 'stop' }), 'serviceDestroy', t('stop')),
      s.number && pair(button(t('unlink'), unlink, { class: 'danger', 'data-act': 'unlink' }), 'serviceDestroy', t('unlink'), { logout: 'true' }),
    ].filter(Boolean)
    const shape = [s.service, s.state === 'SERVICE_OFF', Boolean(s.number)].join()
    if (shape === acts.shape) return // a button that has the focus stays
    acts.shape = shape
    acts.replaceChildren(...wanted)
  }

  const act = (endpoint, params, words) => run(async () => {
    await call(endpoint, params)
    say(t(words))
    await model.refresh()
  })

  function unlink() {
    dialog(t('unlink'), close => form(async () => {
      await call('serviceDestroy', { logout: 'true' })
      close()
      say(t('unlinked'))
      await model.refresh()
    }, t('unlink'), { danger: true, beside: [button(t('cancel'), close, { autofocus: true }), line('serviceDestroy', t('unlink'), { logout: 'true' })] }, el('p', {}, t('unlinkText'))))
  }

  // watch shows codes as long as some are wanted, each until it ends, and keeps the state as it is.
  async function watch() {
    const image = el('img', { class: 'qr', alt: t('qr'), hidden: true })
    const hint = el('p', { 'aria-live': 'off' }, t('codeComes'))
    const pairing = el('output', { class: 'pairing' })
    const phone = el('input', { type: 'tel', required: true, autocomplete: 'tel', maxlength: '32', placeholder: '0812 3456 7890' })
    const byNumber = form(async () => {
      const { results } = await call('getQR', { phone: phone.value }, { signal })
      pairing.replaceChildren(...(results.pairingCode ? [el('p', {}, t('typeCode')), el('strong', {}, results.pairingCode)] : [results.message]))
    }, t('getCode'), { beside: [line('getQR', t('getCode'), () => ({ phone: phone.value || '6281234567890' }))] }, el('h2', {}, t('pairByNumber')), field(t('ownNumber'), phone), pairing)
    const scan = el('div', { class: 'codes' }, el('div', {}, el('h2', {}, t('byCamera')), el('p', {}, t('scan')), image, hint, el('p', { class: 'acts' }, line('getQR', t('qr')))), byNumber)
    const passkey = el('div', { class: 'codes' })
    let until = 0
    const put = node => node.isConnected || codes.replaceChildren(node)
    for (; !signal.aborted; await pause(1000, signal)) {
      try {
        await model.refresh()
        const { state, reason, service } = model.state
        if (service && (reason === 'PASSKEY_REQUIRED' || reason === 'PASSKEY_COMPARE')) {
          await showPasskey(passkey, signal)
          put(passkey)
        } else if (service && state === 'SERVICE_SCAN') {
          put(scan)
          if (Date.now() >= until) {
            const { results } = await call('getQR', {}, { signal })
            until = results.expiresAt ? Date.parse(results.expiresAt) : 0
            image.hidden = !results.qrString?.startsWith('data:image/png;base64,')
            if (!image.hidden) image.src = results.qrString
          }
          hint.textContent = image.hidden ? t('codeComes') : t('renews', { n: Math.max(0, Math.ceil((until - Date.now()) / 1000)) })
        } else {
          codes.replaceChildren()
          pairing.replaceChildren()
          until = 0
        }
      } catch {
        // It is tried again, and the header says that the server is gone.
      }
    }
  }

  async function showPasskey(box, signal) {
    const { results } = await call('getPasskey', {}, { signal })
    const now = JSON.stringify([results.compareCode, results.expiresAt])
    if (now === box.now) return
    box.now = now
    if (results.compareCode) {
      box.replaceChildren(el('div', { role: 'status' }, el('h2', {}, t('compare')), el('p', {}, t('PASSKEY_COMPARE')), el('p', { class: 'pairing' }, el('strong', {}, results.compareCode)),
        el('p', { class: 'acts' }, button(t('sameCode'), () => act('confirmPasskey', {}, 'done'), { class: 'primary' }), line('confirmPasskey', t('sameCode')))))
    } else {
      box.replaceChildren(el('div', { role: 'status' }, el('h2', {}, t('passkey')), el('p', {}, t('passkeyWhy')), el('p', {}, t('passkeyHow', { time: moment(Date.parse(results.expiresAt)) })),
        el('p', { class: 'acts' }, line('getPasskey', t('passkey')))))
    }
  }

  model.addEventListener('state', show)
  if (model.state.state) show()
  watch()
  return {
    node, title: t('linkTitle'),
    close() {
      ended.abort()
      model.removeEventListener('state', show)
    },
  }
}
