package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/kv"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

const (
	batched   = 10_000
	roundTrip = 50 * time.Millisecond // to WhatsApp
	beside    = 100                   // mutes by hand

	apiGatewayTime = 30 * time.Second // that a call may take
)

// runBatch measures a batch that mutes all chats as fast as WhatsApp answers, and a single mute beside it, in the one process.
func (b *bench) runBatch(ctx context.Context) ([]row, error) {
	s, phone, err := batchWorld()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := b.run(ctx, s, filepath.Join(b.folder, "batch"), "BATCH_RATE=10000")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	m, err := measureBatch(ctx, p.api, p.process, phone)
	if err != nil {
		return nil, err
	}
	return m.rows("batch", time.Second), nil
}

// batchWorld is a WhatsApp with a phone of many chats.
func batchWorld() (*sim.Server, *sim.Phone, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, nil, err
	}
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{Inbox: &media.Inbox{Conversations: shortConversations,
		Count: batched + 1}})
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, phone, nil
}

// batchMeasured is how a batch went.
type batchMeasured struct {
	key            string
	accepted, took time.Duration
	slowest        time.Duration // mute by hand
	each           float64       // operations a round trip
	cpu            time.Duration // of the host, an operation
	growth         float64       // of the host's memory, in bytes
}

// rows has the call that creates the batch take no longer than accept.
func (m *batchMeasured) rows(name string, accept time.Duration) []row {
	return []row{
		{fmt.Sprintf("createBatch of %d mutes, request to answer", batched), ms(m.accepted), ms(accept), m.accepted <= accept},
		{fmt.Sprintf("%s of %d mutes at 50 ms a round trip; CPU of the host %s each", name, batched, ms(m.cpu)),
			fmt.Sprintf("%.1f s", m.took.Seconds()), "60 s", m.took <= time.Minute},
		{name + ": mutes a round trip", fmt.Sprintf("%.0f", m.each), "40", m.each >= 40},
		{fmt.Sprintf("muteChat beside a batch of %d: slowest of %d", batched, beside),
			ms(m.slowest), "2000 ms", m.slowest <= 2*time.Second},
		{name + ", and one with mutes by hand beside: growth of resident memory",
			fmt.Sprintf("%.0f MB", m.growth/1e6), "50 MB", m.growth < 50e6},
	}
}

// measureBatch links a phone, mutes its chats, and unmutes them while another one is muted by hand. It calls around, if given,
// before and after the first batch.
func measureBatch(ctx context.Context, a api, host *process, phone *sim.Phone, around ...func()) (*batchMeasured, error) {
	m := &batchMeasured{}
	var err error
	if m.key, err = a.addDevice(ctx, "batch"); err != nil {
		return nil, err
	}
	device, err := a.link(ctx, m.key, phone)
	if err != nil {
		return nil, err
	}
	if err := device.WaitDrained(ctx); err != nil {
		return nil, err
	}
	// The chats are listed before their messages come; the phone sends the oldest last.
	for ready := false; !ready; time.Sleep(200 * time.Millisecond) {
		n, err := a.chats(ctx, m.key)
		if err == nil && n == batched+1 {
			ready, err = a.holds(ctx, m.key, conversationJID(batched), 1)
		}
		if err != nil {
			return nil, err
		}
	}
	device.Inject(sim.Fault{Kind: sim.Slow, For: "w:sync:app:state", Delay: roundTrip})
	before, err := host.resident("VmRSS")
	if err != nil {
		return nil, err
	}
	cpu, err := host.cpu()
	if err != nil {
		return nil, err
	}
	for _, f := range around {
		f()
	}
	patches, began := phone.AppState().Version("regular_high"), time.Now()
	if err := a.createBatch(ctx, m.key, "mute"); err != nil {
		return nil, err
	}
	m.accepted = time.Since(began)
	done, err := a.batchEnds(ctx, m.key)
	if err != nil {
		return nil, err
	}
	m.took = time.Since(began)
	for _, f := range around {
		f()
	}
	used, err := host.cpu()
	if err != nil {
		return nil, err
	}
	m.cpu = (used - cpu) / batched
	m.each = float64(done) / float64(phone.AppState().Version("regular_high")-patches)
	if err := a.createBatch(ctx, m.key, "unmute"); err != nil {
		return nil, err
	}
	for range beside {
		asked := time.Now()
		if _, err := a.call(ctx, "muteChat", "apiKey", m.key, "phone", conversationJID(batched), "second", "3600"); err != nil {
			return nil, err
		}
		m.slowest = max(m.slowest, time.Since(asked))
	}
	if _, err := a.batchEnds(ctx, m.key); err != nil {
		return nil, err
	}
	most, err := host.resident("VmHWM")
	m.growth = most - before
	return m, err
}

