// What a message of WhatsApp's says, in a few words and in parts.
import { known, size, span, t } from './words.js'

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
  callLogMesssage: ['📞', 'call'], call: ['📞', 'call'], scheduledCallCreationMessage: ['📞', 'call'], bcallMessage: ['📞', 'call'],
  groupInviteMessage: ['✉️', 'invitation'], newsletterAdminInviteMessage: ['✉️', 'invitation'],
  newsletterFollowerInviteMessageV2: ['✉️', 'invitation'], productMessage: ['🛍️', 'product'], orderMessage: ['🛒', 'order'],
  invoiceMessage: ['💳', 'payment'], sendPaymentMessage: ['💳', 'payment'], requestPaymentMessage: ['💳', 'payment'],
  paymentInviteMessage: ['💳', 'payment'], declinePaymentRequestMessage: ['💳', 'payment'], cancelPaymentRequestMessage: ['💳', 'payment'],
  albumMessage: ['🖼️', 'album'],
}

// label is the picture and the word for a content; undefined for what is a text.
export function label(kind, value) {
  if (kind.startsWith('pollCreation') || kind.startsWith('pollResult')) return ['📊', t('poll')]
  if (kind === 'audioMessage' && value?.ptt) return ['🎤', t('voice')]
  if (kind === 'videoMessage' && value?.gifPlayback) return ['🎥', t('gif')]
  if (kind === 'callLogMesssage' && value?.isVideo) return ['📹', t('callVideo')]
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

// notice says what happened; by and name turn an address into a name.
export function notice(type, parameters, by, name) {
  if (type === 'REVOKE') return t('revoked')
  if (type === 'CHANGE_EPHEMERAL_SETTING') {
    return t(type, { by, what: Number(parameters[0]) > 0 ? span(Number(parameters[0])) : t('off') })
  }
  const what = parameters.map(p => (/@/.test(p) ? name(p) : p)).join(', ')
  return known(type) ? t(type, { by, what: what || by }) : type.toLowerCase().replaceAll('_', ' ') + (what && ': ' + what)
}

// mentioned puts names in the place of the numbers that a text mentions.
const mentioned = (words, name, value) => (value?.contextInfo?.mentionedJid ?? []).reduce((all, jid) => all.replace('@' + jid.split('@')[0], '@' + name(jid)), words)

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
  if (wrappers.some(w => w.startsWith('viewOnce'))) return t('viewOnce')
  const [picture, word] = label(kind, value) ?? []
  const words = mentioned(text(kind, value).slice(0, 200).replace(/\s+/g, ' '), name, value)
  return picture ? picture + ' ' + (words || word) : words || t('somethingElse')
}

// fact is what is known of a file: how long, how big.
export const fact = value => [value.seconds && span(value.seconds), value.pageCount > 1 && value.pageCount + ' p.', value.fileLength && size(Number(value.fileLength))]
  .filter(Boolean).join(' · ')
