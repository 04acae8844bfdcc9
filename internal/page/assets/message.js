// A message as a person reads it.
import { call } from './api.js'
import { button, el, link, run, say, sign } from './dom.js'
import { fact, label, notice, text, unwrap } from './content.js'
import { model, user } from './model.js'
import { clock, moment, t } from './words.js'

const shown = 3000 // characters of a text before the rest is asked for

export function messageNode(m, chat) {
  const parameters = m.messageStubParameters ?? []
  if (m.messageStubType && m.messageStubType !== 'REVOKE') {
    return el('p', { class: 'notice', dir: 'auto' }, notice(m.messageStubType, parameters, name(m), model.name), ' ', time(m))
  }
  const { kind, value, wrappers } = unwrap(m.message)
  const node = el('article', { class: m.fromMe ? 'message mine' : 'message', 'data-id': m.id })
  if (m.isGroupMsg && !m.fromMe) node.append(el('p', { class: 'sender' }, el('bdi', {}, name(m))))
  else node.append(el('p', { class: 'sr' }, el('bdi', {}, m.fromMe ? t('you') : name(m))))
  if (m.messageStubType === 'REVOKE') node.append(el('p', { class: 'gone' }, '🚫 ' + t('revoked')))
  else node.append(...content(m, kind, value, wrappers))
  const foot = el('p', { class: 'foot' }, m.starred && sign('★', t('starred')), m.isEphemeralMessage && sign('⏱', t('ephemeral')), time(m), status(m))
  node.append(...reactions(m), foot)
  return node
}

const name = m => (m.fromMe ? t('you') : model.people.get(m.sender) ?? m.pushName ?? model.name(m.sender))

function time(m) {
  const ms = Number(m.timestamp) * 1000
  return el('time', { datetime: new Date(ms).toISOString(), title: moment(ms) }, clock(ms))
}

const ticks = { ERROR: '⚠', PENDING: '🕓', SERVER_ACK: '✓', DELIVERY_ACK: '✓✓', READ: '✓✓', PLAYED: '✓✓' }
const status = m => m.fromMe && ticks[m.status] && el('span', { class: 'status ' + m.status.toLowerCase() }, sign(ticks[m.status], t(m.status)))

function content(m, kind, value, wrappers) {
  const context = value?.contextInfo
  const parts = [
    context?.isForwarded && el('p', { class: 'fact' }, '↪ ' + t('forwarded')),
    m.quotedMsg && quote(m.quotedMsg, context),
    wrappers.some(w => w.startsWith('viewOnce')) && el('p', { class: 'fact' }, '① ' + t('viewOnce')),
    picture(value), head(kind, value),
    m.isMedia && fileButton(m),
    m.pollResults && poll(m.pollResults),
    (m.associatedMessages ?? []).map(part => album(part)),
    words(m, kind, value),
    value && choices(value),
    m.commentMetadata?.replyCount > 0 && el('p', { class: 'fact' }, '💬 ' + t('replies', { n: m.commentMetadata.replyCount })),
  ].flat().filter(Boolean)
  return parts.length ? parts : [el('p', { class: 'gone' }, t('somethingElse'))]
}

// picture is the small picture that a message carries.
function picture(value) {
  const thumbnail = value?.jpegThumbnail ?? value?.pngThumbnail ?? value?.thumbnail
  if (typeof thumbnail !== 'string' || !/^[A-Za-z0-9+/]+=*$/.test(thumbnail)) return undefined
  const kind = value.pngThumbnail === thumbnail ? 'png' : 'jpeg'
  return el('img', { class: 'picture', src: `data:image/${kind};base64,${thumbnail}`, alt: '', loading: 'lazy' })
}

// head says what kind of thing it is, and what is known of it.
function head(kind, value) {
  const found = label(kind, value)
  const preview = kind === 'extendedTextMessage' && value.title && el('p', { class: 'card', dir: 'auto' },
    el('strong', {}, value.title), value.description && el('br'), value.description)
  if (!found) return preview
  const more = []
  if (kind === 'documentMessage') more.push(value.fileName ?? value.title)
  if (kind === 'locationMessage' || kind === 'liveLocationMessage') {
    more.push(value.address, link(`https://www.openstreetmap.org/?mlat=${Number(value.degreesLatitude)}&mlon=${Number(value.degreesLongitude)}#map=16/${Number(value.degreesLatitude)}/${Number(value.degreesLongitude)}`,
      `${Number(value.degreesLatitude).toFixed(5)}, ${Number(value.degreesLongitude).toFixed(5)}`))
  }
  for (const contact of kind === 'contactMessage' ? [value] : value?.contacts ?? []) {
    const number = /^(?:item\d+\.)?TEL[^:\n]*:(.+)$/m.exec(contact.vcard ?? '')?.[1]
    if (kind === 'contactsArrayMessage') more.push(contact.displayName)
    more.push(number)
  }
  if (kind === 'eventMessage') {
    more.push(value.startTime && moment(Number(value.startTime) * 1000), value.location?.name, value.isCanceled && t('cancelled'))
  }
  if (kind === 'callLogMesssage') more.push(value.callOutcome?.toLowerCase().replaceAll('_', ' '))
  more.push(value && fact(value))
  return el('div', { class: 'kind' }, el('p', {}, el('span', { 'aria-hidden': 'true' }, found[0] + ' '), found[1]),
    more.filter(Boolean).map(line => el('p', { class: 'fact', dir: 'auto' }, line)))
}