// createBatch has an operation be done on all chats but the last.
func (p api) createBatch(ctx context.Context, key, op string) error {
	operations := make([]map[string]string, batched)
	for i := range operations {
		operations[i] = map[string]string{"op": op, "phone": conversationJID(i)}
	}
	list, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	form := url.Values{"apiKey": {key}, "rate": {"10000"}, "operations": {string(list)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/createBatch", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("createBatch answers %s", answer.Status)
	}
	return nil
}

// batchEnds waits for the end of the newest batch, and returns how many operations were done.
func (p api) batchEnds(ctx context.Context, key string) (int, error) {
	for {
		var now struct {
			Results struct {
				State  string
				Counts struct{ Done int }
			}
		}
		body, err := p.call(ctx, "getBatch", "apiKey", key, "limit", "1")
		if err == nil {
			err = json.Unmarshal(body, &now)
		}
		if err != nil {
			return 0, err
		}
		if now.Results.State == "done" {
			return now.Results.Counts.Done, nil
		}
		time.Sleep(500 * time.Millisecond) // a poll takes of what is measured
	}
}

// runCloudBatch measures the same with a session host on DynamoDB Local and ElasticMQ, what it takes of them, and the function
// that accepts as many operations as a batch may have.
func (b *bench) runCloudBatch(ctx context.Context) ([]row, error) {
	s, phone, err := batchWorld()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	tables, err := serveMetered(c.dynamoDB.URL)
	if err != nil {
		return nil, err
	}
	defer tables.close()
	queue, err := serveMetered(c.queueAt)
	if err != nil {
		return nil, err
	}
	defer queue.close()
	c.tablesAt, c.queueAt = tables.url(), queue.url()
	c.server.close()
	c.db = c.client(kvdynamodb.Tuned)
	if err := c.serve(ctx); err != nil {
		return nil, err
	}
	host, err := c.run(ctx, s, "BATCH_RATE=10000")
	if err != nil {
		return nil, err
	}
	defer func() { host.stop() }()
	var requests int
	var writes map[string]float64
	m, err := measureBatch(ctx, c.api, host, phone, func() {
		requests, _ = queue.take()
		_, writes = tables.take()
	})
	if err != nil {
		return nil, fmt.Errorf("%w; the host: %s", err, host.errs.String())
	}
	chats := writes[c.tables[kv.Chats]]
	all := 0.0
	for _, units := range writes {
		all += units
	}
	of := func(units float64) float64 { return units / batched }
	host.stop()
	rows := append(m.rows("batch on DynamoDB", apiGatewayTime),
		row{
			fmt.Sprintf("batch on DynamoDB: write units an operation beside the chat and its feed (these %.2f; keys %.2f), the host's beats included",
				of(chats), of(writes[c.tables[kv.Devices]])),
			fmt.Sprintf("%.2f", of(all-chats)), "2", of(all-chats) <= 2,
		},
		row{
			"batch on DynamoDB: SQS requests an operation, polls included",
			fmt.Sprintf("%.3f", of(float64(requests))), "0.05",
			of(float64(requests)) <= 0.05,
		})
	accepts, err := b.acceptsMany(ctx, c, m.key)
	return append(rows, accepts...), err
}

// acceptsMany has the function take a CSV of as many operations as there may be, as Lambda would.
func (b *bench) acceptsMany(ctx context.Context, c *cloud, key string) ([]row, error) {
	dist := filepath.Join(b.folder, "batch-functions")
	if err := makeProgram(ctx, "functions", "ARCH="+runtime.GOARCH, "DIST="+dist,
		"FUNCTIONS=./functions/create-batch"); err != nil {
		return nil, err
	}
	var csv strings.Builder
	csv.WriteString("op,phone\n")
	kinds := []string{"mute", "archive", "unread", "clear", "deleteChat"}
	most := min(chat.MaxOperations, len(kinds)*batched)
	for _, op := range kinds {
		for i := range most / len(kinds) {
			fmt.Fprintf(&csv, "%s,%s\n", op, conversationJID(i))
		}
	}
	l, err := serveLambda()
	if err != nil {
		return nil, err
	}
	defer l.close()
	both, err := c.serveBoth()
	if err != nil {
		return nil, err
	}
	defer both.close()
	p, err := (&functions{c, dist}).bootstrap(ctx, l, "create-batch", "AWS_ENDPOINT_URL="+both.url())
	if err != nil {
		return nil, err
	}
	defer p.stop()
	event := callEvent("createBatch")
	var call events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event, &call); err != nil {
		return nil, err
	}
	call.RawQueryString, call.Headers["content-type"], call.Headers["x-api-key"] = "wait=true", "text/csv", key
	call.QueryStringParameters = map[string]string{"wait": "true"}
	call.Body = base64.StdEncoding.EncodeToString([]byte(csv.String()))
	if event, err = json.Marshal(call); err != nil {
		return nil, err
	}
	began := time.Now()
	answered, err := l.invoke(ctx, event)
	if err != nil {
		return nil, err
	}
	took := answered.at.Sub(began)
	var a struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal(answered.body, &a); err != nil || a.StatusCode != http.StatusAccepted ||
		!strings.Contains(a.Body, fmt.Sprintf(`"accepted":%d`, most)) {
		return nil, fmt.Errorf("createBatch answers %.300s; the function: %s", answered.body, p.errs.String())
	}
	memory, err := p.resident("VmHWM")
	if err != nil {
		return nil, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return nil, err
	}
	return []row{
		{
			fmt.Sprintf("createBatch in a function: %d operations, %.1f MB of CSV; CPU %s", most, float64(csv.Len())/1e6, ms(cpu)),
			fmt.Sprintf("%.1f s", took.Seconds()), "30 s", took <= 30*time.Second,
		},
		{"createBatch in a function: resident memory at most", fmt.Sprintf("%.0f MB", memory/1e6), "512 MB", memory <= 512e6},
	}, nil
}

// shortConversations yields chats of one message each, newest first.
func shortConversations(yield func(*waHistorySync.Conversation) bool) {
	now := uint64(time.Now().Unix())
	for i := range batched + 1 {
		jid := conversationJID(i)
		c := &waHistorySync.Conversation{ID: &jid, ConversationTimestamp: proto.Uint64(now - uint64(i))}
		c.Messages = []*waHistorySync.HistorySyncMsg{{MsgOrderID: proto.Uint64(uint64(batched + 1 - i)),
			Message: &waWeb.WebMessageInfo{
				Key: &waCommon.MessageKey{RemoteJID: &jid, FromMe: proto.Bool(false),
					ID: proto.String(fmt.Sprintf("3EB0%06X", i))},
				Message:          &waE2E.Message{Conversation: proto.String("halo")},
				MessageTimestamp: proto.Uint64(now - uint64(i)),
				Status:           waWeb.WebMessageInfo_READ.Enum(),
			}}}
		if !yield(c) {
			return
		}
	}
}
