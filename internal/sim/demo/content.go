package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pesan/internal/sim/media"
)

// content makes a message of a kind. Parts of the text are divided by " | ".
func (t *take) content(by *Person, kind, text string) (*waE2E.Message, error) {
	ctx := t.context()
	m, err := t.fresh(by, kind, text, ctx)
	if err == nil && proto.Size(ctx) == 0 {
		dropContext(m)
	}
	return m, err
}

// dropContext takes away an empty contextInfo, which no client writes.
func dropContext(m *waE2E.Message) {
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() != nil {
			if context := f.Message().Fields().ByName("contextInfo"); context != nil {
				v.Message().Clear(context)
			}
		}
		return true
	})
}

func (t *take) fresh(by *Person, kind, text string, ctx *waE2E.ContextInfo) (*waE2E.Message, error) {
	parts := strings.Split(text, " | ")
	first, rest := parts[0], parts[1:]
	switch kind {
	case "":
		if mentioned(text) {
			return t.mention(by, text, ctx), nil
		}
		return t.text(by, text, ctx), nil
	case "balas":
		t.quote(ctx)
		return t.text(by, text, ctx), nil
	case "tautan":
		return t.link(first, rest, ctx), nil
	case "lokasi":
		return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
			DegreesLatitude: new(-7.55 - t.rng.Float64()/20), DegreesLongitude: new(110.8 + t.rng.Float64()/20),
			Name: &first, Address: new(strings.Join(rest, " ")), JPEGThumbnail: t.picture(32, 24), ContextInfo: ctx,
		}}, nil
	case "kontak":
		return &waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: &first, Vcard: new(t.vcard(first)),
			ContextInfo: ctx}}, nil
	case "polling":
		return t.poll(first, rest, ctx), nil
	case "tombol":
		return buttons(first, rest, ctx), nil
	case "daftar":
		return list(first, rest, ctx), nil
	case "templat":
		return template(first, rest, ctx), nil
	case "jawab":
		return t.choose(text, ctx), nil
	}
	return t.file(kind, first, rest, ctx)
}

// context is what every message of a chat with disappearing messages carries, else empty.
func (t *take) context() *waE2E.ContextInfo {
	if t.chat.expiration == 0 {
		return &waE2E.ContextInfo{}
	}
	return &waE2E.ContextInfo{
		Expiration:       &t.chat.expiration,
		DisappearingMode: disappearing(),
	}
}

// text is plain unless something comes with it.
func (t *take) text(by *Person, text string, ctx *waE2E.ContextInfo) *waE2E.Message {
	text = t.style(by, text)
	if proto.Size(ctx) == 0 {
		return &waE2E.Message{Conversation: &text}
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: &text, ContextInfo: ctx}}
}

// mentioned says whether "@" and a digit stand in a text.
func mentioned(text string) bool {
	i := strings.IndexByte(text, '@')
	return i >= 0 && i+1 < len(text) && text[i+1] >= '1' && text[i+1] <= '9'
}

// mention replaces "@3" by the third speaker's number.
func (t *take) mention(by *Person, text string, ctx *waE2E.ContextInfo) *waE2E.Message {
	for i := 1; i < len(t.cast); i++ {
		if mark := fmt.Sprint("@", i); strings.Contains(text, mark) && t.cast[i] != nil {
			jid := t.chat.address(t.cast[i])
			text = strings.ReplaceAll(text, mark, "@"+jid.User)
			ctx.MentionedJID = append(ctx.MentionedJID, jid.String())
		}
	}
	return t.text(by, text, ctx)
}

// quote refers to the newest message.
func (t *take) quote(ctx *waE2E.ContextInfo) {
	m := t.last(func(m *said) bool { return m.content != nil && !m.edits })
	if m == nil {
		return
	}
	author := t.owner.PN
	if t.chat.byLID {
		author = t.owner.LID
	}
	if m.by != nil {
		author = t.chat.address(m.by)
	}
	quoted := proto.CloneOf(m.content)
	if inner := quoted.GetEphemeralMessage().GetMessage(); inner != nil {
		quoted = inner
	}
	if quoted.ExtendedTextMessage != nil {
		quoted.ExtendedTextMessage.ContextInfo = nil // quotes aren't nested
	}
	ctx.StanzaID, ctx.Participant, ctx.QuotedMessage = &m.id, new(author.String()), quoted
}

