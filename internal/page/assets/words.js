// What the page says: each text in Indonesian and in English. {name} is put in; an English text with | has a form for one and a form
// for more.
const words = {
  // general
  title: ['Pesan', 'Pesan'],
  close: ['Tutup', 'Close'],
  cancel: ['Batal', 'Cancel'],
  copy: ['Salin', 'Copy'],
  copied: ['Tersalin', 'Copied'],
  done: ['Selesai', 'Done'],
  more: ['Lainnya', 'More'],
  loading: ['Memuat …', 'Loading …'],
  refresh: ['Muat ulang', 'Refresh'],
  skip: ['Langsung ke isi', 'Skip to content'],
  language: ['English', 'Indonesia'],
  offline: ['Server tidak terjangkau. Periksa koneksi Anda.', "The server can't be reached. Check your connection."],
  badAnswer: ['Server menjawab {n}.', 'The server answers {n}.'],
  curlTitle: ['Untuk pengembang', 'For developers'],
  curlHint: ['Baris ini melakukan hal yang sama dari terminal. Yang disalin memuat kunci API: jangan dibagikan.',
    "This line does the same from a terminal. What is copied has the API key in it: don't share it."],
  curlFor: ['curl: {what}', 'curl: {what}'],
  apiDocs: ['Dokumentasi API', 'API reference'],
  you: ['Anda', 'You'],
  signOut: ['Keluar', 'Sign out'],

  // signing in
  signIn: ['Buka kotak masuk', 'Open an inbox'],
  signInText: ['Masukkan kunci API perangkat. Kunci disimpan di tab ini saja.', "Enter the device's API key. It stays in this tab only."],
  apiKey: ['Kunci API', 'API key'],
  stay: ['Tetap masuk di peramban ini', 'Stay signed in on this browser'],
  open: ['Buka', 'Open'],
  noKey: ['Belum punya kunci? Kelola perangkat dengan rahasia sistem.', 'No key yet? Manage devices with the system secret.'],
  otherKey: ['Tautan ini membuka perangkat lain. Lanjutkan?', 'This link opens another device. Go on?'],
  otherKeyText: ['Anda sedang memakai kunci lain. Lanjutkan hanya jika Anda sendiri yang membuka tautan ini.',
    'Another key is in use here. Go on only if it was you who opened this link.'],
  goOn: ['Lanjutkan', 'Go on'],

  // navigation
  navigation: ['Halaman', 'Pages'],
  chats: ['Chat', 'Chats'],
  linking: ['Tautan', 'Link'],
  devices: ['Perangkat', 'Devices'],
  log: ['Laporan', 'Log'],
  settings: ['Pengaturan', 'Settings'],
  batches: ['Massal', 'Batches'],

  // state of the link
  CONNECTED: ['Terhubung', 'Connected'],
  SERVICE_SCAN: ['Menunggu dipindai', 'Waiting to be scanned'],
  SERVICE_OFF: ['Mati', 'Off'],
  PAIRING: ['Menghubungkan', 'Connecting'],
  LOGGED_OUT: ['Tautan telah diakhiri, di ponsel atau di sini. Mulai lagi untuk menautkan kembali.',
    'The link was ended, on the phone or here. Start again to link anew.'],
  LOCKED: ['WhatsApp mengunci akun ini, atau ponsel pindah ke nomor lain.', 'WhatsApp locked the account, or the phone moved to another number.'],
  BANNED: ['WhatsApp memblokir akun ini.', 'WhatsApp banned the account.'],
  REPLACED: ['Program lain memakai kunci perangkat yang sama. Mulai lagi untuk menghubungkan kembali.',
    'Another program uses the same device keys. Start again to reconnect.'],
  CLIENT_OUTDATED: ['WhatsApp menuntut versi program yang lebih baru; dicoba lagi dengan sendirinya.',
    'WhatsApp wants a newer version of this program; it is tried again by itself.'],
  QR_TIMEOUT: ['Kode tidak dipindai. Mulai lagi untuk mendapat kode baru.', 'Nobody scanned the code. Start again for new ones.'],
  PAIRING_FAILED: ['Jawaban ponsel salah. Mulai lagi.', "The phone's answer was wrong. Start again."],
  PASSKEY_REQUIRED: ['WhatsApp meminta passkey akun Anda.', "WhatsApp asks for your account's passkey."],
  PASSKEY_COMPARE: ['Bandingkan kode di sini dengan kode di ponsel.', 'Compare the code here with the one on the phone.'],
  CONNECT_REFUSED: ['WhatsApp menolak koneksi; dicoba lagi dengan sendirinya.', 'WhatsApp refuses the connection; it is tried again by itself.'],
  RECONNECTING: ['Koneksi terputus; sedang disambung kembali.', 'The connection was lost; it is being restored.'],
  STORAGE_FAILING: ['Data tidak dapat ditulis di server, jadi tidak ada yang diambil dari WhatsApp. Periksa disk; akan berlanjut sendiri.',
    "Data can't be written on the server, so nothing is taken from WhatsApp. Look at the disk; it goes on by itself."],
  OTHER_NUMBER: ['Data dari nomor yang ditautkan sebelumnya sedang dihapus.', 'What came from the number that was linked before is being deleted.'],

  // linking
  linkTitle: ['Tautan ke WhatsApp', 'Link to WhatsApp'],
  start: ['Mulai', 'Start'],
  stop: ['Matikan', 'Turn off'],
  started: ['Dimulai', 'Started'],
  stopped: ['Dimatikan', 'Turned off'],
  unlink: ['Putuskan tautan', 'Unlink'],
  unlinkText: ['Perangkat ini dihapus dari Perangkat tertaut di ponsel. Chat yang tersimpan tetap dapat dibaca. Untuk menautkan lagi, kode harus dipindai lagi.',
    "This device is removed from the phone's Linked devices. Stored chats stay readable. To link again, a code must be scanned again."],
  unlinked: ['Tautan diputus', 'Unlinked'],
  scan: ['Pindai dengan ponsel: WhatsApp › Perangkat tertaut › Tautkan perangkat', 'Scan with the phone: WhatsApp › Linked devices › Link a device'],
  qr: ['Kode QR untuk dipindai dengan WhatsApp', 'QR code to scan with WhatsApp'],
  renews: ['Kode berganti sendiri dalam {n} detik.', 'The code renews itself in {n} second.|The code renews itself in {n} seconds.'],
  codeComes: ['Kode sedang dibuat …', 'The code is being made …'],
  pairByNumber: ['Tanpa kamera', 'Without a camera'],
  ownNumber: ['Nomor ponsel', "The phone's number"],
  getCode: ['Minta kode', 'Get a code'],
  typeCode: ['Ketik di ponsel: Perangkat tertaut › Tautkan dengan nomor telepon', 'Type it on the phone: Linked devices › Link with phone number'],
  pairingCode: ['Kode', 'Code'],
  passkeyHow: ['Jawab dengan ekstensi peramban di folder extras/passkey-extension, sebelum {time}. docs/passkey.md menjelaskan caranya.',
    'Answer it with the browser extension in the folder extras/passkey-extension, before {time}. docs/passkey.md says how.'],
  sameCode: ['Kodenya sama', 'The codes are the same'],
  history: ['Riwayat: {percent} %, {chats} chat, {messages} pesan', 'History: {percent} %, {chats} chats, {messages} messages'],
  device: ['Perangkat', 'Device'],
  number: ['Nomor', 'Number'],
  profile: ['Nama profil', 'Profile name'],
  service: ['Layanan', 'Service'],
  on: ['Nyala', 'On'],
  newest: ['Terbaru dari WhatsApp', 'Newest from WhatsApp'],
  never: ['Belum ada', 'Nothing yet'],

  // list of chats
  search: ['Cari nama, nomor, atau pesan', 'Search name, number or message'],
  filter: ['Tampilkan', 'Show'],
  all: ['Semua', 'All'],
  unreadOnes: ['Belum dibaca', 'Unread'],
  private: ['Pribadi', 'People'],
  groups: ['Grup', 'Groups'],
  channels: ['Saluran', 'Channels'],
  mutedOnes: ['Dibisukan', 'Muted'],
  pinnedOnes: ['Disematkan', 'Pinned'],
  archivedOnes: ['Diarsipkan', 'Archived'],
  label: ['Label', 'Label'],
  anyLabel: ['Semua label', 'Any label'],
  noChats: ['Tidak ada chat di sini.', 'No chats here.'],
  notLinked: ['Belum ada chat: tautkan ponsel dahulu.', 'No chats yet: link a phone first.'],
  nChats: ['{n} chat', '{n} chat|{n} chats'],
  listHelp: ['Panah memilih, Enter membuka, Spasi menandai.', 'Arrows move, Enter opens, Space marks.'],
  muted: ['Dibisukan', 'Muted'],
  pinned: ['Disematkan', 'Pinned'],
  archived: ['Diarsipkan', 'Archived'],
  group: ['Grup', 'Group'],
  channel: ['Saluran', 'Channel'],
  broadcast: ['Siaran', 'Broadcast'],
  nUnread: ['{n} belum dibaca', '{n} unread'],
  markedUnread: ['Ditandai belum dibaca', 'Marked as unread'],
  yesterday: ['Kemarin', 'Yesterday'],
  mark: ['Tandai', 'Mark'],
  nMarked: ['{n} ditandai', '{n} marked'],
  markAll: ['Tandai semua', 'Mark all'],
  marking: ['Tindakan untuk chat yang ditandai', 'Actions for the marked chats'],

  // conversation
  back: ['Kembali', 'Back'],
  conversation: ['Percakapan dengan {name}', 'Conversation with {name}'],
  pick: ['Pilih sebuah chat untuk membacanya.', 'Pick a chat to read it.'],
  noMessages: ['Tidak ada pesan yang tersimpan.', 'No messages are stored.'],
  beginning: ['Awal dari yang tersimpan', 'The beginning of what is stored'],
  askPhone: ['Minta yang lebih lama dari ponsel', 'Ask the phone for older ones'],
  asked: ['Ponsel diminta mengirim pesan yang lebih lama.', 'The phone was asked for older messages.'],
  nMembers: ['{n} anggota', '{n} member|{n} members'],
  mutedUntil: ['dibisukan sampai {time}', 'muted until {time}'],
  mutedForever: ['dibisukan sampai dibuka', 'muted until it is unmuted'],
  openFile: ['Buka file', 'Open the file'],
  fileComes: ['File sedang diambil dari WhatsApp; coba lagi sebentar lagi.', 'The file is being fetched from WhatsApp; try again in a moment.'],
  readMore: ['Selengkapnya', 'Read more'],
  starred: ['Berbintang', 'Starred'],
  forwarded: ['Diteruskan', 'Forwarded'],
  ephemeral: ['Pesan sementara', 'Disappearing message'],
  PENDING: ['Menunggu', 'Pending'],
  ERROR: ['Gagal', 'Failed'],
  SERVER_ACK: ['Terkirim', 'Sent'],
  DELIVERY_ACK: ['Sampai', 'Delivered'],
  READ: ['Dibaca', 'Read'],
  PLAYED: ['Diputar', 'Played'],
  revoked: ['Pesan ini dihapus', 'This message was deleted'],
  replies: ['{n} balasan', '{n} reply|{n} replies'],
  reactionBy: ['{text} dari {name}', '{text} by {name}'],
  reacted: ['Bereaksi {text}', 'Reacted {text}'],
  voted: ['Memberi suara', 'Voted'],
  commented: ['Berkomentar', 'Commented'],
  nVotes: ['{n} suara', '{n} vote|{n} votes'],
  photo: ['Foto', 'Photo'],
  video: ['Video', 'Video'],
  videoNote: ['Pesan video', 'Video message'],
  gif: ['GIF', 'GIF'],
  audio: ['Audio', 'Audio'],
  voice: ['Pesan suara', 'Voice message'],
  document: ['Dokumen', 'Document'],
  sticker: ['Stiker', 'Sticker'],
  stickers: ['Paket stiker', 'Sticker pack'],
  location: ['Lokasi', 'Location'],
  live: ['Lokasi terkini', 'Live location'],
  contact: ['Kontak', 'Contact'],
  contacts: ['Kontak', 'Contacts'],
  poll: ['Polling', 'Poll'],
  event: ['Acara', 'Event'],
  cancelled: ['Dibatalkan', 'Cancelled'],
  call: ['Panggilan', 'Call'],
  callVideo: ['Panggilan video', 'Video call'],
  callMissed: ['Panggilan tak terjawab', 'Missed call'],
  invitation: ['Undangan', 'Invitation'],
  product: ['Produk', 'Product'],
  order: ['Pesanan', 'Order'],
  payment: ['Pembayaran', 'Payment'],
  album: ['Album', 'Album'],
  viewOnce: ['Sekali lihat', 'View once'],
  somethingElse: ['Jenis pesan lain', 'Another kind of message'],
  places: ['{place}', '{place}'],

  // notices
  E2E_ENCRYPTED: ['Pesan dienkripsi dari ujung ke ujung.', 'Messages are encrypted end to end.'],
  GROUP_CREATE: ['{by} membuat grup {what}', '{by} created the group {what}'],
  GROUP_PARTICIPANT_ADD: ['{by} menambahkan {what}', '{by} added {what}'],
  GROUP_PARTICIPANT_REMOVE: ['{by} mengeluarkan {what}', '{by} removed {what}'],
  GROUP_PARTICIPANT_LEAVE: ['{what} keluar', '{what} left'],
  GROUP_PARTICIPANT_INVITE: ['{what} bergabung lewat tautan undangan', '{what} joined by an invitation link'],
  GROUP_PARTICIPANT_PROMOTE: ['{what} menjadi admin', '{what} became an admin'],
  GROUP_PARTICIPANT_DEMOTE: ['{what} bukan admin lagi', '{what} is no longer an admin'],
  GROUP_CHANGE_SUBJECT: ['{by} mengubah nama grup menjadi {what}', "{by} changed the group's name to {what}"],
  GROUP_CHANGE_DESCRIPTION: ['{by} mengubah deskripsi grup: {what}', "{by} changed the group's description: {what}"],
  GROUP_CHANGE_ICON: ['{by} mengubah foto grup', "{by} changed the group's picture"],
  CHANGE_EPHEMERAL_SETTING: ['{by} mengatur pesan sementara: {what}', '{by} set disappearing messages: {what}'],
  BROADCAST_CREATE: ['Daftar siaran dibuat', 'The broadcast list was created'],
  CALL_MISSED_VOICE: ['Panggilan suara tak terjawab', 'Missed voice call'],
  CALL_MISSED_VIDEO: ['Panggilan video tak terjawab', 'Missed video call'],
  CALL_MISSED_GROUP_VOICE: ['Panggilan suara grup tak terjawab', 'Missed group voice call'],
  CALL_MISSED_GROUP_VIDEO: ['Panggilan video grup tak terjawab', 'Missed group video call'],
  INDIVIDUAL_CHANGE_NUMBER: ['{by} berganti nomor', '{by} changed their number'],
  off: ['mati', 'off'],

  // acting
  actions: ['Tindakan', 'Actions'],
  mute: ['Bisukan', 'Mute'],
  unmute: ['Bunyikan', 'Unmute'],
  pin: ['Sematkan', 'Pin'],
  unpin: ['Lepas sematan', 'Unpin'],
  archive: ['Arsipkan', 'Archive'],
  unarchive: ['Keluarkan dari arsip', 'Unarchive'],
  read: ['Tandai dibaca', 'Mark as read'],
  unread: ['Tandai belum dibaca', 'Mark as unread'],
  clear: ['Bersihkan chat', 'Clear chat'],
  remove: ['Hapus chat', 'Delete chat'],
  star: ['Beri bintang', 'Star'],
  unstar: ['Hapus bintang', 'Unstar'],
  muteFor: ['Bisukan {name}', 'Mute {name}'],
  howLong: ['Berapa lama?', 'For how long?'],
  eightHours: ['8 jam', '8 hours'],
  oneWeek: ['1 minggu', '1 week'],
  always: ['Selalu', 'Always'],
  untilDate: ['Sampai tanggal', 'Until a date'],
  until: ['Sampai', 'Until'],
  pastDate: ['Pilih waktu yang akan datang, paling lama sepuluh tahun.', 'Pick a time in the future, ten years at most.'],
  clearFor: ['Bersihkan chat {name}?', 'Clear the chat {name}?'],
  clearText: ['Semua pesan di chat ini dihapus di ponsel Anda dan di semua perangkat tertaut. Lawan bicara tetap memiliki pesannya. Ini tidak dapat dibatalkan.',
    'All messages of this chat are deleted on your phone and on all linked devices. The other side keeps theirs. This cannot be undone.'],
  clearStarred: ['Hapus juga pesan berbintang', 'Delete starred messages too'],
  removeFor: ['Hapus chat {name}?', 'Delete the chat {name}?'],
  removeText: ['Chat dan semua pesannya, termasuk yang berbintang, dihapus di ponsel Anda dan di semua perangkat tertaut. Chat muncul lagi saat ada pesan baru. Ini tidak dapat dibatalkan.',
    'The chat and all its messages, starred ones too, are deleted on your phone and on all linked devices. It comes back with the next message. This cannot be undone.'],
  didIt: ['{what}: {name}', '{what}: {name}'],
  goesOn: ['{what}: {name}. WhatsApp belum menjawab; laporan mencatat hasilnya.', '{what}: {name}. WhatsApp has not answered yet; the log tells how it ends.'],

  disappear: ['Pesan sementara', 'Disappearing messages'],
  disappearText: ['Berlaku untuk pesan yang dikirim mulai sekarang, bagi semua orang di chat.', 'It concerns messages that are sent from now on, for everybody in the chat.'],
  oneDay: ['24 jam', '24 hours'],
  ninetyDays: ['90 hari', '90 days'],

  // batches
  batch: ['Tindakan massal', 'Batch'],
  noBatches: ['Belum ada. Tandai beberapa chat, atau pakai file.', 'There are none yet. Mark some chats, or take a file.'],
  operations: ['Operasi', 'Operations'],
  results: ['Hasil', 'Results'],
  line: ['Baris', 'Line'],
  chat: ['Chat', 'Chat'],
  reason: ['Alasan', 'Reason'],
  text: ['Teks', 'Text'],
  progress: ['Kemajuan', 'Progress'],
  progressOf: ['{n} dari {total}', '{n} of {total}'],
  nFailed: ['{n} gagal', '{n} failed'],
  nCancelled: ['{n} dibatalkan', '{n} cancelled'],
  cancelBatch: ['Batalkan sisanya', 'Cancel the rest'],
  retryBatch: ['Ulangi yang gagal', 'Retry what failed'],
  nothingToRetry: ['Tidak ada yang dapat diulangi.', 'There is nothing to retry.'],
  batch_queued: ['Menunggu giliran', 'Waiting its turn'],
  batch_running: ['Berjalan', 'Running'],
  batch_done: ['Selesai', 'Done'],
  batch_cancelled: ['Dibatalkan', 'Cancelled'],
  batch_failed: ['Terhenti', 'Stopped'],
  operation_pending: ['Menunggu', 'Pending'],
  operation_done: ['Berhasil', 'Succeeded'],
  operation_failed: ['Gagal', 'Failed'],
  operation_cancelled: ['Dibatalkan', 'Cancelled'],
  operation_overtaken: ['Digantikan perintah lain', 'Overtaken by another command'],
  fromFile: ['Dari file', 'From a file'],
  csvFile: ['File CSV', 'CSV file'],
  csvHint: ['Baris pertama: op,phone,second. Contoh: mute,6281234567890,28800', 'First line: op,phone,second. For example: mute,6281234567890,28800'],
  preview: ['Periksa', 'Check'],
  wouldDo: ['{n} operasi siap dilakukan.', '{n} operation is ready.|{n} operations are ready.'],
  nWrong: ['{n} baris salah dan dilewati.', '{n} line is wrong and left out.|{n} lines are wrong and left out.'],
  nReplaced: ['{n} baris diganti oleh baris di bawahnya.', '{n} line is replaced by a later one.|{n} lines are replaced by later ones.'],
  wrongLines: ['Baris yang salah', 'Wrong lines'],
  doIt: ['Lakukan {n} operasi', 'Carry out {n} operation|Carry out {n} operations'],

  // settings
  health: ['Kesehatan', 'Health'],
  server: ['Server', 'Server'],
  answersIn: ['menjawab dalam {n} ms', 'answers in {n} ms'],
  keys: ['Kunci API', 'API keys'],
  keysText: ['Kunci tambahan untuk program yang hanya membaca, atau tidak boleh lebih dari mengubah chat.',
    'Further keys are for programs that only read, or may do no more than change chats.'],
  addKey: ['Tambah kunci', 'Add a key'],
  scope: ['Boleh', 'May'],
  scope_read: ['membaca', 'read'],
  scope_commands: ['membaca dan mengubah chat', 'read, and change chats'],
  scope_admin: ['semuanya', 'do everything'],
  ends: ['Berakhir', 'Ends'],
  noEnd: ['Tidak berakhir', 'Never'],
  endHint: ['Kosong: tidak berakhir', 'Empty: never'],
  revoke: ['Cabut', 'Revoke'],
  revokeFor: ['Cabut kunci {name}?', 'Revoke the key {name}?'],
  revokeText: ['Kunci ini langsung tidak berlaku.', 'The key stops working at once.'],

  webhook: ['Webhook', 'Webhook'],
  noWebhook: ['Belum ada: peristiwa tidak dikirim ke mana pun.', 'There is none: events are sent nowhere.'],
  setWebhook: ['Pasang webhook', 'Set a webhook'],
  changeWebhook: ['Ubah', 'Change'],
  testWebhook: ['Kirim uji coba', 'Send a test'],
  testDelivered: ['Uji coba diterima ({what}).', 'The test was taken ({what}).'],
  testFailed: ['Uji coba gagal: {what}', 'The test failed: {what}'],
  webhook_ON: ['Menyala', 'On'],
  webhook_OFF: ['Dimatikan setelah terlalu lama gagal', 'Switched off after failing for too long'],
  webhook_FAILING: ['Gagal; dicoba lagi', 'Failing; tried again'],
  nextAttempt: ['berikutnya {time}', 'next at {time}'],
  deliveries: ['Kiriman terakhir', 'Last deliveries'],
  undelivered: ['Tidak terkirim', 'Not delivered'],
  allDelivered: ['Semuanya terkirim.', 'Everything was delivered.'],
  sendAgain: ['Kirim lagi', 'Send again'],
  sendAllAgain: ['Kirim semua lagi', 'Send all again'],
  nDelivered: ['{n} terkirim', '{n} delivered'],
  kind: ['Jenis', 'Kind'],
  events: ['Peristiwa', 'Events'],
  pickEvents: ['Pilih setidaknya satu peristiwa.', 'Pick at least one event.'],
  save: ['Simpan', 'Save'],
  signingSecret: ['Kunci tanda tangan', 'Signing secret'],
  signingText: ['Kiriman ditandatangani dengan kunci ini, menurut Standard Webhooks. Kunci hanya ditampilkan sekarang.', 'Deliveries are signed with it, by Standard Webhooks. It is shown only now.'],
  deleteWebhookText: ['Peristiwa tidak dikirim lagi, dan yang belum terkirim dihapus.', 'Events are sent no more, and those that were not delivered are deleted.'],
  usage: ['Pemakaian', 'Usage'],
  month: ['Bulan', 'Month'],
  day: ['Hari', 'Day'],
  chartOf: ['Grafik', 'Chart'],
  noUsage: ['Belum ada pemakaian di bulan ini.', 'Nothing was used in this month.'],
  used_calls: ['Panggilan', 'Calls'],
  used_failed: ['Panggilan gagal', 'Failed calls'],
  used_commands: ['Perintah', 'Commands'],
  used_operations: ['Operasi massal', 'Batch operations'],
  used_messages: ['Pesan', 'Messages'],
  used_deliveries: ['Kiriman webhook', 'Webhook deliveries'],

  // devices
  secret: ['Rahasia sistem', 'System secret'],
  secretText: ['Rahasia sistem membuka semua perangkat pemasangan ini. Rahasia disimpan di tab ini saja.',
    'The system secret opens all devices of this installation. It stays in this tab only.'],
  forgetSecret: ['Lupakan rahasia', 'Forget the secret'],
  noDevices: ['Belum ada perangkat.', 'There are no devices yet.'],
  addDevice: ['Tambah perangkat', 'Add a device'],
  name: ['Nama', 'Name'],
  state: ['Keadaan', 'State'],
  added: ['Ditambahkan', 'Added'],
  rename: ['Ganti nama', 'Rename'],
  newKey: ['Kunci baru', 'New key'],
  newKeyFor: ['Kunci baru untuk {name}?', 'A new key for {name}?'],
  newKeyText: ['Kunci yang lama langsung tidak berlaku: semua program yang memakainya harus mendapat kunci baru.',
    'The old key stops working at once: every program that uses it needs the new one.'],
  keyOnce: ['Simpanlah: kunci ini dapat diganti, tetapi tidak ditampilkan lagi.', 'Keep it: it can be replaced, but not shown again.'],
  useKey: ['Pakai di sini', 'Use it here'],
  delete: ['Hapus', 'Delete'],
  deleteFor: ['Hapus perangkat {name}?', 'Delete the device {name}?'],
  deleteText: ['Tautannya diputus, dan semua chat, pesan, dan laporannya dihapus di sini. Di ponsel tidak ada yang hilang. Ini tidak dapat dibatalkan.',
    'It is unlinked, and all its chats, messages and its log are deleted here. Nothing is lost on the phone. This cannot be undone.'],
  typeName: ['Ketik {name} untuk melanjutkan', 'Type {name} to go on'],
  otherName: ['Nama yang diketik tidak sama.', 'The name that was typed is another.'],

  // log
  searchLog: ['Cari di laporan', 'Search the log'],
  outcome: ['Hasil', 'Outcome'],
  succeeded: ['Berhasil', 'Succeeded'],
  failed: ['Gagal', 'Failed'],
  asCSV: ['Unduh CSV', 'Download CSV'],
  emptyLog: ['Kosongkan laporan', 'Empty the log'],
  emptyLogText: ['Semua catatan panggilan dengan kunci ini dihapus.', 'All entries of calls with this key are deleted.'],
  pendingToo: ['Juga yang masih berjalan', 'Also those that still go on'],
  nEntries: ['{n} catatan', '{n} entry|{n} entries'],
  noEntries: ['Tidak ada catatan.', 'There are no entries.'],
  time: ['Waktu', 'Time'],
  callName: ['Panggilan', 'Call'],
  about: ['Tentang', 'About'],
  answer: ['Jawaban', 'Answer'],
}

