// A message as a person reads it, and what can be done with one.
import { call, pause } from './api.js'
import { line } from './curl.js'
import { button, complain, dialog, el, link, run, say, sign } from './dom.js'
import { fact, hidden, label, mentions, notice, text, unwrap, viewedOnce } from './content.js'
import { model } from './model.js'
import { clock, known, lasts, moment, plain, t } from './words.js'

const shown = 3000 // characters of a text before the rest is asked for

// messageNode makes a message's element; changed is called when something was done to it.
export function messageNode(m, changed) {
  if (m.pushName && !m.fromMe) model.learn(m.sender, m.pushName)
  const parameters = m.messageStubParameters ?? []
  const why = hidden(m.messageStubType, parameters)
  if (m.messageStubType && m.messageStubType !== 'REVOKE' && !why) {
    return el('p', { class: 'notice', dir: 'auto', 'data-id': m.id }, notice(m.messageStubType, parameters, name(m), model.name), ' ', time(m))
  }
  const { kind, value, wrappers } = unwrap(m.message)
  const node = el('article', { class: m.fromMe ? 'message mine' : 'message', 'data-id': m.id })
  if (m.isGroupMsg && !m.fromMe) node.append(el('p', { class: 'sender' }, el('bdi', {}, name(m))))
  else node.append(el('p', { class: 'sr' }, el('bdi', {}, m.fromMe ? t('you') : name(m))))
  if (m.messageStubType === 'REVOKE') node.append(el('p', { class: 'gone' }, '🚫 ' + t('revoked')))
  else if (why) node.append(el('p', { class: 'gone' }, el('span', { 'aria-hidden': 'true' }, why[0] + ' '), why[1]))
  else node.append(...content(m, kind, value, wrappers))
  const foot = el('p', { class: 'foot' }, m.starred && sign('★', t('starred')), m.isEphemeralMessage && sign('⏱', t('ephemeral')), m.edited && el('span', {}, t('edited')), time(m), status(m),
    button('⋯', () => about(m, changed), { class: 'plain about', 'data-act': 'about ' + m.id, 'aria-label': t('aboutMessage', { time: clock(Number(m.timestamp) * 1000) }) }))
  node.append(...reactions(m), foot)
  return node
}

// about shows what is known of a message, and what can be done with it.
function about(m, changed) {
  const params = { phone: m.chatId, id: m.id }
  const act = name => el('div', { class: 'acts' }, button(t(name), () => run(async () => {
    const answer = await call(name + 'Message', params)
    box.close()
    say(t(answer.code === 202 ? 'goesOnMessage' : name + 'red'))
    changed(m.id)
  }), { 'data-act': name }), line(name + 'Message', t(name), params))
  const seen = (m.userReceipt ?? []).map(r => [r.userJid, Number(r.readTimestamp) || Number(r.playedTimestamp) || 0, Number(r.receiptTimestamp) || 0])
  const facts = [
    [t('from'), m.fromMe ? t('you') : name(m)], [t('time'), moment(Number(m.timestamp) * 1000)], m.edited && [t('edited'), t('yes')],
    m.fromMe && m.status && known(m.status) && [t('state'), t(m.status)],
    ...(m.fromMe ? seen.map(([jid, read, got]) => [model.name(jid), read ? `${t('READ')} ${moment(read * 1000)}` : got ? `${t('DELIVERY_ACK')} ${moment(got * 1000)}` : t('SERVER_ACK')]) : []),
  ].filter(Boolean)
  const poll = (m.pollResults ?? []).length > 0
  const box = dialog(t('message'), () => [
    el('dl', {}, facts.map(([name, value]) => [el('dt', {}, el('bdi', {}, name)), el('dd', {}, el('bdi', {}, value))])),
    m.messageStubType ? '' : act(m.starred ? 'unstar' : 'star'),
    m.isMedia && el('div', { class: 'acts' }, fileButton(m), line('getMedia', t('openFile'), params)),
    ...(m.associatedMessages ?? []).filter(part => unwrap(part.message).value?.fileLength).map((part, i) =>
      el('div', { class: 'acts' }, partButton(m, part, i), line('getMedia', `${t('openFile')} ${i + 1}`, { phone: m.chatId, id: part.id }))),
    el('div', { class: 'acts' }, el('span', {}, t('asJSON')), line('getMessage', t('message'), params)),
    poll && el('div', { class: 'acts' }, el('span', {}, t('pollVotes')), line('getPoll', t('poll'), params)),
  ].filter(Boolean))
}

