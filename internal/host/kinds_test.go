package host

import (
	"testing"

	"pesan/internal/chat"
)

// TestUnknownKindIsRefused gives kinds that Validate doesn't know to what comes behind it: whoever adds a kind there and
// forgets it here must not have another command carried out in its place.
func TestUnknownKindIsRefused(t *testing.T) {
	a := chat.Account{On: true, JID: "6281234567890@s.whatsapp.net"}
	for _, kind := range []chat.CommandKind{"explode", "", "Clear", "mute "} {
		// A shard without devices: anything that were carried out would panic.
		err := caught(func() error {
			return new(shard).executeCommand(t.Context(), &link{}, a, chat.Command{Kind: kind, Chat: a.JID})
		})
		if chat.CodeOf(err) != chat.InvalidParameter {
			t.Errorf("%q: %v", kind, err)
		}
	}
}