// fileButton fetches the file when it is asked for. It comes from an address of its own, which is good for a while.
function fileButton(m) {
  return button(t('openFile'), () => run(async () => {
    const { code, results } = await call('getMedia', { phone: m.chatId, id: m.id })
    if (code === 202) return say(t('fileComes'))
    const file = link(new URL(results.url, document.baseURI).href)
    file.download = results.fileName
    file.click()
  }), { class: 'plain' })
}

// words is the text, with its links and with the names of those it mentions; a very long one in parts.
function words(m, kind, value) {
  let body = m.body || (kind === 'templateMessage' || kind === 'listMessage' || kind === 'buttonsMessage' ? text(kind, value) : '')
  const template = value?.hydratedTemplate ?? value?.hydratedFourRowTemplate
  for (const more of [template?.hydratedContentText, template?.hydratedFooterText, kind === 'listMessage' && value.description, value?.footerText]) {
    if (more && more !== body && typeof more === 'string') body += '\n' + more
  }
  if (!body) return undefined
  const node = el('p', { class: 'words', dir: 'auto' })
  const show = (from, to) => node.append(...linked(body.slice(from, to), m.mentionedJidList))
  show(0, shown)
  if (body.length <= shown) return node
  let from = shown
  const more = el('button', {
    type: 'button', class: 'plain more',
    onclick() {
      show(from, from += 20 * shown)
      if (from >= body.length) more.remove()
    },
  }, t('readMore'))
  return [node, more]
}

function linked(body, mentioned = []) {
  const people = new Map(mentioned.map(jid => ['@' + user(jid), jid]))
  const parts = []
  let end = 0
  for (const found of body.matchAll(/https?:\/\/[^\s<>"]+|@\d{5,20}/g)) {
    const [piece] = found
    const jid = people.get(piece)
    if (piece[0] === '@' && !jid) continue
    parts.push(body.slice(end, found.index), jid ? el('strong', {}, '@', el('bdi', {}, model.name(jid))) : link(piece))
    end = found.index + piece.length
  }
  parts.push(body.slice(end))
  return parts
}

function quote(quoted, context) {
  const { kind, value } = unwrap(quoted)
  const [sign, word] = label(kind, value) ?? []
  return el('blockquote', {}, context?.participant && el('p', { class: 'sender' }, el('bdi', {}, model.mine(context.participant) ? t('you') : model.name(context.participant))),
    el('p', { class: 'words', dir: 'auto' }, (sign ? sign + ' ' : '') + (text(kind, value).slice(0, 300) || word || t('somethingElse'))))
}

function poll(results) {
  const most = Math.max(1, ...results.map(r => r.voters.length))
  return el('ul', { class: 'poll' }, results.map(r => el('li', {}, el('span', { dir: 'auto' }, r.name), el('span', { class: 'fact' }, t('nVotes', { n: r.voters.length })),
    el('meter', { min: '0', max: String(most), value: r.voters.length, 'aria-label': r.name, title: r.voters.map(jid => model.name(jid)).join(', ') }))))
}

function album(part) {
  const { kind, value } = unwrap(part.message)
  return el('div', { class: 'part' }, picture(value), head(kind, value), part.body && el('p', { class: 'words', dir: 'auto' }, linked(part.body)))
}

// choices are what a message of a business offers; they are answered on the phone.
function choices(value) {
  const template = value.hydratedTemplate ?? value.hydratedFourRowTemplate
  const offers = [
    ...(value.buttons ?? []).map(b => b.buttonText?.displayText),
    ...(value.sections ?? []).flatMap(s => (s.rows ?? []).map(r => r.title)),
    ...(template?.hydratedButtons ?? []).map(b => (b.urlButton ? link(b.urlButton.url, b.urlButton.displayText) : b.quickReplyButton?.displayText ?? b.callButton?.displayText)),
  ].filter(Boolean)
  return offers.length > 0 && el('ul', { class: 'offers' }, offers.map(offer => el('li', { dir: 'auto' }, offer)))
}

function reactions(m) {
  if (!m.reactions?.length) return []
  const who = r => (r.key.fromMe ? t('you') : model.name(r.key.participant ?? r.key.remoteJid))
  return [el('ul', { class: 'reactions' }, m.reactions.map(r => el('li', { title: who(r) }, el('span', { 'aria-hidden': 'true' }, r.text),
    el('span', { class: 'sr' }, t('reactionBy', { text: r.text, name: who(r) })))))]
}
