package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/e2e"
	"pesan/internal/chat"
	"pesan/internal/testkit/sqslocal"
)

// TestFunctionsOfALaterRelease: functions change before the hosts do, and may send what this host doesn't know.
func TestFunctionsOfALaterRelease(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newStack(t, 1, nil)
	s.start(nil)
	d := s.linked(ctx, 1)[0]
	accounts, err := s.accounts.AccountsOf(ctx, chat.ShardsOf(0, 1))
	must(t, err)
	friend := d.Friends[0].PN().User
	body, err := json.Marshal(chat.Command{
		Version: chat.CommandVersion, ID: "of-tomorrow", Account: accounts[0].ID, Kind: chat.MuteCommand, Seconds: 1000,
		Chat: chat.JID(friend + "@s.whatsapp.net"), RequestedAt: time.Now(),
	})
	must(t, err)
	_, err = sqslocal.Client(t).SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &s.queues[0], MessageGroupId: &accounts[0].ID, MessageDeduplicationId: aws.String("of-tomorrow"),
		MessageBody: aws.String(strings.TrimSuffix(string(body), "}") + `,"priority":{"class":"low"}}`),
	})
	must(t, err)
	must(t, e2e.Until(ctx, "the command's end", func() (bool, error) {
		reports, err := d.Reports(ctx)
		for _, r := range reports {
			if r.CommandID == "of-tomorrow" && r.Command == "done" {
				return true, err
			}
		}
		return false, err
	}))
	if _, muted := e2e.Muted(d.Phone, d.Friends[0].PN()); !muted {
		t.Error("the phone has no mute")
	}
}
