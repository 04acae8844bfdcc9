package whatsapp

import (
	"encoding/json"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"pesan/internal/chat"
)

// leastLock is how long a lock holds whose end WhatsApp doesn't tell, as in its clients.
const leastLock = time.Minute

// limitNotice is what WhatsApp tells when it limits the account. Clients write numbers also as texts.
type limitNotice struct {
	Data struct {
		TimeLock *struct {
			Active bool        `json:"is_active"`
			Kind   string      `json:"enforcement_type"`
			Ends   json.Number `json:"time_enforcement_ends"`
		} `json:"xwa2_notify_account_reachout_timelock"`
		NewChats *struct {
			Status string      `json:"capping_status"`
			Used   json.Number `json:"used_quota"`
			Total  json.Number `json:"total_quota"`
			Ends   json.Number `json:"cycle_end_timestamp"`
			Sent   json.Number `json:"server_sent_timestamp"`
		} `json:"xwa2_notify_new_chat_messages_capping_info_update"`
	} `json:"data"`
}

// handleLimits stores what a notification says of limits on the account, before whatsmeow acknowledges it. whatsmeow knows one of
// the two and tells of it afterwards.
func (r *run) handleLimits(node *waBinary.Node) error {
	if node.Tag != "notification" || node.Attrs["type"] != "mex" {
		return nil
	}
	told := node.AttrGetter().OptionalUnixTime("t")
	for _, update := range node.GetChildrenByTag("update") {
		text, _ := update.Content.([]byte)
		var notice limitNotice
		if json.Unmarshal(text, &notice) != nil {
			continue // another's, or nobody's
		}
		lock, capped := notice.Data.TimeLock, notice.Data.NewChats
		if lock == nil && capped == nil {
			continue
		}
		err := r.Accounts.UpdateAccount(r.ctx, r.account, func(a *chat.Account) error {
			if lock != nil {
				a.Imposed.TimeLock = nil
				if lock.Active {
					ends := moment(lock.Ends)
					if ends.IsZero() {
						ends = told.Add(leastLock)
					}
					a.Imposed.TimeLock = &chat.TimeLock{Kind: lock.Kind, Until: ends}
				}
			}
			if capped != nil {
				used, _ := capped.Used.Int64()
				total, _ := capped.Total.Int64()
				sent, _ := capped.Sent.Int64()
				a.Imposed.Learn(chat.NewChats{Status: capped.Status, Used: used, Total: total, Until: moment(capped.Ends),
					Told: sent})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store limits of the account: %w", err)
		}
	}
	return nil
}

// moment is a time that WhatsApp gives in seconds; zero for none.
func moment(seconds json.Number) time.Time {
	n, err := seconds.Int64()
	if err != nil || n <= 0 || n > 1e11 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
