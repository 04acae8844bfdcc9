package store

import (
	"bytes"
	"context"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

var _ chat.LabelStore = (*Store)(nil)

func labelsKey(account string) kv.Key {
	return kv.Key{Collection: kv.Chats, Partition: account, Sort: labels}
}

// Labels implements chat.LabelReader.
func (s *Store) Labels(ctx context.Context, account string) (chat.Labels, error) {
	it, err := s.get(ctx, labelsKey(account))
	if err != nil {
		return chat.Labels{}, failed("get labels", err)
	}
	l, err := jsonOf[chat.Labels](it)
	return l, failed("get labels", err)
}

// JoinLabels implements chat.LabelStore. The item is put together with a check of its account, which it mustn't outlive.
func (s *Store) JoinLabels(ctx context.Context, account string, told chat.Labels) (joined chat.Labels, err error) {
	err = retryOnConflict(ctx, func() error {
		it, err := s.get(ctx, labelsKey(account))
		if err != nil {
			return err
		}
		if joined, err = jsonOf[chat.Labels](it); err != nil {
			return err
		}
		joined.Join(told)
		data, err := marshal(joined)
		if err != nil {
			return err
		}
		put := kv.Put(kv.Item{Key: labelsKey(account), Data: data}, kv.As(it))
		switch {
		case it == nil:
			if err = s.kv.Write(ctx, kv.Together(put, s.accountExists(account))); err != nil {
				if _, _, gone := s.account(ctx, account, kv.Strong); gone != nil {
					return gone
				}
			}
			return err
		case bytes.Equal(data, it.Data):
			return nil
		}
		return s.kv.Write(ctx, kv.Each(put))
	})
	return joined, failed("join labels", err)
}
