package sqlite

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pesan/internal/chat"
)

func TestPack(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, -1, math.MinInt64, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		last := chat.Line{
			ID: rapid.String().Draw(t, "id"), Time: number.Draw(t, "time"), Order: number.Draw(t, "order"), Expires: number.Draw(t, "expires"),
			Document: chat.JSON(rapid.String().Draw(t, "last")),
		}
		flag := func() bool { return rapid.Bool().Draw(t, "flag") }
		v := chat.View{
			JID: chat.JID(rapid.String().Draw(t, "jid")), Shows: flag(), Activity: number.Draw(t, "activity"), Time: number.Draw(t, "moved"), MuteEnd: number.Draw(t, "end"),
			Pinned: flag(), Archived: flag(), Unread: flag(), Last: last, Document: chat.JSON(rapid.String().Draw(t, "document")),
		}
		var got chat.View
		if err := unpackView(packView(&v), &got); err != nil || got != v {
			t.Fatalf("%+v comes back as %+v, %v", v, got, err)
		}
		m := chat.MessageView{
			ID: last.ID, Time: last.Time, Order: last.Order, Expires: last.Expires, Starred: flag(), Listed: flag(), Heads: flag(), Document: v.Document,
		}
		var message chat.MessageView
		if err := unpackMessage(packMessage(&m), &message); err != nil || message != m {
			t.Fatalf("%+v comes back as %+v, %v", m, message, err)
		}
	})
}

func TestUnpackBroken(t *testing.T) {
	whole := packMessage(&chat.MessageView{ID: "id", Time: 5, Document: "{}"})
	for i := range whole {
		for _, s := range []string{whole[:i], whole[:i] + "x" + whole[i:], strings.Replace(whole, "2", "99", i)} {
			var m chat.MessageView
			if err := unpackMessage(s, &m); err == nil && s != whole {
				t.Errorf("%q is taken for %+v", s, m)
			}
		}
	}
}
