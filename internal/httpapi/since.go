package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/http"
	"strings"

	"pesan/internal/chat"
)

// since is the position that the client goes on from; ok is false where it starts.
func (c *call) since() (p chat.Position, ok bool, err error) {
	text := c.params.get("since")
	if text == "" {
		return p, false, nil
	}
	p, err = chat.ParsePosition(text)
	return p, true, err
}

var errBothWays = &refusal{chat.InvalidParameter,
	"Parameter since dan cursor tidak bisa dipakai bersama: lanjutkan dengan nextSince.",
	"The parameters since and cursor don't go together: go on with nextSince."}

// pageOrSince reads which part of an answer is wanted: a page of all, or what has changed since a position, which follows tells.
func (c *call) pageOrSince(limit int) (p chat.Page, since chat.Position, follows bool, err error) {
	if p, err = c.page(limit); err != nil {
		return p, since, false, err
	}
	if since, follows, err = c.since(); err == nil && follows && p.Cursor != "" {
		err = errBothWays
	}
	return p, since, follows, err
}

// unlessSame answers 304 in place of what read would answer, where the client has that. It looks at the end of the feed alone,
// unless glance is another way to find out.
func unlessSame(feed chat.Deltas, glance func(context.Context, *call, chat.Position) (bool, error), read begin) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		has, tag, ok := c.has()
		if !ok {
			return read(ctx, c)
		}
		same, err := true, error(nil)
		if glance != nil {
			same, err = glance(ctx, c, has)
		} else {
			same, err = feed.Still(ctx, c.claimed, has)
		}
		if err != nil || !same {
			return read(ctx, c)
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if c.tag(has, a) == tag {
				c.etag = tag
				return http.StatusNotModified, nil
			}
			then, err := read(ctx, c)
			if err != nil {
				return 0, err
			}
			return then(ctx, c, a)
		}, nil
	}
}

// maxTags is how many tags a client may name.
const maxTags = 20

// has is what the client has of the answer, by If-None-Match: a tag that may still be the answer's.
func (c *call) has() (p chat.Position, tag string, ok bool) {
	if c.params.get("since") != "" {
		return p, "", false
	}
	tags := strings.Split(c.request.header("If-None-Match"), ",")
	for _, tag := range tags[:min(len(tags), maxTags)] {
		tag = strings.TrimSpace(tag)
		text, _, cut := strings.Cut(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), ".")
		if p, err := chat.ParsePosition(text); cut && err == nil && (p.Until == 0 || p.Until > c.now.Unix()) {
			if !strings.HasPrefix(tag, "W/") { // the comparison is the weak one, whatever the client made of the tag
				tag = "W/" + tag
			}
			return p, tag, true
		}
	}
	return p, "", false
}

var tagEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// tag is the answer's entity tag: the position that it was read at, and a sum of what it depends on besides. It is a weak one,
// since asOf isn't counted: it moves with every event, also where nothing has changed.
func (c *call) tag(p chat.Position, a chat.Account) string {
	sum := sha256.New()
	part := func(s string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		sum.Write(size[:])
		sum.Write([]byte(s))
	}
	for _, s := range []string{c.endpoint.Name, a.ID, string(a.Number()), string(a.State), a.EmptiedAt.String()} {
		part(s)
	}
	for _, name := range c.endpoint.Params {
		part(c.params.get(name))
	}
	return `W/"` + p.String() + "." + tagEncoding.EncodeToString(sum.Sum(nil)[:10]) + `"`
}

// end is where to follow the feed from what is read afterwards.
func (c *call) end(ctx context.Context, feed chat.Deltas) (chat.Position, error) {
	p, err := feed.End(ctx, c.claimed)
	return p.Before(c.now), err
}

// ids appends a list of chats as answers name them.
func (c *call) ids(name string, jids []chat.JID) {
	c.out = append(c.out, ',', '"')
	c.out = append(append(c.out, name...), `":`...)
	if jids == nil {
		jids = []chat.JID{}
	}
	c.json(jids)
}
