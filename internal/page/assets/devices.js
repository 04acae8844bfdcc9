// The devices of the installation, by the system secret: what they are called, how they stand, their keys.
import { pause, secret, setKey, setSecret, system } from './api.js'
import { line } from './curl.js'
import { button, complain, dialog, el, field, form, say, shown, table } from './dom.js'
import { known, moment, t } from './words.js'

// own is the line of a call that the system secret opens.
const own = (endpoint, what, params) => line(endpoint, what, params, true)

export function devicesView() {
  const ended = new AbortController()
  const { signal } = ended
  const body = el('div', {})
  let last = ''
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('devices')), body)

  function ask() {
    last = ''
    const input = el('input', { type: 'password', required: true, autocomplete: 'off', spellcheck: false })
    body.replaceChildren(form(async () => {
      setSecret(input.value.trim())
      try {
        await show()
      } catch (error) {
        setSecret('')
        throw error
      }
    }, t('open'), {}, el('p', {}, t('secretText')), field(t('secret'), input, t('secretHint'))))
    input.focus()
  }

  async function show() {
    const data = []
    let cursor
    do {
      const answer = await system('listDevice', { cursor }, { signal })
      data.push(...answer.data)
      cursor = answer.nextCursor
    } while (cursor)
    const now = JSON.stringify(data.map(({ asOf, ...device }) => device))
    if (now === last) return
    last = now
    const focused = body.contains(document.activeElement) && document.activeElement.dataset.act
    body.replaceChildren(
      el('p', { class: 'acts' }, button(t('addDevice'), add, { class: 'primary', 'data-act': 'addDevice' }), own('listDevice', t('devices')), button(t('forgetSecret'), () => { setSecret(''); ask() })),
      data.length === 0 ? el('p', { class: 'empty' }, t('noDevices')) : table(t('devices'), [
        [t('name'), d => el('bdi', { class: 'strong' }, d.name)],
        [t('state'), d => [known(d.state_status) ? t(d.state_status) : d.state_status, d.reason && known(d.reason) && el('p', { class: 'fact' }, t(d.reason))]],
        [t('number'), d => (d.number ? '+' + d.number : '')],
        [t('added'), d => moment(Date.parse(d.createdAt))],
        [t('actions'), d => el('div', { class: 'acts' },
          button(t('rename'), () => rename(d), { 'aria-label': `${t('rename')}: ${d.name}`, 'data-act': 'rename ' + d.id }),
          button(t('newKey'), () => rotate(d), { 'aria-label': `${t('newKey')}: ${d.name}`, 'data-act': 'newKey ' + d.id }),
          button(t('delete'), () => remove(d), { class: 'danger', 'aria-label': `${t('delete')}: ${d.name}`, 'data-act': 'delete ' + d.id }))],
      ], data))
    if (focused) body.querySelector(`[data-act="${focused}"]`)?.focus()
  }

  // watch keeps the states as they are. A secret that opens no more is asked for again.
  async function watch() {
    while (!signal.aborted) {
      if (secret()) {
        try {
          await show()
        } catch (error) {
          if (error.name === 'AbortError') return
          if (error.status === 401) setSecret('')
          if (error.status === 401 || !last) complain(error)
        }
      }
      if (!secret() && !body.querySelector('form')) ask()
      await pause(3000, signal)
    }
  }

  function add() {
    const name = el('input', { required: true, maxlength: '100' })
    dialog(t('addDevice'), close => form(async () => {
      const { data } = await system('addDevice', { name: name.value })
      close()
      await show()
      showKey(data)
    }, t('addDevice'), { beside: [button(t('cancel'), close), own('addDevice', t('addDevice'), () => ({ name: name.value }))] }, field(t('name'), name, t('deviceHint'))))
  }

  function rename(device) {
    const name = el('input', { required: true, maxlength: '100', value: device.name })
    dialog(t('rename'), close => form(async () => {
      await system('editDevice', { id: device.id, name: name.value })
      close()
      say(t('done'))
      await show()
    }, t('rename'), { beside: [button(t('cancel'), close), own('editDevice', t('rename'), () => ({ id: device.id, name: name.value }))] }, field(t('name'), name)))
  }

  function rotate(device) {
    dialog(t('newKeyFor', { name: device.name }), close => form(async () => {
      const { data } = await system('changeApiKey', { id: device.id })
      close()
      await show()
      showKey(data)
    }, t('newKey'), { beside: [button(t('cancel'), close, { autofocus: true }), own('changeApiKey', t('newKey'), { id: device.id })] }, el('p', {}, t('newKeyText'))))
  }

  // remove wants the name typed: what goes can't come back.
  function remove(device) {
    const name = el('input', { required: true, autocomplete: 'off' })
    dialog(t('deleteFor', { name: device.name }), close => form(async () => {
      if (name.value.trim() !== device.name.trim()) throw new Error(t('otherName', { name: device.name }))
      await system('deleteDevice', { id: device.id })
      close()
      say(t('deviceDeleted', { name: device.name }))
      await show()
    }, t('delete'), { danger: true, beside: [button(t('cancel'), close), own('deleteDevice', t('delete'), { id: device.id })] },
    el('p', {}, t('deleteText')), field(t('typeName', { name: device.name }), name)))
  }

  // showKey shows a key that was just made, and lets it be used here.
  function showKey({ apiKey, name }) {
    dialog(`${t('apiKey')}: ${name}`, close => [el('p', {}, t('keyOnce')), shown(apiKey, { label: t('apiKey') }), el('p', { class: 'acts' },
      button(t('useKey'), () => { setKey(apiKey); close(); location.hash = '#/link'; location.reload() }))])
  }

  queueMicrotask(watch)
  return { node, title: t('devices'), close: () => ended.abort() }
}