func (t *take) link(text string, rest []string, ctx *waE2E.ContextInfo) *waE2E.Message {
	url := text[strings.Index(text, "https://"):]
	m := &waE2E.ExtendedTextMessage{Text: &text, MatchedText: &url, JPEGThumbnail: t.picture(24, 24), ContextInfo: ctx,
		PreviewType: waE2E.ExtendedTextMessage_NONE.Enum()}
	if len(rest) > 0 {
		m.Title = &rest[0]
	}
	if len(rest) > 1 {
		m.Description = &rest[1]
	}
	return &waE2E.Message{ExtendedTextMessage: m}
}

func (t *take) vcard(name string) string {
	pn := "62890" + number(t.rng, 8)
	return fmt.Sprintf("BEGIN:VCARD\nVERSION:3.0\nN:;%[1]s;;;\nFN:%[1]s\nTEL;type=CELL;waid=%[2]s:+%[2]s\nEND:VCARD", name, pn)
}

func (t *take) poll(question string, options []string, ctx *waE2E.ContextInfo) *waE2E.Message {
	p := &waE2E.PollCreationMessage{Name: &question, SelectableOptionsCount: new(uint32(1)), ContextInfo: ctx}
	for _, o := range options {
		p.Options = append(p.Options, &waE2E.PollCreationMessage_Option{OptionName: &o})
	}
	return &waE2E.Message{
		PollCreationMessageV3: p,
		MessageContextInfo:    &waE2E.MessageContextInfo{MessageSecret: t.bytes(32)},
	}
}

func buttons(text string, options []string, ctx *waE2E.ContextInfo) *waE2E.Message {
	m := &waE2E.ButtonsMessage{ContentText: &text, FooterText: new("Layanan otomatis"),
		HeaderType: waE2E.ButtonsMessage_EMPTY.Enum(), ContextInfo: ctx}
	for i, o := range options {
		m.Buttons = append(m.Buttons, &waE2E.ButtonsMessage_Button{
			ButtonID: new(fmt.Sprint("b", i+1)), Type: waE2E.ButtonsMessage_Button_RESPONSE.Enum(),
			ButtonText: &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: &o},
		})
	}
	return &waE2E.Message{ButtonsMessage: m}
}

func list(text string, options []string, ctx *waE2E.ContextInfo) *waE2E.Message {
	section := &waE2E.ListMessage_Section{Title: new("Layanan")}
	for i, o := range options {
		section.Rows = append(section.Rows, &waE2E.ListMessage_Row{RowID: new(fmt.Sprint("r", i+1)), Title: &o})
	}
	return &waE2E.Message{ListMessage: &waE2E.ListMessage{
		Title: new("Menu"), Description: &text, ButtonText: new("Pilih"), ListType: waE2E.ListMessage_SINGLE_SELECT.Enum(),
		Sections: []*waE2E.ListMessage_Section{section}, ContextInfo: ctx,
	}}
}

func template(text string, options []string, ctx *waE2E.ContextInfo) *waE2E.Message {
	m := &waE2E.TemplateMessage_HydratedFourRowTemplate{HydratedContentText: &text, HydratedFooterText: new("Pesan otomatis")}
	for i, o := range options {
		b := &waE2E.HydratedTemplateButton{Index: new(uint32(i))}
		if i == 0 {
			b.HydratedButton = &waE2E.HydratedTemplateButton_UrlButton{UrlButton: &waE2E.HydratedTemplateButton_HydratedURLButton{
				DisplayText: &o, URL: new("https://contoh.id/layanan"),
			}}
		} else {
			b.HydratedButton = &waE2E.HydratedTemplateButton_QuickReplyButton{QuickReplyButton: &waE2E.HydratedTemplateButton_HydratedQuickReplyButton{
				DisplayText: &o, ID: new(fmt.Sprint("t", i)),
			}}
		}
		m.HydratedButtons = append(m.HydratedButtons, b)
	}
	return &waE2E.Message{TemplateMessage: &waE2E.TemplateMessage{
		Format:           &waE2E.TemplateMessage_HydratedFourRowTemplate_{HydratedFourRowTemplate: m},
		HydratedTemplate: m, ContextInfo: ctx,
	}}
}

// choose answers the newest buttons or list.
func (t *take) choose(choice string, ctx *waE2E.ContextInfo) *waE2E.Message {
	asked := t.last(func(m *said) bool { return m.content.GetButtonsMessage() != nil || m.content.GetListMessage() != nil })
	if asked == nil {
		return t.text(nil, choice, ctx)
	}
	t.quote(ctx)
	if asked.content.GetListMessage() != nil {
		return &waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{
			Title: &choice, ListType: waE2E.ListResponseMessage_SINGLE_SELECT.Enum(), ContextInfo: ctx,
			SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: new("r1")},
		}}
	}
	return &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
		SelectedButtonID: new("b1"), Type: waE2E.ButtonsResponseMessage_DISPLAY_TEXT.Enum(), ContextInfo: ctx,
		Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: choice},
	}}
}

