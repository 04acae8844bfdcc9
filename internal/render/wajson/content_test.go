package wajson

import (
	"reflect"
	"testing"

	"go.mau.fi/whatsmeow/proto/waAICommonDeprecated"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestContentOfGolden says what Type and Body are for each of Baileys' messages in testdata/baileys.json.
func TestContentOfGolden(t *testing.T) {
	want := map[string]struct {
		typ, body string
	}{
		"text":                        {"conversation", "Ini isi pesannya"},
		"extended text, quoting":      {"extendedTextMessage", "Coba @6281111111111 https://contoh.id"},
		"image":                       {"imageMessage", "Foto keluarga"},
		"video, view once, ephemeral": {"videoMessage", ""},
		"voice note":                  {"audioMessage", ""},
		"document with caption":       {"documentMessage", "Ini tagihannya"},
		"sticker":                     {"stickerMessage", ""},
		"location":                    {"locationMessage", "Monas"},
		"live location":               {"liveLocationMessage", "Sebentar lagi sampai"},
		"contact":                     {"contactMessage", "Budi"},
		"contacts":                    {"contactsArrayMessage", "2 kontak"},
		"poll":                        {"pollCreationMessageV3", "Makan siang di mana?"},
		"list":                        {"listMessage", "Menu"},
		"list response":               {"listResponseMessage", "Nasi goreng"},
		"buttons":                     {"buttonsMessage", "Judul"},
		"template":                    {"templateMessage", "Kode"},
		"interactive":                 {"interactiveMessage", "Promo"},
		"reaction":                    {"reactionMessage", "👍"},
		"revoke":                      {"protocolMessage", ""},
		"edit":                        {"protocolMessage", "Sudah diubah"},
		"key share":                   {"protocolMessage", ""},
		"event":                       {"eventMessage", "Arisan"},
		"group invite":                {"groupInviteMessage", "Ikut ya"},
		"product":                     {"productMessage", "Baju"},
		"order":                       {"orderMessage", "Toko"},
		"payment":                     {"requestPaymentMessage", "Bayar ya"},
		"empty message":               {"", ""},
		"stub, receipts, reactions":   {"", ""},
	}
	seen := 0
	for _, c := range goldenCases(t) {
		w, ok := want[c.Name]
		if !ok {
			continue
		}
		seen++
		m := c.message(t).(interface{ GetMessage() *waE2E.Message }).GetMessage()
		if typ, body := Type(m), Body(m); typ != w.typ || body != w.body {
			t.Errorf("%s: got %q, %q, want %q, %q", c.Name, typ, body, w.typ, w.body)
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d cases were found", seen, len(want))
	}
}

func TestBody(t *testing.T) {
	text := func(s string) *waE2E.Message { return &waE2E.Message{Conversation: &s} }
	for name, c := range map[string]struct {
		m    *waE2E.Message
		want string
	}{
		"nil":                     {nil, ""},
		"empty":                   {&waE2E.Message{}, ""},
		"text of buttons":         {&waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{ContentText: proto.String("Isi")}}, "Isi"},
		"button pressed":          {&waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Ya"}, SelectedButtonID: proto.String("y")}}, "Ya"},
		"template button pressed": {&waE2E.Message{TemplateButtonReplyMessage: &waE2E.TemplateButtonReplyMessage{SelectedDisplayText: proto.String("Ya")}}, "Ya"},
		"row without a title":     {&waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: proto.String("r1")}}}, "r1"},
		"four row template": {&waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{Format: &waE2E.TemplateMessage_HydratedFourRowTemplate_{
			HydratedFourRowTemplate: &waE2E.TemplateMessage_HydratedFourRowTemplate{HydratedContentText: proto.String("Isi")}}}}, "Isi"},
		"interactive template": {&waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{Format: &waE2E.TemplateMessage_InteractiveMessageTemplate{
			InteractiveMessageTemplate: &waE2E.InteractiveMessage{Body: &waE2E.InteractiveMessage_Body{Text: proto.String("Isi")}}}}}, "Isi"},
		"structured":            {&waE2E.Message{HighlyStructuredMessage: &waE2E.HighlyStructuredMessage{HydratedHsm: &waE2E.TemplateMessage{HydratedTemplate: &waE2E.TemplateMessage_HydratedFourRowTemplate{HydratedContentText: proto.String("Isi")}}}}, "Isi"},
		"place without a name":  {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{Address: proto.String("Gambir")}}, "Gambir"},
		"group without caption": {&waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: proto.String("Keluarga")}}, "Keluarga"},
		"comment":               {&waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: text("setuju")}}, "setuju"},
		"payment":               {&waE2E.Message{SendPaymentMessage: &waE2E.SendPaymentMessage{NoteMessage: text("lunas")}}, "lunas"},
		"round video":           {&waE2E.Message{PtvMessage: &waE2E.VideoMessage{Caption: proto.String("lihat")}}, "lihat"},
		"an assistant's answer": {&waE2E.Message{RichResponseMessage: &waE2E.AIRichResponseMessage{Submessages: []*waAICommonDeprecated.AIRichResponseSubMessage{
			{MessageText: proto.String("satu")}, {}, {MessageText: proto.String("dua")}}}}, "satu\ndua"},
		"two contents":        {&waE2E.Message{VideoMessage: &waE2E.VideoMessage{Caption: proto.String("kedua")}, ImageMessage: &waE2E.ImageMessage{Caption: proto.String("pertama")}}, "pertama"},
		"beside a sender key": {&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, MessageContextInfo: &waE2E.MessageContextInfo{}, ImageMessage: &waE2E.ImageMessage{Caption: proto.String("ini")}}, "ini"},
	} {
		if got := Body(c.m); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestWrappersComeOff puts a text into every field that can wrap a message.
func TestWrappersComeOff(t *testing.T) {
	fields := descriptorOf(&waE2E.Message{}).Fields()
	wrappers := 0
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil {
			continue
		}
		m := new(waE2E.Message)
		value := m.ProtoReflect().Mutable(fd).Message()
		switch w := value.Interface().(type) {
		case *waE2E.FutureProofMessage:
			w.Message = &waE2E.Message{Conversation: proto.String("isi")}
		case *waE2E.DeviceSentMessage:
			w.Message = &waE2E.Message{Conversation: proto.String("isi")}
		default:
			continue
		}
		wrappers++
		outer := &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: m}}
		c := ContentOf(outer)
		if c.Type != "conversation" || c.Body() != "isi" {
			t.Errorf("%s: got %q, %q", fd.Name(), c.Type, c.Body())
		}
		if c.Ephemeral != (fd.Name() == "ephemeralMessage") {
			t.Errorf("%s: ephemeral %v", fd.Name(), c.Ephemeral)
		}
	}
	if wrappers < 20 {
		t.Errorf("only %d wrappers", wrappers)
	}
}

