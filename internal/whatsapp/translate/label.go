package translate

import (
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"

	"pesan/internal/chat"
)

// Label is what a mutation says of one of the account's labels; ok is false where it is about none. A label is deleted by being
// set so; the removal of its entry says nothing.
func Label(m Mutation) (all map[string]chat.Register[chat.Label], ok bool) {
	a := m.Value.GetLabelEditAction()
	if m.Removed || len(m.Index) < 2 || m.Index[0] != appstate.IndexLabelEdit || a == nil || !chat.ValidLabelID(m.Index[1]) {
		return nil, false
	}
	deleted := a.GetDeleted() || a.IsActive != nil && !a.GetIsActive() // a list that is switched off shows nowhere
	label := chat.Label{Name: a.GetName(), Color: int(a.GetColor()), Place: int(a.GetOrderIndex()), Deleted: deleted}
	return map[string]chat.Register[chat.Label]{m.Index[1]: {Value: label, At: m.Order}}, true
}

// labelled says that a label was put on a chat or taken off.
func (b *Book) labelled(index []string, a *waSyncAction.LabelAssociationAction, order int64) []chat.Change {
	if len(index) < 3 || a == nil || !chat.ValidLabelID(index[1]) {
		return nil
	}
	jid := Parse(index[2])
	if jid == "" {
		return nil
	}
	c := b.Change(jid)
	c.State.Labels = map[string]chat.Register[bool]{index[1]: {Value: a.GetLabeled(), At: order}}
	return []chat.Change{c}
}
