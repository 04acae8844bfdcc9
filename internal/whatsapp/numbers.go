package whatsapp

import (
	"cmp"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// handleNumbers makes one chat of the two of a person who has another number now, before the notice is acknowledged. whatsmeow
// passes it over. Who has another LID as well has another chat, as in WhatsApp's clients.
func (r *run) handleNumbers(node *waBinary.Node) error {
	if node.Tag != "notification" || node.Attrs["type"] != "contacts" {
		return nil
	}
	if err := r.settle(); err != nil { // what came for the old number is the person's still
		return err
	}
	for _, modify := range node.GetChildrenByTag("modify") {
		attrs := modify.AttrGetter()
		address := func(key string) chat.JID {
			jid, _ := translate.Address(attrs.OptionalJIDOrEmpty(key))
			return jid
		}
		from, to, before, now := address("old"), address("new"), address("old_lid"), address("new_lid")
		if !from.IsPN() || !to.IsPN() || from == to {
			continue
		}
		if err := r.renumber(from, to, before, now); err != nil {
			return fmt.Errorf("change number: %w", err)
		}
	}
	return nil
}

// renumber follows a person from one number to another. before and now are their LIDs, where they are told.
func (r *run) renumber(from, to, before, now chat.JID) error {
	lids := r.identity().lids
	if lids == nil {
		return errors.New("no device is linked")
	}
	for _, known := range []struct {
		lid *chat.JID
		of  chat.JID
	}{{&before, from}, {&now, to}} {
		if *known.lid == "" {
			lid, err := alternative(r.ctx, lids, known.of)
			if err != nil {
				return err
			}
			*known.lid = lid
		}
	}
	lid := cmp.Or(now, before)
	if before != "" && before != lid {
		if err := r.takeNumber(before, from); err != nil {
			return err
		}
	}
	if lid == "" {
		return r.projector.Renumber(r.ctx, r.account, from, to)
	}
	return r.takeNumber(lid, to)
}

// takeNumber stores the number of a LID, and has its chat be that of the number.
func (r *run) takeNumber(lid, number chat.JID) error {
	if err := r.identity().lids.PutLIDMapping(r.ctx, translate.WireJID(lid), translate.WireJID(number)); err != nil {
		return fmt.Errorf("store address: %w", err)
	}
	return r.projector.Apply(r.ctx, r.account, chat.Change{Chat: lid, Alt: number})
}
