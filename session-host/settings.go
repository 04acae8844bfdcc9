package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"pesan/internal/chat"
	"pesan/internal/env"
	"pesan/internal/kv"
	"pesan/internal/kv/dynamodb"
	sqsqueue "pesan/internal/queue/sqs"
)

// settings are what the environment says.
type settings struct {
	name     string // of this host, like no other's
	aws      aws.Config
	stack    string
	tables   dynamodb.Tables
	queues   sqsqueue.Queues
	bucket   string // of the files of messages
	maxMedia int64  // bytes of such a file
	events   string // URL of the queue of events
	health   string // host:port of the health check
	level    slog.Level
	feedAge  time.Duration
	rate     int // operations of a batch a second, at most

	whatsAppAddress, whatsAppRootKey string
}

const environment = `
Environment:
  ACCOUNTS_TABLE CHATS_TABLE MESSAGES_TABLE COMMANDS_TABLE REPORTS_TABLE WORK_TABLE DEVICES_TABLE HOOKS_TABLE SECRETS_TABLE
                     names of the DynamoDB tables
  QUEUE_URL          URL of the SQS queues, with their numbers in braces: https://sqs.example/1/pesan-{0,1,2,3}.fifo
  EVENT_QUEUE_URL    URL of the SQS queue of events for webhooks
  STACK_NAME         dimension of the metrics
  HEALTH_ADDRESS     host:port where -health asks the running host (127.0.0.1:8686)
  BATCH_RATE         operations of a batch a second, at most (50)
  FEED_DAYS          days for which the feed's entries are kept; the functions must say the same (7)
  MEDIA_BUCKET       the bucket for the files of messages
  MEDIA_LIMIT        MiB that such a file may have; 0: none is fetched (100)
  LOG_LEVEL          debug, info, warn or error (info)
  WHATSAPP_ADDRESS   host:port of another WhatsApp server, without TLS
  WHATSAPP_ROOT_KEY  the key that signs its certificates, 32 bytes in hex
  AWS_…              as every AWS SDK reads them; ECS sets what it needs
`

// defaultHealth is where a host tells how it is. Only its own container reaches it.
const defaultHealth = "127.0.0.1:8686"

// read reads the environment and reports all that is wrong with it at once.
func read(ctx context.Context, lookup func(string) (string, bool)) (settings, error) {
	r := env.New(lookup)
	table := func(variable string) string { return r.Required(variable, "the name of a DynamoDB table") }
	s := settings{
		stack: r.Required("STACK_NAME", "the dimension of the metrics"),
		tables: dynamodb.Tables{
			kv.Accounts: table("ACCOUNTS_TABLE"), kv.Chats: table("CHATS_TABLE"), kv.Messages: table("MESSAGES_TABLE"),
			kv.Commands: table("COMMANDS_TABLE"), kv.Reports: table("REPORTS_TABLE"), kv.Work: table("WORK_TABLE"),
			kv.Devices: table("DEVICES_TABLE"), kv.Hooks: table("HOOKS_TABLE"), kv.Secrets: table("SECRETS_TABLE"),
		},
		queues:          queues(r),
		events:          r.Required("EVENT_QUEUE_URL", "the URL of the queue of events for webhooks"),
		health:          r.Address("HEALTH_ADDRESS", defaultHealth),
		level:           env.Get(r, "LOG_LEVEL", slog.LevelInfo, parseLevel),
		bucket:          r.Required("MEDIA_BUCKET", "the name of the bucket for the files of messages"),
		maxMedia:        int64(r.Int("MEDIA_LIMIT", 100, 0, 2000)) << 20,
		feedAge:         time.Duration(r.Int("FEED_DAYS", 7, 1, chat.MostFeedDays)) * chat.LeastFeedAge,
		rate:            r.Int("BATCH_RATE", chat.BatchRateBound, 1, chat.MaxBatchRate),
		whatsAppAddress: r.Address("WHATSAPP_ADDRESS", ""),
	}
	if key := r.Key("WHATSAPP_ROOT_KEY"); key != nil {
		s.whatsAppRootKey = fmt.Sprintf("%x", key[:])
	}
	if has := func(name string) bool { return r.String(name, "") != "" }; has("WHATSAPP_ADDRESS") != has("WHATSAPP_ROOT_KEY") {
		r.Reject("WHATSAPP_ADDRESS, WHATSAPP_ROOT_KEY", "both must be set, or none")
	}
	var err error
	if s.aws, err = config.LoadDefaultConfig(ctx); err != nil {
		r.Reject("AWS_…", err.Error())
	} else if s.aws.Region == "" {
		r.Reject("AWS_REGION", "is not set; it is where the tables and queues are")
	}
	return s, r.Err()
}

// queues reads the URLs of the shards' queues.
func queues(r *env.Reader) sqsqueue.Queues {
	const name = "QUEUE_URL"
	if r.Required(name, "the URL of the command queues, with their numbers in braces") == "" {
		return nil
	}
	return env.Get(r, name, nil, sqsqueue.ParseQueues)
}

func parseLevel(text string) (level slog.Level, err error) {
	if level.UnmarshalText([]byte(text)) != nil {
		err = fmt.Errorf("must be debug, info, warn or error")
	}
	return level, err
}

// patience is how long an orderly end may take: a few seconds to hand over, and as long as a poll of a queue takes, which SQS
// lets nobody take back. ECS waits for the task definition's StopTimeout.
const patience = 28 * time.Second
