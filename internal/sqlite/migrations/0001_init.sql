-- Times are milliseconds since 1970, but for those of chats and messages, which WhatsApp gives in seconds.

CREATE TABLE accounts (
	id      TEXT PRIMARY KEY,
	created INTEGER NOT NULL,
	data    BLOB NOT NULL -- chat.Account as JSON
) WITHOUT ROWID;

CREATE TABLE chats (
	id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
	account       TEXT NOT NULL,
	jid           TEXT NOT NULL, -- canonical
	kind          TEXT NOT NULL,
	shows         INTEGER NOT NULL, -- from here to last_expires what queries ask for; all of it is in view
	activity      INTEGER NOT NULL,
	mute_end      INTEGER NOT NULL,
	pinned        INTEGER NOT NULL,
	archived      INTEGER NOT NULL,
	unread        INTEGER NOT NULL,
	last_expires  INTEGER NOT NULL,
	hidden        BLOB, -- the ranges of messages that aren't listed, as JSON; NULL: none
	view          TEXT NOT NULL, -- chat.View, packed
	members       BLOB,          -- of chat.Chat as JSON; NULL: none. By itself, since it may be long and changes seldom
	state         BLOB NOT NULL  -- the rest of chat.Chat as JSON
);
CREATE UNIQUE INDEX chats_jid ON chats (account, jid);
CREATE INDEX chats_activity ON chats (account, activity DESC, jid) WHERE shows;
CREATE INDEX chats_last_expires ON chats (last_expires) WHERE last_expires > 0;

CREATE TABLE aliases (
	account TEXT NOT NULL,
	alias   TEXT NOT NULL,
	jid     TEXT NOT NULL,
	PRIMARY KEY (account, alias)
) WITHOUT ROWID;

-- Rows lie in the order in which conversations are read.
CREATE TABLE messages (
	chat     INTEGER NOT NULL, -- chats.id
	time     INTEGER NOT NULL, -- 0: a stub
	ord      INTEGER NOT NULL,
	id       TEXT NOT NULL,
	expires  INTEGER NOT NULL,
	starred  INTEGER NOT NULL,
	listed   INTEGER NOT NULL,
	heads    INTEGER NOT NULL, -- may be the chat's last line
	view     TEXT NOT NULL, -- chat.MessageView, packed
	state    BLOB NOT NULL, -- chat.Message as JSON
	PRIMARY KEY (chat, time, ord, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_id ON messages (chat, id);
CREATE INDEX messages_expires ON messages (expires) WHERE expires > 0;

CREATE TABLE commands (
	account TEXT NOT NULL,
	id      TEXT NOT NULL,
	at      INTEGER NOT NULL,
	data    BLOB NOT NULL, -- chat.CommandRecord as JSON
	PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX commands_at ON commands (at);

CREATE TABLE reports (
	account TEXT NOT NULL,
	id      TEXT NOT NULL,
	at      INTEGER NOT NULL,
	pending INTEGER NOT NULL,
	data    BLOB NOT NULL, -- chat.Report as JSON
	PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX reports_at ON reports (at);

CREATE TABLE queue (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	shard    INTEGER NOT NULL,
	account  TEXT NOT NULL,
	body     BLOB NOT NULL,
	visible  INTEGER NOT NULL, -- from when on it may be handed out
	attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_account ON queue (shard, account, seq);

-- What was sent of late, so that sending it again adds nothing.
CREATE TABLE sent (
	shard   INTEGER NOT NULL,
	account TEXT NOT NULL,
	id      TEXT NOT NULL,
	at      INTEGER NOT NULL,
	PRIMARY KEY (shard, account, id)
) WITHOUT ROWID;
CREATE INDEX sent_at ON sent (at);

CREATE TABLE dead_letters (
	seq      INTEGER PRIMARY KEY,
	shard    INTEGER NOT NULL,
	account  TEXT NOT NULL,
	body     BLOB NOT NULL,
	attempts INTEGER NOT NULL,
	at       INTEGER NOT NULL
);

CREATE TABLE leases (
	shard   INTEGER PRIMARY KEY,
	host    TEXT NOT NULL,
	epoch   INTEGER NOT NULL,
	expires INTEGER NOT NULL -- 0: released
);

CREATE TABLE hosts (
	host    TEXT PRIMARY KEY,
	expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE backlog (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	account TEXT NOT NULL,
	id      TEXT NOT NULL,
	data    BLOB NOT NULL,
	UNIQUE (account, id)
);