// file makes a message with a file: a picture, a film, a voice, a document or a sticker.
func (t *take) file(kind, text string, rest []string, ctx *waE2E.ContextInfo) (*waE2E.Message, error) {
	var caption *string
	if text != "" {
		caption = &text
	}
	switch kind {
	case "gambar", "sekali":
		f, err := t.store(media.Image, func() []byte { return t.picture(320, 240) })
		if err != nil {
			return nil, err
		}
		m := &waE2E.ImageMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, FileLength: &f.FileLength,
			Mimetype: new("image/jpeg"), Width: new(uint32(320)), Height: new(uint32(240)), JPEGThumbnail: t.picture(32, 24),
			ContextInfo: ctx,
		}
		if kind == "sekali" {
			m.ViewOnce = new(true)
			return &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: m}}}, nil
		}
		m.Caption = caption
		return &waE2E.Message{ImageMessage: m}, nil
	case "video":
		f, err := t.store(media.Video, func() []byte { return t.bytes(2000) })
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, FileLength: &f.FileLength,
			Mimetype: new("video/mp4"), Seconds: new(uint32(5 + t.rng.IntN(50))), Width: new(uint32(480)), Height: new(uint32(848)),
			JPEGThumbnail: t.picture(24, 32), Caption: caption, ContextInfo: ctx,
		}}, err
	case "suara":
		var minutes, seconds uint32
		if _, err := fmt.Sscanf(text, "%d:%d", &minutes, &seconds); err != nil {
			return nil, fmt.Errorf("length of a voice message: %w", err)
		}
		f, err := t.store(media.Audio, func() []byte { return t.bytes(1500) })
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, FileLength: &f.FileLength,
			Mimetype: new("audio/ogg; codecs=opus"), Seconds: new(minutes*60 + seconds), PTT: new(true), Waveform: t.bytes(64), ContextInfo: ctx,
		}}, err
	case "dokumen":
		f, err := t.store(media.Document, func() []byte { return t.bytes(3000) })
		return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, FileLength: &f.FileLength,
			Mimetype: new(mimetype(text)), Title: &text, FileName: &text, PageCount: new(pages(rest)), ContextInfo: ctx,
		}}, err
	case "stiker":
		f, err := t.store(media.Image, func() []byte { return t.bytes(800) })
		return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, FileLength: &f.FileLength,
			Mimetype: new("image/webp"), Width: new(uint32(512)), Height: new(uint32(512)), IsAnimated: new(false), ContextInfo: ctx,
		}}, err
	}
	return nil, fmt.Errorf("no such kind")
}

func mimetype(name string) string {
	if strings.HasSuffix(name, ".xlsx") {
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "application/pdf"
}

func pages(rest []string) (n uint32) {
	if len(rest) > 0 {
		fmt.Sscan(rest[0], &n) // 0 when it says none
	}
	return n
}

// store makes and keeps a file, or makes up one that is gone.
func (t *take) store(kind media.Kind, plain func() []byte) (media.File, error) {
	if t.put != nil {
		return t.put(kind, plain())
	}
	path := "/v/t62.7118-24/" + base64.RawURLEncoding.EncodeToString(t.bytes(15)) + ".enc?ccb=11-4&oh=00&oe=65000000&_nc_sid=5e03e0"
	return media.File{
		URL: "https://mmg.whatsapp.net" + path + "&mms3=true", DirectPath: path, FileLength: 20_000 + t.rng.Uint64N(400_000),
		MediaKey: t.bytes(32), FileSHA256: t.bytes(32), FileEncSHA256: t.bytes(32),
	}, nil
}

func (t *take) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(t.rng.Uint32())
	}
	return b
}

// picture is a JPEG file of a colour gradient.
func (t *take) picture(width, height int) []byte {
	from, to := t.bytes(3), t.bytes(3)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	mix := func(i, y int) uint8 { return uint8((int(from[i])*(height-y) + int(to[i])*y) / height) }
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{mix(0, y), mix(1, y), mix(2, y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 40}); err != nil {
		return nil // a buffer takes everything
	}
	return b.Bytes()
}
