// What a message of WhatsApp's says, in a few words and in parts.
import { known, lasts, plain, size, span, t } from './words.js'

// user is the part of an address before its server.
export const user = jid => String(jid ?? '').split('@')[0].split(':')[0]

// What stands beside the content of a message.
const beside = new Set(['messageContextInfo', 'senderKeyDistributionMessage', 'fastRatchetKeySenderKeyDistributionMessage'])

// unwrap finds the content of a message within all that is wrapped around it.
export function unwrap(message) {
  let wrappers = []
  for (let depth = 0; message && depth < 20; depth++) {
    const kind = Object.keys(message).find(name => !beside.has(name))
    if (!kind) break
    const value = message[kind]
    const inner = value?.message ?? (kind === 'protocolMessage' ? value?.editedMessage : undefined)
    if (!inner || kind === 'commentMessage') return { kind, value, wrappers }
    wrappers.push(kind)
    message = inner
  }
  return { kind: '', value: undefined, wrappers }
}

// labels say of a kind what it is: a picture and a word.
const labels = {
  imageMessage: ['📷', 'photo'], videoMessage: ['🎥', 'video'], ptvMessage: ['🎥', 'videoNote'], audioMessage: ['🎵', 'audio'],
  documentMessage: ['📄', 'document'], stickerMessage: ['🏷️', 'sticker'], stickerPackMessage: ['🏷️', 'stickers'],
  lottieStickerMessage: ['🏷️', 'sticker'], locationMessage: ['📍', 'location'], liveLocationMessage: ['📍', 'live'],
  contactMessage: ['👤', 'contact'], contactsArrayMessage: ['👥', 'contacts'], eventMessage: ['📅', 'event'], eventInviteMessage: ['📅', 'event'],
  call: ['📞', 'call'], scheduledCallCreationMessage: ['📞', 'call'], bcallMessage: ['📞', 'call'],
  groupInviteMessage: ['✉️', 'invitation'], newsletterAdminInviteMessage: ['✉️', 'invitation'],
  newsletterFollowerInviteMessageV2: ['✉️', 'invitation'], productMessage: ['🛍️', 'product'], orderMessage: ['🛒', 'order'],
  invoiceMessage: ['💳', 'payment'], sendPaymentMessage: ['💳', 'payment'], requestPaymentMessage: ['💳', 'payment'],
  paymentInviteMessage: ['💳', 'payment'], declinePaymentRequestMessage: ['💳', 'payment'], cancelPaymentRequestMessage: ['💳', 'payment'],
  albumMessage: ['🖼️', 'album'],
}

export const viewedOnce = (value, wrappers) => value?.viewOnce === true || wrappers.some(w => w.startsWith('viewOnce'))

// label is the picture and the word for a content; undefined for what is a text.
export function label(kind, value) {
  if (kind.startsWith('pollCreation') || kind.startsWith('pollResult')) return ['📊', t('poll')]
  if (kind === 'audioMessage' && value?.ptt) return ['🎤', t('voice')]
  if (kind === 'videoMessage' && value?.gifPlayback) return ['🎥', t('gif')]
  if (kind === 'callLogMesssage') return [value?.isVideo ? '📹' : '📞', t(value?.callOutcome === 'MISSED' ? (value.isVideo ? 'CALL_MISSED_VIDEO' : 'CALL_MISSED_VOICE') : value?.isVideo ? 'callVideo' : 'call')]
  const found = labels[kind]
  return found && [found[0], t(found[1])]
}

// text is what a person would read of a content.
export function text(kind, value) {
  if (kind === 'conversation') return String(value)
  if (!value) return ''
  const template = value.hydratedTemplate ?? value.hydratedFourRowTemplate ?? value.hydratedHsm?.hydratedTemplate
  return String(value.text ?? value.caption ?? value.name ?? template?.hydratedTitleText ?? template?.hydratedContentText ??
    value.selectedDisplayText ?? value.displayName ?? value.title ?? value.contentText ?? value.description ?? value.fileName ??
    value.body?.text ?? value.address ?? value.groupName ?? '')
}

