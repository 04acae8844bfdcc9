package chat

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// addressed finds the LIDs in a message's or a chat's JSON, each with the key before it, if there is one. What a person wrote
// is no address, whatever it looks like.
var addressed = regexp.MustCompile(`(?:"(b|conversation|text|caption|body|x|name|title|description)":)?"([0-9]{5,20}@lid)"`)

// LIDs are the persons that a change names by their LIDs, but for the chat itself.
func (c *Change) LIDs() (lids []JID) {
	for jid := range c.State.Members {
		if jid.IsLID() {
			lids = append(lids, jid)
		}
	}
	for _, field := range c.State.Fields {
		lids = append(lids, lidsIn([]byte(field.Value))...)
	}
	for i := range c.Messages {
		lids = append(lids, c.Messages[i].LIDs()...)
	}
	slices.Sort(lids)
	return slices.Compact(lids)
}

// LIDs are the persons that a message names by their LIDs, anywhere: its sender, who reacted, who was mentioned or quoted.
func (m *Message) LIDs() []JID {
	b, err := json.Marshal(m)
	if err != nil {
		return nil // what can't be written can't be stored either
	}
	lids := lidsIn(b)
	for _, edit := range m.Edits {
		for _, jid := range edit.Value.Mentions.List() {
			if jid.IsLID() {
				lids = append(lids, jid)
			}
		}
	}
	slices.Sort(lids)
	return slices.Compact(lids)
}

// SaysLID tells whether what a message says may name somebody by a LID.
func (m *Message) SaysLID() bool {
	const lid = "@" + LIDServer + `"`
	for _, said := range []JSON{m.Content.Message, m.Content.Quoted, m.Content.Slim} {
		if strings.Contains(string(said), lid) {
			return true
		}
	}
	for _, r := range m.Edits {
		if strings.Contains(string(r.Value.Message), lid) {
			return true
		}
	}
	return false
}

func lidsIn(b []byte) (lids []JID) {
	for _, found := range addressed.FindAllSubmatch(b, -1) {
		if len(found[1]) == 0 {
			lids = append(lids, JID(found[2]))
		}
	}
	return lids
}

// LIDs are the persons that the chat or its messages name by their LIDs, and whose numbers weren't known.
func (c *Chat) LIDs() []JID {
	lids := slices.Collect(maps.Keys(c.Hidden))
	for jid := range c.Members {
		if jid.IsLID() && !c.Hidden[jid] {
			lids = append(lids, jid)
		}
	}
	slices.Sort(lids)
	return lids
}

// Readdress puts persons' numbers for their LIDs, everywhere in the change but for its chat.
func (c *Change) Readdress(numbers map[JID]JID) error {
	c.State.readdress(numbers)
	for i := range c.Messages {
		if err := c.Messages[i].readdress(numbers); err != nil {
			return err
		}
	}
	return nil
}

// readdress puts persons' numbers for their LIDs. Where both are named, what is known of them is joined.
func (m *Message) readdress(numbers map[JID]JID) error {
	for lid, number := range numbers {
		m.rename(lid, number)
	}
	for by, edit := range m.Edits {
		list := edit.Value.Mentions.List()
		for i, jid := range list {
			if number, ok := numbers[jid]; ok {
				list[i] = number
			}
		}
		edit.Value.Mentions = JoinJIDs(list)
		m.Edits[by] = edit
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var renamed Message
	if err := json.Unmarshal(replace(b, numbers), &renamed); err != nil {
		return err
	}
	*m = renamed
	return nil
}

func replace(b []byte, numbers map[JID]JID) []byte {
	return addressed.ReplaceAllFunc(b, func(found []byte) []byte {
		parts := addressed.FindSubmatch(found)
		number, ok := numbers[JID(parts[2])]
		if !ok || len(parts[1]) > 0 {
			return found
		}
		return []byte(strings.Replace(string(found), string(parts[2]), string(number), 1))
	})
}

// readdress does the same for the members, the admins and the fields.
func (c *Chat) readdress(numbers map[JID]JID) {
	for name, field := range c.Fields {
		if len(lidsIn([]byte(field.Value))) > 0 {
			c.Fields = maps.Clone(c.Fields)
			field.Value = JSON(replace([]byte(field.Value), numbers))
			c.Fields[name] = field
		}
	}
	for lid, number := range numbers {
		if _, member := c.Members[lid]; member {
			c.Members = maps.Clone(c.Members)
			renameRegister(&c.Members, lid, number, joinRegisters)
			c.Since = maps.Clone(c.Since)
			renameRegister(&c.Since, lid, number, joinRegisters)
		}
		if c.Admins[lid] {
			c.Admins = maps.Clone(c.Admins)
			delete(c.Admins, lid)
			c.Admins[number] = true
		}
		if c.Hidden[lid] {
			c.Hidden = without(c.Hidden, lid)
		}
	}
}

// Readdress puts persons' numbers for their LIDs in the chat and the messages that are loaded, once the numbers are known.
// The chat forgets that it had LIDs only with last, when all its messages were gone through.
func (t *Thread) Readdress(numbers map[JID]JID, last bool, now time.Time) error {
	if t.Changed == nil {
		t.Changed = make(map[string]*Message)
	}
	if err := t.loadMembers(); err != nil {
		return err
	}
	hidden := t.Chat.Hidden
	t.Chat.readdress(numbers)
	if !last {
		t.Chat.Hidden = hidden
	}
	for _, id := range slices.Sorted(maps.Keys(t.Messages)) {
		if !slices.ContainsFunc(t.Messages[id].LIDs(), func(lid JID) bool { return numbers[lid] != "" }) {
			continue
		}
		m := *t.Messages[id]
		m.unshare()
		if err := m.readdress(numbers); err != nil {
			return err
		}
		t.judge(&m)
		t.put(&m)
	}
	return t.findLast(now)
}

// renamed puts one address for another in a message's JSON.
func renamed(said JSON, from, to JID) JSON {
	if !from.IsLID() || !strings.Contains(string(said), `"`+string(from)+`"`) {
		return said
	}
	return JSON(replace([]byte(said), map[JID]JID{from: to}))
}
