package translate

import (
	"bytes"
	"compress/zlib"
	"errors"
	"strconv"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

func deflated(t *testing.T, data []byte) []byte {
	t.Helper()
	var blob bytes.Buffer
	z := zlib.NewWriter(&blob)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return blob.Bytes()
}

// TestReadHistory reads a history whole, in its two ways, and cut off at every byte.
func TestReadHistory(t *testing.T) {
	conv := func(id string) *waHistorySync.Conversation {
		return &waHistorySync.Conversation{ID: &id, Name: proto.String(strings.Repeat("n", 200))}
	}
	whole := &waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_RECENT.Enum(), ChunkOrder: proto.Uint32(300), Conversations: []*waHistorySync.Conversation{conv("a"), conv("b")},
		StatusV3Messages: []*waWeb.WebMessageInfo{{Key: keyOf("S")}}, Pushnames: []*waHistorySync.Pushname{{ID: proto.String("x"), Pushname: proto.String("Budi")}},
	}
	data, err := proto.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	data = protowire.AppendFixed32(protowire.AppendTag(data, 1000, protowire.Fixed32Type), 7) // newer than the library
	data = protowire.AppendFixed64(protowire.AppendTag(data, 1001, protowire.Fixed64Type), 8)
	common, err := ReadHistory(deflated(t, data), nil)
	if err != nil || common.GetChunkOrder() != 300 || len(common.Pushnames) != 1 || common.Conversations != nil || common.StatusV3Messages != nil {
		t.Errorf("without the chats it is %v, %v", common, err)
	}
	if unknown := common.ProtoReflect().GetUnknown(); len(unknown) != 2+4+2+8 {
		t.Errorf("of what isn't known yet %d bytes are left", len(unknown))
	}
	var ids []string
	add := func(c *waHistorySync.Conversation) error { ids = append(ids, c.GetID()); return nil }
	if common, err = ReadHistory(deflated(t, data), add); err != nil || strings.Join(ids, " ") != "a b" || common.ChunkOrder != nil {
		t.Errorf("the chats are %v, beside them %v, %v", ids, common, err)
	}
	fault := errors.New("fault")
	if _, err := ReadHistory(deflated(t, data), func(*waHistorySync.Conversation) error { return fault }); !errors.Is(err, fault) || errors.Is(err, ErrUnreadable) {
		t.Errorf("a fault with a chat: %v", err)
	}
	ends := map[int]bool{0: true} // where a field ends, it is whole
	for n := 0; n < len(data); {
		_, _, size := protowire.ConsumeField(data[n:])
		if size <= 0 {
			t.Fatal("the test's history is broken")
		}
		n += size
		ends[n] = true
	}
	for _, each := range []func(*waHistorySync.Conversation) error{nil, func(*waHistorySync.Conversation) error { return nil }} {
		for n := range data {
			if _, err := ReadHistory(deflated(t, data[:n]), each); (err == nil) != ends[n] || err != nil && !errors.Is(err, ErrUnreadable) {
				t.Fatalf("cut off at byte %d of %d: %v", n, len(data), err)
			}
		}
	}
	field := func(kind protowire.Type, rest ...byte) []byte {
		return append(protowire.AppendTag(nil, fieldConversations, kind), rest...)
	}
	for name, bad := range map[string][]byte{
		"a group":        field(protowire.StartGroupType),
		"a broken chat":  field(protowire.BytesType, 2, 0x0a, 9),
		"a long field":   protowire.AppendVarint(field(protowire.BytesType), maxField+1),
		"an endless int": bytes.Repeat([]byte{0xff}, 20),
	} {
		if _, err := ReadHistory(deflated(t, bad), add); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadHistory(deflated(t, protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), []byte{0x0a, 9})), nil); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a broken name: %v", err)
	}
	if _, err := ReadHistory(data, nil); !errors.Is(err, ErrUnreadable) {
		t.Errorf("one that isn't compressed: %v", err)
	}
}