const stored = () => localStorage.getItem('pesan.language')
// Of the browser's languages the first that the page has; Indonesian is also called in.
let current = stored() ?? navigator.languages.map(l => l.slice(0, 2).toLowerCase()).map(l => (l === 'in' ? 'id' : l)).find(l => l === 'id' || l === 'en') ?? 'en'

export const language = () => current
export const locale = () => (current === 'id' ? 'id-ID' : navigator.languages.find(l => l.startsWith('en')) ?? 'en-GB')

export function setLanguage(next) {
  current = next
  localStorage.setItem('pesan.language', next)
}

export const known = name => name in words

// t is a text in the user's language. What is put in keeps its own direction of writing, and can't change that of the text.
export function t(name, values = {}) {
  const text = words[name][current === 'id' ? 0 : 1]
  const [one, other] = text.split('|')
  const form = other === undefined || values.n === 1 ? one : other
  return form.replace(/\{(\w+)\}/g, (_, part) => {
    const value = values[part]
    return typeof value === 'number' ? value.toLocaleString(locale()) : isolated(String(value ?? ''))
  })
}

const isolated = text => '\u2068' + text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '') + '\u2069'

const cached = new Map()
const format = options => {
  const name = locale() + JSON.stringify(options)
  if (!cached.has(name)) cached.set(name, new Intl.DateTimeFormat(locale(), options))
  return cached.get(name)
}

