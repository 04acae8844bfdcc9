// The devices of the installation, by the system secret: what they are called, how they stand, their keys.
import { curl, secret, setKey, setSecret, system } from './api.js'
import { button, dialog, el, field, form, run, say, showLine, table } from './dom.js'
import { known, moment, t } from './words.js'

const line = (endpoint, what, params) => button('curl', () => showLine(curl(endpoint, params, true)), { class: 'plain curl', 'aria-label': t('curlFor', { what }) })

export function devicesView() {
  const body = el('div', {})
  const node = el('section', { class: 'page' }, el('h1', { tabindex: '-1' }, t('devices')), body)

  function ask() {
    const input = el('input', { type: 'password', required: true, autocomplete: 'off', spellcheck: false })
    body.replaceChildren(form(async () => {
      setSecret(input.value.trim())
      try {
        await show()
      } catch (error) {
        setSecret('')
        throw error
      }
    }, t('open'), el('p', {}, t('secretText')), field(t('secret'), input)))
  }

  async function show() {
    const { data } = await system('listDevice')
    body.replaceChildren(
      el('p', { class: 'acts' }, button(t('addDevice'), add, { class: 'primary' }), line('listDevice', t('devices')), button(t('forgetSecret'), () => { setSecret(''); ask() })),
      data.length === 0 ? el('p', {}, t('noDevices')) : table(t('devices'), [
        [t('name'), d => el('bdi', { class: 'strong' }, d.name)],
        [t('state'), d => [known(d.state_status) ? t(d.state_status) : d.state_status, d.reason && known(d.reason) && el('p', { class: 'fact' }, t(d.reason))]],
        [t('number'), d => (d.number ? '+' + d.number : '')],
        [t('added'), d => moment(Date.parse(d.createdAt))],
        [t('actions'), d => el('div', { class: 'acts' },
          button(t('rename'), () => rename(d), { 'aria-label': `${t('rename')}: ${d.name}` }), button(t('newKey'), () => rotate(d), { 'aria-label': `${t('newKey')}: ${d.name}` }),
          button(t('delete'), () => remove(d), { class: 'danger', 'aria-label': `${t('delete')}: ${d.name}` }))],
      ], data))
  }

  function add() {
    const name = el('input', { required: true, maxlength: '100' })
    dialog(t('addDevice'), close => form(async () => {
      const { data } = await system('addDevice', { name: name.value })
      close()
      await show()
      showKey(data)
    }, t('addDevice'), field(t('name'), name), el('p', {}, line('addDevice', t('addDevice'), { name: 'Toko' }))))
  }

  function rename(device) {
    const name = el('input', { required: true, maxlength: '100', value: device.name })
    dialog(t('rename'), close => form(async () => {
      await system('editDevice', { id: device.id, name: name.value })
      close()
      say(t('done'))
      await show()
    }, t('rename'), field(t('name'), name), el('p', {}, line('editDevice', t('rename'), { id: device.id, name: device.name }))))
  }

  function rotate(device) {
    dialog(t('newKeyFor', { name: device.name }), close => form(async () => {
      const { data } = await system('changeApiKey', { id: device.id })
      close()
      await show()
      showKey(data)
    }, t('newKey'), el('p', {}, t('newKeyText')), el('p', {}, line('changeApiKey', t('newKey'), { id: device.id }), button(t('cancel'), close))))
  }

  // remove wants the name typed: what goes can't come back.
  function remove(device) {
    const name = el('input', { required: true, autocomplete: 'off' })
    dialog(t('deleteFor', { name: device.name }), close => form(async () => {
      if (name.value.trim() !== device.name.trim()) throw new Error(t('otherName'))
      await system('deleteDevice', { id: device.id })
      close()
      say(t('done'))
      await show()
    }, t('delete'), el('p', {}, t('deleteText')), field(t('typeName', { name: device.name }), name),
    el('p', {}, line('deleteDevice', t('delete'), { id: device.id }), button(t('cancel'), close))))
  }

  function showKey(device) {
    const key = device.apiKey
    dialog(t('apiKey'), close => [el('p', {}, t('keyOnce')), el('pre', { class: 'line key', tabindex: '0' }, key), el('p', { class: 'acts' },
      button(t('copy'), () => run(async () => { await navigator.clipboard.writeText(key); say(t('copied')) })),
      button(t('useKey'), () => { setKey(key); close(); location.hash = '#/link'; location.reload() }, { class: 'primary' }))])
  }

  if (secret()) run(show).then(() => body.childElementCount === 0 && ask())
  else ask()
  return { node, title: t('devices') }
}