// TestTemplates: what businesses are told is never a chat's line, from the first number of each range to the last.
func TestTemplates(t *testing.T) {
	templates := [][2]waWeb.WebMessageInfo_StubType{
		{waWeb.WebMessageInfo_NON_VERIFIED_TRANSITION, waWeb.WebMessageInfo_VERIFIED_TRANSITION_NONE_TO_UNKNOWN},
		{waWeb.WebMessageInfo_BIZ_VERIFIED_TRANSITION_TOP_TO_BOTTOM, waWeb.WebMessageInfo_BIZ_TWO_TIER_MIGRATION_BOTTOM},
		{waWeb.WebMessageInfo_BLUE_MSG_BSP_FB_TO_BSP_PREMISE, waWeb.WebMessageInfo_BLUE_MSG_SELF_FB_VERIFIED_TO_BSP_PREMISE_UNVERIFIED},
		{waWeb.WebMessageInfo_BIZ_PRIVACY_MODE_INIT_FB, waWeb.WebMessageInfo_BIZ_PRIVACY_MODE_TO_BSP},
	}
	values := waWeb.WebMessageInfo_UNKNOWN.Descriptor().Values()
	for i := range values.Len() {
		stub := waWeb.WebMessageInfo_StubType(values.Get(i).Number())
		want := false
		for _, of := range templates {
			want = want || stub >= of[0] && stub <= of[1]
		}
		for _, aside := range asideStubs {
			want = want || stub == aside
		}
		if isTemplate(stub) != want {
			t.Errorf("%s is a template: %v", stub, !want)
		}
		w := past("N", nil, func(w *waWeb.WebMessageInfo) { w.MessageStubType = stub.Enum() })
		for _, m := range messagesOf(historyOf(people[0][0].String(), w)) {
			if m.Content.Aside != want {
				t.Errorf("%s may be a line: %v", stub, want)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	on, off := proto.Bool(true), proto.Bool(false)
	edit := func(change func(*waSyncAction.LabelEditAction)) *waSyncAction.SyncActionValue {
		a := &waSyncAction.LabelEditAction{Name: proto.String("Lunas"), Color: proto.Int32(3), OrderIndex: proto.Int32(2)}
		change(a)
		return &waSyncAction.SyncActionValue{LabelEditAction: a}
	}
	plain := edit(func(*waSyncAction.LabelEditAction) {})
	for name, c := range map[string]struct {
		m    Mutation
		want chat.Label
	}{
		"a label":      {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: plain, Order: 5}, chat.Label{Name: "Lunas", Color: 3, Place: 2}},
		"deleted":      {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: edit(func(a *waSyncAction.LabelEditAction) { a.Deleted = on }), Order: 5}, chat.Label{Name: "Lunas", Color: 3, Place: 2, Deleted: true}},
		"switched off": {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: edit(func(a *waSyncAction.LabelEditAction) { a.IsActive = off }), Order: 5}, chat.Label{Name: "Lunas", Color: 3, Place: 2, Deleted: true}},
		"switched on":  {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: edit(func(a *waSyncAction.LabelEditAction) { a.IsActive = on }), Order: 5}, chat.Label{Name: "Lunas", Color: 3, Place: 2}},
		"removed":      {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: plain, Removed: true}, chat.Label{}},
		"cut off":      {Mutation{Index: []string{appstate.IndexLabelEdit}, Value: plain}, chat.Label{}},
		"another":      {Mutation{Index: []string{"mute", "7"}, Value: plain}, chat.Label{}},
		"nothing":      {Mutation{Index: []string{appstate.IndexLabelEdit, "7"}, Value: &waSyncAction.SyncActionValue{}}, chat.Label{}},
		"no id":        {Mutation{Index: []string{appstate.IndexLabelEdit, "a b"}, Value: plain}, chat.Label{}},
	} {
		all, ok := Label(c.m)
		if ok != (c.want.Name != "") || all["7"].Value != c.want || ok && all["7"].At != 5 {
			t.Errorf("%s: %+v, %v", name, all, ok)
		}
	}
}

// TestNewerConversations keeps what isn't known yet, and nothing else.
func TestNewerConversations(t *testing.T) {
	of := func(all ...*waWeb.WebMessageInfo) *waHistorySync.Conversation {
		c := &waHistorySync.Conversation{ID: proto.String("c"), Name: proto.String("n")}
		for i, w := range all {
			c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: w, MsgOrderID: proto.Uint64(uint64(i))})
		}
		return c
	}
	if c := Newer(of(past("A", sim.Text("a"), nil), past("B", nil, nil))); c != nil {
		t.Errorf("nothing is newer in %v", c)
	}
	c := Newer(of(past("A", sim.Text("a"), nil), past("B", sim.Newer("masa depan"), nil), past("C", nil, nil)))
	if len(c.GetMessages()) != 1 || c.GetMessages()[0].GetMessage().GetKey().GetID() != "B" || c.GetID() != "c" || c.Name != nil {
		t.Errorf("what is newer: %v", c)
	}
	if m := OrderOf(2, 3); m != 2<<placeBits+3 {
		t.Error("an order is " + strconv.FormatInt(m, 10))
	}
}