// Times are milliseconds since 1970.
export const clock = ms => format({ hour: '2-digit', minute: '2-digit' }).format(ms)
export const day = ms => format({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(ms)
export const moment = ms => format({ dateStyle: 'medium', timeStyle: 'short' }).format(ms)

const midnight = ms => new Date(ms).setHours(0, 0, 0, 0)

// short is a time as a list shows it: the hour of today, the day of this week, else the date.
export function short(ms) {
  const days = Math.round((midnight(Date.now()) - midnight(ms)) / 86_400_000)
  if (days <= 0) return clock(ms)
  if (days === 1) return t('yesterday')
  return format(days < 7 ? { weekday: 'long' } : { day: '2-digit', month: '2-digit', year: '2-digit' }).format(ms)
}

// span is a number of seconds in words.
export function span(seconds) {
  const [size, unit] = [[86_400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']].find(([size]) => seconds >= size) ?? [1, 'second']
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 }).format(seconds / size)
}

// size is a number of bytes in words.
export function size(bytes) {
  const [step, unit] = [[1e9, 'gigabyte'], [1e6, 'megabyte'], [1e3, 'kilobyte']].find(([step]) => bytes >= step) ?? [1, 'byte']
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, maximumFractionDigits: 1 }).format(bytes / step)
}
