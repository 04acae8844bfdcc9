package sim

import (
	"strconv"
	"time"
)

// LockTime has WhatsApp forbid the account something until an end, or with the zero time nothing any more.
func (p *Phone) LockTime(kind string, until time.Time) {
	data := map[string]any{"is_active": !until.IsZero()}
	if !until.IsZero() {
		data["enforcement_type"], data["time_enforcement_ends"] = kind, strconv.FormatInt(until.Unix(), 10)
	}
	p.tellMex("NotificationUserReachoutTimelockUpdate", "xwa2_notify_account_reachout_timelock", data)
}

// Quota is how many chats the account may begin.
type Quota struct {
	Status      string
	Used, Total int
	Until, Sent time.Time
}

// CapNewChats has WhatsApp tell how many chats the account may begin.
func (p *Phone) CapNewChats(q Quota) {
	p.tellMex("MessageCappingInfoNotification", "xwa2_notify_new_chat_messages_capping_info_update", map[string]any{
		"capping_status": q.Status, "ote_status": "NOT_ELIGIBLE", "mv_status": "NOT_ELIGIBLE", "used_quota": q.Used, "total_quota": q.Total,
		"cycle_end_timestamp":   strconv.FormatInt(q.Until.Unix(), 10),
		"server_sent_timestamp": strconv.FormatInt(q.Sent.Unix(), 10),
	})
}
