package keystore

import (
	"context"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// A message secret opens what refers to the message later: votes, edits, comments. There is one with nearly every message, so each is
// an item of its own, written once and never again, and they aren't cached.

func secretSort(chat types.JID, id types.MessageID, sender types.JID) string {
	return "x:" + chat.ToNonAD().String() + "#" + id + "#" + sender.ToNonAD().String()
}

// PutMessageSecret keeps a secret that is stored.
func (k *deviceKeys) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	return k.p.add(ctx, secretSort(chat, id, sender), secret)
}

// PutMessageSecrets keeps those that are stored; of two for one message the first counts.
func (k *deviceKeys) PutMessageSecrets(ctx context.Context, inserts []store.MessageSecretInsert) error {
	known := map[string]bool{}
	var first []store.MessageSecretInsert
	for _, s := range inserts {
		if sort := secretSort(s.Chat, s.ID, s.Sender); !known[sort] {
			known[sort], first = true, append(first, s)
		}
	}
	return inParallel(ctx, len(first), func(ctx context.Context, i int) error {
		s := first[i]
		return k.p.add(ctx, secretSort(s.Chat, s.ID, s.Sender), s.Secret)
	})
}

// GetMessageSecret looks under both addresses of the chat and of the sender, and returns the sender as it is stored; nil when there is none.
func (k *deviceKeys) GetMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	chats, err := k.lids.addresses(ctx, chat.ToNonAD())
	if err != nil {
		return nil, types.JID{}, err
	}
	senders, err := k.lids.addresses(ctx, sender.ToNonAD())
	if err != nil {
		return nil, types.JID{}, err
	}
	for _, c := range chats {
		for _, s := range senders {
			secret, err := k.p.read(ctx, secretSort(c, id, s))
			if err != nil || secret != nil {
				return secret, s, err
			}
		}
	}
	return nil, types.JID{}, nil
}