// hidden says why a message doesn't show what it says: it couldn't be decrypted yet, is shown once and on the phone only, or is of a
// kind that is newer than the server. undefined for any other.
export function hidden(type, parameters = []) {
  if (type === 'CIPHERTEXT') return parameters.includes('view_once_unavailable_fanout') ? ['①', t('viewOncePhone')] : ['⏳', t('waitingFor')]
  if (type === 'FUTUREPROOF') return ['📱', t('newerKind')]
  return undefined
}

const missed = { CALL_MISSED_VOICE: '📞', CALL_MISSED_VIDEO: '📹', CALL_MISSED_GROUP_VOICE: '📞', CALL_MISSED_GROUP_VIDEO: '📹' }

// notice says what happened; by and name turn an address into a name.
export function notice(type, parameters, by, name) {
  if (type === 'REVOKE') return t('revoked')
  const why = hidden(type, parameters)
  if (why) return why.join(' ')
  if (type === 'CHANGE_EPHEMERAL_SETTING') {
    return t(type, { by, what: Number(parameters[0]) > 0 ? span(Number(parameters[0])) : t('off') })
  }
  const what = parameters.map(p => (/^[\d.:_-]+@[a-z.]+$/.test(p) ? name(p) : p)).join(', ')
  if (!known(type)) return t('somethingHappened') + (what && `: ${what}`)
  return (missed[type] ? missed[type] + ' ' : '') + t(type, { by, what: what || by })
}

// mentions finds whom the numbers behind an @ in a text mean. A number may be of an address that isn't named: then it is the one
// in its place among those that are left.
export function mentions(words, jids = []) {
  const means = new Map(jids.map(jid => [user(jid), jid]))
  const numbers = [...new Set([...words.matchAll(/@(\d{5,20})/g)].map(([, number]) => number))]
  const open = numbers.filter(number => !means.has(number))
  const left = jids.filter(jid => !numbers.includes(user(jid)))
  if (open.length === left.length) open.forEach((number, i) => means.set(number, left[i]))
  return means
}

function mentioned(words, name, value) {
  const means = mentions(words, value?.contextInfo?.mentionedJid)
  return words.replace(/@(\d{5,20})/g, (token, number) => (means.has(number) ? '@' + name(means.get(number)) : token))
}

// preview is the one line of a chat's newest message, in a group with who says it.
export function preview(info, name) {
  const line = said(info, name)
  const by = info?.key?.remoteJid?.endsWith('@g.us') && !info.messageStubType && line && (info.key.fromMe ? t('you') : info.key.participant && name(info.key.participant, info.pushName))
  return by ? by + ': ' + line : line
}

function said(info, name) {
  if (!info) return ''
  if (info.messageStubType) return notice(info.messageStubType, info.messageStubParameters ?? [], name(info.key?.participant ?? info.key?.remoteJid), name)
  const { kind, value, wrappers } = unwrap(info.message)
  if (kind === 'reactionMessage') return t('reacted', { text: value.text ?? '' })
  if (kind === 'pollUpdateMessage') return t('voted')
  if (kind === 'commentMessage') return t('commented')
  if (!kind) return ''
  if (viewedOnce(value, wrappers)) return '① ' + t('viewOnce')
  const [picture, word] = label(kind, value) ?? []
  const words = mentioned(plain(text(kind, value)).slice(0, 200).replace(/\s+/g, ' '), name, value)
  return picture ? picture + ' ' + (words || word) : words || t('somethingElse')
}

// fact is what is known of a file: how long, how big.
export const fact = value => [value.seconds > 0 && lasts(value.seconds), value.pageCount > 1 && t('nPages', { n: value.pageCount }), value.fileLength && size(Number(value.fileLength))]
  .filter(Boolean).join(' · ')
