package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/sim"
)

const hostedHooks = 200

// runHosted measures what lies between a message that the session host has stored, which it then acknowledges to WhatsApp, and
// its event at an endpoint: host, DynamoDB Local, ElasticMQ, and the function that sends, which this program hands what is on the
// queue.
func (b *bench) runHosted(ctx context.Context) (_ []row, err error) {
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	dist := filepath.Join(b.folder, "deliverer")
	if err := makeProgram(ctx, "functions", "ARCH="+runtime.GOARCH, "DIST="+dist,
		"FUNCTIONS=./functions/deliver-webhook"); err != nil {
		return nil, err
	}
	queue := sqs.New(sqs.Options{Region: region, BaseEndpoint: &c.sqs.URL, Credentials: keysOfTest()}, sqsqueue.Tuned)
	made, err := queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("bench-events.fifo"),
		Attributes: map[string]string{
			"FifoQueue": "true", "VisibilityTimeout": "60",
		}})
	if err != nil {
		return nil, err
	}
	eventQueue := "EVENT_QUEUE_URL=" + *made.QueueUrl
	a := &arrivals{came: make(chan struct{}, 1)}
	receiver, err := serve(a)
	if err != nil {
		return nil, err
	}
	defer receiver.close()
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	host, err := c.run(ctx, s, eventQueue)
	if err != nil {
		return nil, err
	}
	defer host.stop()
	l, err := serveLambda()
	if err != nil {
		return nil, err
	}
	defer l.close()
	f := &functions{c, dist}
	function, err := f.bootstrap(ctx, l, "deliver-webhook", eventQueue, "WEBHOOK_LOOPBACK=true")
	if err != nil {
		return nil, err
	}
	defer function.stop()
	handing, stop := context.WithCancel(ctx)
	var lambda errgroup.Group
	lambda.Go(func() error { return handOver(handing, queue, *made.QueueUrl, l) })
	defer func() { stop(); err = errors.Join(err, lambda.Wait()) }()

	delays, err := c.hostedDelays(ctx, s, receiver.url(), a)
	if err != nil {
		return nil, err
	}
	p50, p99 := delays[len(delays)/2], delays[len(delays)*99/100]
	return []row{
		{"message stored to webhook received, host with local AWS parts, p50", ms(p50), "500 ms", p50 <= 500*time.Millisecond},
		{"the same, p99", ms(p99), "2 s", p99 <= 2*time.Second},
	}, nil
}

// hostedDelays links a device whose messages go to a URL, and has somebody write, message by message.
func (c *cloud) hostedDelays(ctx context.Context, s *sim.Server, url string, a *arrivals) (delays []time.Duration, err error) {
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{})
	if err != nil {
		return nil, err
	}
	budi, err := s.NewContact(phoneNumber(2), "", "Budi")
	if err != nil {
		return nil, err
	}
	key, err := c.addDevice(ctx, "hosted")
	if err != nil {
		return nil, err
	}
	opens, err := chat.ParseKey(key)
	if err != nil {
		return nil, err
	}
	secret, err := chat.NewHookSecret(ulid.DefaultEntropy())
	if err != nil {
		return nil, err
	}
	hook := chat.Hook{URL: url, Events: []chat.EventKind{chat.MessageEvent}, CreatedAt: time.Now()}
	if err := c.store().SetHook(ctx, opens.AccountID, hook, secret); err != nil {
		return nil, err
	}
	device, err := c.api.link(ctx, key, phone)
	if err != nil {
		return nil, err
	}
	for i := -hostedHooks / 10; i < hostedHooks; i++ { // the first ones warm Java up
		id, err := budi.Send(ctx, phone, sim.Text("halo"), sim.SendOptions{})
		if err != nil {
			return nil, err
		}
		if err := device.WaitAcked(ctx, id); err != nil {
			return nil, err
		}
		stored := time.Now()
		if err := a.wait(ctx, i+hostedHooks/10+1); err != nil {
			return nil, err
		}
		if i >= 0 {
			delays = append(delays, max(a.at[i+hostedHooks/10].Sub(stored), 0))
		}
	}
	slices.SortFunc(delays, cmp.Compare)
	return delays, nil
}

// handOver plays what Lambda does with a queue: it hands the function what is there, and deletes what isn't told to have failed.
func handOver(ctx context.Context, queue *sqs.Client, url string, l *lambdaService) error {
	for ctx.Err() == nil {
		out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10,
			WaitTimeSeconds: 5})
		if err != nil || len(out.Messages) == 0 {
			continue
		}
		var in events.SQSEvent
		receipts := make(map[string]*string)
		for _, m := range out.Messages {
			in.Records = append(in.Records, events.SQSMessage{MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle,
				Body: *m.Body})
			receipts[*m.MessageId] = m.ReceiptHandle
		}
		payload, err := json.Marshal(in)
		if err != nil {
			return err
		}
		answer, err := l.invoke(context.WithoutCancel(ctx), payload)
		if err != nil {
			return err
		}
		var left events.SQSEventResponse
		if err := json.Unmarshal(answer.body, &left); err != nil {
			return err
		}
		for _, f := range left.BatchItemFailures {
			delete(receipts, f.ItemIdentifier)
		}
		for _, receipt := range receipts {
			_, _ = queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: receipt}) // the function has, mostly
		}
	}
	return nil
}
