// Session-host keeps the devices of a stack's accounts linked to WhatsApp: it shares the shards with the stack's other
// hosts, projects what WhatsApp tells into DynamoDB, and carries out the commands of its shards' queues.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"
	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	"pesan/internal/host"
	"pesan/internal/keystore"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/media/s3"
	"pesan/internal/metrics"
	"pesan/internal/program"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/store"
	"pesan/internal/usage"
	"pesan/internal/webhook"
	"pesan/internal/whatsapp"
)

func main() { os.Exit(program.Run("session-host", patience, command)) }

// command runs a host, or asks one how it is.
func command(ctx context.Context, args []string, out *os.File, errOut io.Writer) error {
	flags := flag.NewFlagSet("session-host", flag.ContinueOnError)
	flags.SetOutput(errOut)
	check := flags.Bool("health", false, "ask the host that runs here whether it works, and end with 0 if so")
	flags.Usage = func() {
		fmt.Fprint(errOut, "Session-host links the accounts of a Pesan stack to WhatsApp.\n\nFlags:\n")
		flags.PrintDefaults()
		fmt.Fprint(errOut, environment)
	}
	if err := flags.Parse(args); err != nil {
		return errors.Join(program.ErrUsage, err)
	}
	if *check {
		return askHealth(ctx, os.LookupEnv)
	}
	s, err := read(ctx, os.LookupEnv)
	if err != nil {
		return fmt.Errorf("the environment is wrong:\n%w", err)
	}
	lines := &lineWriter{to: out}
	s.name = "host-" + ulid.MustNew(ulid.Now(), rand.Reader).String()
	logger := slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: s.level})).With("host", s.name)
	client, err := whatsapp.Globals{Address: s.whatsAppAddress, RootKey: s.whatsAppRootKey, Logger: logger}.Set()
	if err != nil {
		return err
	}
	return run(ctx, s, client, logger, lines)
}

// What was counted is stored so often, and the limits of months are looked after; each costs some units for every account that
// uses something or has limits.
const (
	storeUsage  = time.Minute
	watchLimits = 5 * time.Minute
)

// run works until ctx ends, and then hands everything over. It returns when the last polls of the queues have ended. client
// reaches WhatsApp, nil the real one; metrics go to lines.
func run(ctx context.Context, s settings, client *http.Client, logger *slog.Logger, lines io.Writer) error {
	listener, err := net.Listen("tcp", s.health)
	if err != nil {
		return fmt.Errorf("listen for health checks: %w; set HEALTH_ADDRESS to a free host:port", err)
	}
	s.aws.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
		logger.Debug("AWS SDK", "says", fmt.Sprintf(format, args...))
	})
	m := metrics.New(s.stack, time.Now)
	db := kvdynamodb.New(dynamodb.NewFromConfig(s.aws, kvdynamodb.Tuned), s.tables, time.Now)
	all := store.New(db, store.Options{Compression: store.Zstd, FeedAge: s.feedAge})
	stores := func(o chat.Ownership) host.Stores {
		owned := all.Owned(o)
		return host.Stores{
			Accounts: m.Accounts(owned), Chats: m.Chats(owned), Commands: m.Commands(owned), Reports: owned, Backlog: owned, Batches: owned,
		}
	}
	sqsClient := sqs.NewFromConfig(s.aws, sqsqueue.Tuned)
	queue := sqsqueue.NewReceiver(sqsClient, s.queues, chat.VisibilityTimeout)
	defer queue.Close()
	sender := sqsqueue.NewSender(sqsClient, s.queues)
	meter := usage.New(all, rand.Text(), time.Now)
	events := sqsqueue.NewEventQueue(sqsClient, s.events)
	h := host.New(host.Config{
		Name: s.name, Queues: len(s.queues), Leases: m.Leases(all), Stores: stores, Queue: queue, Sender: sender, Batches: sender,
		Devices: m.Devices(whatsapp.New(whatsapp.Config{
			Keys:   keystore.New(db, keystore.Options{Log: logger}),
			Stores: stores, HTTP: client, Now: time.Now, Logger: logger, News: meter.News,
			Media: s3.New(awss3.NewFromConfig(s.aws, s3.Tuned), s.bucket), MaxMedia: s.maxMedia,
		})),
		Beside: func(ctx context.Context, o chat.Ownership, shards []int) {
			owned := all.Owned(o)
			var limits sync.WaitGroup
			limits.Go(func() { usage.Watch(ctx, all, shards, all, watchLimits, time.Now, logger) })
			defer limits.Wait()
			webhook.NewForwarder(webhook.Config{
				Accounts: owned, Feed: owned, Messages: owned, Hooks: owned, Reports: owned, Sink: events, Shards: shards,
				Now: time.Now, Logger: logger,
			}).Run(ctx)
		},
		Now: time.Now, Logger: logger, Poll: host.CloudPoll, Alone: host.CloudAlone, MaxRate: s.rate,
	})
	logger.Info("host starts", "queues", len(s.queues), "health", listener.Addr().String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.Run(ctx) })
	group.Go(func() error { return m.Run(ctx, lines) })
	group.Go(func() error {
		meter.Run(ctx, storeUsage, logger)
		return nil
	})
	group.Go(func() error { return serveHealth(ctx, listener, m.Beat) })
	err = group.Wait()
	logger.Info("host has ended; its last polls still do", "error", err)
	return err
}
