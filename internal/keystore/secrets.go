package keystore

import (
	"context"
	"maps"
	"slices"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/kv"
)

// A message secret opens what refers to the message later: votes, edits, comments. There is one with nearly every message, so
// each is an item of its own, written once and never again, and they aren't cached.

const secretPrefix = "x/"

func secretSort(chat types.JID, id types.MessageID, sender types.JID) string {
	return secretPrefix + chat.ToNonAD().String() + "#" + id + "#" + sender.ToNonAD().String()
}

// PutMessageSecret keeps a secret that is stored.
func (k *deviceKeys) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	return k.PutMessageSecrets(ctx, []store.MessageSecretInsert{{Chat: chat, Sender: sender, ID: id, Secret: secret}})
}

// PutMessageSecrets keeps those that are stored; of two for one message the first counts. It takes them for new ones, which
// need not be read.
func (k *deviceKeys) PutMessageSecrets(ctx context.Context, inserts []store.MessageSecretInsert) error {
	if err := k.alive(); err != nil {
		return err
	}
	edits := map[string]edit{}
	puts := map[string]kv.Op{}
	for _, s := range inserts {
		sort := secretSort(s.Chat, s.ID, s.Sender)
		if puts[sort].Kind == 0 && len(s.Secret) > 0 {
			puts[sort] = k.put(sort, s.Secret, nil)
			edits[sort] = func(old []byte) ([]byte, error) {
				if old != nil {
					return old, nil
				}
				return s.Secret, nil
			}
		}
	}
	ops := slices.Collect(maps.Values(puts))
	if err := k.wrote(ops, k.account.kv.Write(ctx, kv.Each(ops...))); !isConflict(err) {
		return err
	}
	return k.changeMany(ctx, edits)
}

// GetMessageSecret looks under both addresses of the chat and of the sender, and returns the sender as it is stored; nil when
// there is none.
func (k *deviceKeys) GetMessageSecret(
	ctx context.Context, chat, sender types.JID, id types.MessageID,
) ([]byte, types.JID, error) {
	chats, err := k.addresses(ctx, chat.ToNonAD())
	if err != nil {
		return nil, types.JID{}, err
	}
	senders, err := k.addresses(ctx, sender.ToNonAD())
	if err != nil {
		return nil, types.JID{}, err
	}
	for _, c := range chats {
		for _, s := range senders {
			secret, err := k.get(ctx, secretSort(c, id, s))
			if err != nil || secret != nil {
				return secret, s, err
			}
		}
	}
	return nil, types.JID{}, nil
}
