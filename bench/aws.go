package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/kv"
	kvdynamodb "pesan/internal/kv/dynamodb"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/sim"
	"pesan/internal/store"
	"pesan/internal/testkit/dynamolocal"
	"pesan/internal/testkit/localserver"
	"pesan/internal/testkit/sqslocal"
)

// checkJava tells what the measurements on AWS need.
func checkJava() error {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			return errors.New("DynamoDB Local and ElasticMQ need Java 17 and Maven, and there is no " + program +
				`; BENCH="demo reads mute messages history" does without`)
		}
	}
	return nil
}

// makeProgram has the Makefile build for AWS: the flags are its own.
func makeProgram(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return nil
}

// queues of the stack, as by default.
const queues = 4

// cloud is a stack's tables and queue on local servers, and its API, which this program serves.
type cloud struct {
	api
	host     string // the built program
	tables   kvdynamodb.Tables
	queues   sqsqueue.Queues
	db       *dynamodb.Client
	dynamoDB *localserver.Server
	sqs      *localserver.Server
	tablesAt string // where they are asked for
	queueAt  string
	polls    *loopback // of the queues
	server   *loopback
}

// DynamoDB Local stands for a service that is far faster, so it gets all that Java can do.
var fastJava = []string{"-Xmx2g", "-XX:TieredStopAtLevel=4", "-XX:+UseParallelGC"}

func (b *bench) startCloud(ctx context.Context) (_ *cloud, err error) {
	c := &cloud{tables: dynamolocal.TablesWith(""), host: filepath.Join(b.folder, "session-host")}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err := makeProgram(ctx, "host", "ARCH="+runtime.GOARCH, "HOST="+c.host); err != nil {
		return nil, err
	}
	if c.dynamoDB, err = dynamolocal.Start(fastJava...); err != nil {
		return nil, err
	}
	if c.sqs, err = sqslocal.Start(); err != nil {
		return nil, err
	}
	if c.polls, err = servePolls(c.sqs.URL); err != nil {
		return nil, err
	}
	c.tablesAt, c.queueAt = c.dynamoDB.URL, c.polls.url()
	c.db = c.client(kvdynamodb.Tuned)
	patient := c.client() // the first table may take a cold server longer than a request is given
	for _, table := range dynamolocal.Definitions(c.tables) {
		if _, err := patient.CreateTable(ctx, table); err != nil {
			return nil, err
		}
	}
	return c, c.serve(ctx)
}

// region is one that exists: the SDK takes long, for every request, to find out that one doesn't.
const region = "ap-southeast-3"

func keysOfTest() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("local", "local", "")
}

func (c *cloud) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: &c.tablesAt, Credentials: keysOfTest()}, options...)
}

// serve makes the queue and serves what is needed to link devices.
func (c *cloud) serve(ctx context.Context) error {
	client := sqs.New(sqs.Options{Region: region, BaseEndpoint: &c.queueAt, Credentials: keysOfTest()}, sqsqueue.Tuned)
	c.queues = nil
	for i := range queues {
		queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprintf("bench-%d.fifo", i)),
			Attributes: map[string]string{
				"FifoQueue": "true", "VisibilityTimeout": strconv.Itoa(int(chat.VisibilityTimeout.Seconds())),
			}})
		if err != nil {
			return err
		}
		c.queues = append(c.queues, *queue.QueueUrl)
	}
	stored, sender := c.store(), sqsqueue.NewSender(client, c.queues)
	api := httpapi.New(httpapi.Config{
		Accounts: stored.EventualAccounts(), Reports: stored, Secret: secret, Logger: slog.New(slog.DiscardHandler),
	})
	var err error
	if c.server, err = serve(api.Handler(httpapi.Endpoints(httpapi.Deps{ // what of them is called
		Accounts: stored, Reports: stored, Commands: stored, Chats: stored, Messages: stored, Feed: stored, Labels: stored,
		Batches: stored, Sender: sender, BatchSender: sender, BatchRate: chat.MaxBatchRate, Wait: 8 * time.Second,
	})...)); err != nil {
		return err
	}
	c.url = c.server.url()
	return nil
}

// store is what this program keeps in the tables.
func (c *cloud) store() *store.Store {
	return store.New(kvdynamodb.New(c.db, c.tables, time.Now), store.Options{Compression: store.Zstd})
}

func (c *cloud) stop() {
	for _, server := range []*loopback{c.server, c.polls} {
		if server != nil {
			server.close()
		}
	}
	for _, server := range []*localserver.Server{c.sqs, c.dynamoDB} {
		if server != nil {
			server.Stop()
		}
	}
}

// environment of functions and of hosts.
func (c *cloud) environment() []string {
	return []string{
		"ACCOUNTS_TABLE=" + c.tables[kv.Accounts], "CHATS_TABLE=" + c.tables[kv.Chats], "MESSAGES_TABLE=" + c.tables[kv.Messages],
		"COMMANDS_TABLE=" + c.tables[kv.Commands], "REPORTS_TABLE=" + c.tables[kv.Reports], "WORK_TABLE=" + c.tables[kv.Work],
		"DEVICES_TABLE=" + c.tables[kv.Devices], "HOOKS_TABLE=" + c.tables[kv.Hooks], "SECRETS_TABLE=" + c.tables[kv.Secrets],
		"EVENT_QUEUE_URL=" + c.queues[0], "QUEUE_URL=" + strings.Replace(c.queues[0], "bench-0.fifo", "bench-{0,1,2,3}.fifo", 1),
		"STACK_NAME=bench", "MEDIA_BUCKET=bench", "HEALTH_ADDRESS=127.0.0.1:0",
		"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_ENDPOINT_URL=" + c.tablesAt, "AWS_ENDPOINT_URL_SQS=" + c.queueAt, "RATE_LIMIT=0",
	}
}

// serveBoth is one endpoint of tables and queues, as a function knows it.
func (c *cloud) serveBoth() (*loopback, error) {
	var targets [2]*url.URL
	for i, at := range []string{c.tablesAt, c.queueAt} {
		target, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		targets[i] = target
	}
	return serve(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target := targets[0]
		if strings.HasPrefix(r.In.Header.Get("X-Amz-Target"), "AmazonSQS.") {
			target = targets[1]
		}
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}})
}

// run starts a session host; env overrides the usual environment.
func (c *cloud) run(ctx context.Context, s *sim.Server, env ...string) (*process, error) {
	return start(ctx, s, append(c.environment(), env...), c.host)
}

// link links devices to session hosts. It is a linker; what they keep is in the tables.
func (c *cloud) link(ctx context.Context, s *sim.Server, _ string, phones []*sim.Phone) (func() (*process, error), error) {
	p, err := c.run(ctx, s)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := linkAll(ctx, c.api, phones); err != nil {
		return nil, err
	}
	return func() (*process, error) { return c.run(ctx, s) }, nil
}