const name = m => (m.fromMe ? t('you') : model.name(m.sender, m.pushName))

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
    viewedOnce(value, wrappers) && el('p', { class: 'fact' }, '① ' + t('viewOnce')),
    picture(value), head(kind, value),
    m.isMedia && fileButton(m),
    inside(m),
    words(m, kind, value),
    m.pollResults && poll(m.pollResults),
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

// outcomes of a call, but for those that its name tells.
const outcomes = {
  CONNECTED: 'callTaken', ACCEPTED_ELSEWHERE: 'callElsewhere', REJECTED: 'callRejected', FAILED: 'callFailed', ONGOING: 'callOngoing',
  SILENCED_BY_DND: 'callSilenced', SILENCED_UNKNOWN_CALLER: 'callSilenced',
}

// head says what kind of thing it is, and what is known of it.
function head(kind, value) {
  const found = label(kind, value)
  const preview = kind === 'extendedTextMessage' && value.title && el('p', { class: 'card', dir: 'auto' },
    el('strong', {}, value.title), value.description && el('br'), value.description)
  if (!found) return preview
  const more = []
  if (kind === 'documentMessage') more.push(plain(value.fileName ?? value.title))
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
  if (kind === 'callLogMesssage') more.push(outcomes[value.callOutcome] && t(outcomes[value.callOutcome]), Number(value.durationSecs) > 0 && lasts(Number(value.durationSecs)))
  more.push(value && fact(value))
  return el('div', { class: 'kind' }, el('p', {}, el('span', { 'aria-hidden': 'true' }, found[0] + ' '), found[1]),
    more.filter(Boolean).map(line => el('p', { class: 'fact', dir: 'auto' }, line)))
}

const attempts = 15 // until a file has come

// fileButton fetches the file when it is asked for. It comes from an address of its own, which is good for a while.
function fileButton(m, words = t('openFile')) {
  const node = button(words, async () => {
    if (node.disabled) return
    node.disabled = true
    node.textContent = t('fileComes')
    try {
      for (let i = 0; ; i++) {
        const { code, results } = await call('getMedia', { phone: m.chatId, id: m.id })
        if (code === 202 && i < attempts) {
          await pause(2000)
          continue
        }
        if (code === 202) throw new Error(t('fileLate'))
        const file = link(new URL(results.url, document.baseURI).href)
        file.download = results.fileName
        file.click()
        say(t('fileGoes', { name: results.fileName }))
        break
      }
    } catch (error) {
      complain(error)
    }
    node.disabled = false
    node.textContent = words
    if (document.activeElement === document.body) node.focus()
  }, { class: 'file' })
  return node
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
  const people = mentions(body, m.mentionedJidList)
  const show = (from, to) => node.append(...linked(body.slice(from, to), people))
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

function linked(body, people = new Map()) {
  const parts = []
  let end = 0
  for (const found of body.matchAll(/https?:\/\/[^\s<>"]+|@\d{5,20}/g)) {
    const [piece] = found
    const jid = piece[0] === '@' && people.get(piece.slice(1))
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
    el('p', { class: 'words', dir: 'auto' }, (sign ? sign + ' ' : '') + (plain(text(kind, value)).slice(0, 300) || word || t('somethingElse'))))
}

function poll(results) {
  const most = Math.max(1, ...results.map(r => r.voters.length))
  return el('ul', { class: 'poll' }, results.map(r => el('li', {}, el('span', { dir: 'auto' }, r.name), el('span', { class: 'fact' }, t('nVotes', { n: r.voters.length })),
    el('meter', { min: '0', max: String(most), value: r.voters.length, 'aria-label': r.name, title: r.voters.map(jid => model.name(jid)).join(', ') }))))
}

// inside has the messages that show inside of one, as the pictures of an album do.
function inside(m) {
  return (m.associatedMessages ?? []).map((part, i) => {
    const { kind, value } = unwrap(part.message)
    return el('div', { class: 'part' }, picture(value), head(kind, value), value?.fileLength && partButton(m, part, i),
      part.body && el('p', { class: 'words', dir: 'auto' }, linked(part.body)))
  })
}

const partButton = (m, part, i) => fileButton({ chatId: m.chatId, id: part.id }, `${t('openFile')} ${i + 1}`)

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
