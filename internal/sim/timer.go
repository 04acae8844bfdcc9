package sim

import (
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// timers are the times in seconds after which WhatsApp lets messages disappear.
var timers = map[uint32]bool{0: true, 86400: true, 604800: true, 7776000: true}

// Timer sets after which time the messages of a private chat disappear.
func Timer(seconds uint32) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
		EphemeralExpiration: proto.Uint32(seconds), EphemeralSettingTimestamp: proto.Int64(time.Now().Unix()),
	}}
}

// checkTimer refuses a timer that WhatsApp's clients pass over.
func checkTimer(m *waE2E.Message, now time.Time) error {
	p := m.GetProtocolMessage()
	if p.GetType() != waE2E.ProtocolMessage_EPHEMERAL_SETTING {
		return nil
	}
	set := time.Unix(p.GetEphemeralSettingTimestamp(), 0)
	if p.EphemeralExpiration == nil || !timers[p.GetEphemeralExpiration()] || now.Sub(set).Abs() > 24*time.Hour {
		return fmt.Errorf("timer of %d s, set at %d", p.GetEphemeralExpiration(), p.GetEphemeralSettingTimestamp())
	}
	return nil
}

// TimerOf is the time in seconds after which the messages of the private chat with somebody disappear.
func (c *Contact) TimerOf(with *Contact) (seconds uint32) {
	for _, m := range slices.Backward(c.Received()) {
		if p := m.Message.GetProtocolMessage(); p.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING && p.Type != nil &&
			m.Chat.Server != types.GroupServer && c.s.find(m.Chat) == with {
			return p.GetEphemeralExpiration()
		}
	}
	return 0
}