// TestEveryContentHasItsType sets each field of a message alone: its published name is the type, unless it is what
// goes along with a content.
func TestEveryContentHasItsType(t *testing.T) {
	beside := map[string]bool{
		"senderKeyDistributionMessage":               true,
		"fastRatchetKeySenderKeyDistributionMessage": true,
		"messageContextInfo":                         true,
	}
	fields := descriptorOf(&waE2E.Message{}).Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		m := new(waE2E.Message)
		if fd.Message() != nil {
			m.ProtoReflect().Mutable(fd)
		} else {
			m.ProtoReflect().Set(fd, protoreflect.ValueOfString("isi"))
		}
		want := fieldName(fd)
		if beside[want] {
			want = ""
		}
		if got := Type(m); got != want {
			t.Errorf("%s: got %q", fd.Name(), got)
		}
		_ = Body(m) // empty as it is, it must not panic
	}
}

func TestContext(t *testing.T) {
	quoted := &waE2E.Message{Conversation: proto.String("Halo")}
	image := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{ContextInfo: &waE2E.ContextInfo{
		Expiration:    proto.Uint32(86400),
		MentionedJID:  []string{"1@s.whatsapp.net", "2@lid"},
		QuotedMessage: quoted,
	}}}
	c := ContentOf(&waE2E.Message{ViewOnceMessage: &waE2E.FutureProofMessage{Message: image}})
	if !c.IsMedia() || !c.Ephemeral || c.Message != image || c.Quoted() != quoted {
		t.Errorf("got %+v", c)
	}
	if got := c.Context().GetMentionedJID(); !reflect.DeepEqual(got, []string{"1@s.whatsapp.net", "2@lid"}) {
		t.Errorf("mentioned %v", got)
	}
	for _, m := range []*waE2E.Message{nil, {}, quoted, {Chat: &waE2E.Chat{}}, {StickerMessage: &waE2E.StickerMessage{}}} {
		c := ContentOf(m)
		if c.Context() != nil || c.Quoted() != nil || c.Ephemeral {
			t.Errorf("%v: got %+v", m, c)
		}
		if c.IsMedia() != (m.GetStickerMessage() != nil) {
			t.Errorf("%v: media %v", m, c.IsMedia())
		}
	}
}

// TestDeepWrappers nests more messages than anybody sends.
func TestDeepWrappers(t *testing.T) {
	m := &waE2E.Message{Conversation: proto.String("isi")}
	for range 5000 {
		m = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: m}}
	}
	if c := ContentOf(m); c.Type != "ephemeralMessage" || c.Body() != "" || !c.Ephemeral {
		t.Errorf("got %q, %q", c.Type, c.Body())
	}
	m = &waE2E.Message{Conversation: proto.String("isi")}
	for range 5000 {
		m = &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: m}}
	}
	if got := Body(m); got != "" {
		t.Errorf("got %q", got)
	}
}
