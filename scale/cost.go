package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/budget"
	"pesan/internal/host"
	"pesan/internal/httpapi"
	"pesan/internal/metrics"
	"pesan/internal/stack"
)

// deployment is what the template makes, with some parameters.
type deployment struct {
	hosts, queues int
	processor     float64 // vCPU of a host
	memory        float64 // GB of a host
	spot          bool
	alarms        int // metrics that alarms watch
	metrics       int // that hosts write, or that are made of a log
	dashboard     bool
	wait          time.Duration // of a poll of a queue
	reading       float64       // GB of a function that reads
	commanding    float64       // GB of a function that commands
	sending       float64       // GB of the function that sends events
	calls         float64       // a second, of all clients
	line          float64       // bytes of the API's log about a call
}

func deploy(t *stack.Template, settings map[string]string) (d deployment, err error) {
	number := func(name string) float64 {
		n, wrong := strconv.ParseFloat(settings[name], 64)
		if wrong != nil {
			err = fmt.Errorf("%s is %q", name, settings[name])
		}
		return n
	}
	d = deployment{
		hosts: int(number("Hosts")), queues: len(strings.Split(settings["Queues"], ",")), processor: number("HostCpu") / 1024,
		memory: number("HostMemory") / 1024,
		spot:   settings["HostCapacity"] == "FARGATE_SPOT", dashboard: settings["Dashboard"] == "true", calls: number("CallsPerSecond"),
	}
	holds := map[string]bool{"": true, "HasHost": true, "WatchesAll": settings["Watch"] == "all",
		"WatchesHost": settings["Watch"] == "all"}
	for _, kind := range []string{"AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter"} {
		for _, name := range t.Of(kind) {
			there, known := holds[t.Resources[name].Condition]
			if !known {
				return d, fmt.Errorf("%s has the condition %s", name, t.Resources[name].Condition)
			}
			switch {
			case !there:
			case kind == "AWS::Logs::MetricFilter":
				d.metrics++
			default:
				d.alarms += max(1, watched(t.Prop(name, "Metrics")))
			}
		}
	}
	d.metrics += len(metrics.Names)
	seconds, _ := t.Prop("Queue0", "ReceiveMessageWaitTimeSeconds").(int)
	d.wait = time.Duration(seconds) * time.Second
	size := func(v any) float64 { n, _ := v.(int); return float64(n) / 1024 }
	d.reading = size(t.Globals.Function["MemorySize"])
	d.commanding = size(t.Prop("MuteChat", "MemorySize"))
	d.sending = size(t.Prop("DeliverWebhook", "MemorySize"))
	if d.sending == 0 {
		d.sending = d.reading
	}
	if format, ok := stack.At(t.Prop("Api", "AccessLogSettings"), "Format").(string); ok && err == nil {
		d.line, err = lineOf(format)
	}
	if err == nil && (d.line == 0 || d.wait == 0 || d.reading == 0 || d.commanding == 0 || d.alarms == 0) {
		err = fmt.Errorf("the template says too little: %+v", d)
	}
	return d, err
}

// watched counts the metrics of an alarm that computes.
func watched(v any) (n int) {
	all, _ := v.([]any)
	for _, m := range all {
		if stack.At(m, "MetricStat") != nil {
			n++
		}
	}
	return n
}

// A name with what it costs.
type part struct {
	name    string
	dollars float64
}

func total(parts []part) (sum float64) {
	for _, p := range parts {
		sum += p.dollars
	}
	return sum
}

const (
	month   = hours * 3600 // seconds
	pollers = 5            // of Lambda, at a queue that a function is called by, each with polls of 20 s
	lambdas = 20 * time.Second
)

// perMonth is how often something happens in a month.
func perMonth(every time.Duration) float64 { return month / every.Seconds() }

func units(w budget.Work) float64 {
	return w.Write*dynamoWrites.dollars/1e6 + w.Read*dynamoReads.dollars/1e6
}

// idle is what a stack costs in a month in which nothing happens.
func (d deployment) idle() []part {
	share := 1.0
	if d.spot {
		share = spotShare.dollars
	}
	look := perMonth(host.CloudAlone)
	if d.hosts > 1 {
		look = perMonth(host.CloudPoll)
	}
	n := float64(d.hosts)
	parts := []part{
		{"hosts", n * hours * share * (d.processor*hostProcessor.dollars + d.memory*hostMemory.dollars)},
		{"public addresses", n * hours * publicAddress.dollars},
		{"heartbeats, and looking for other hosts", n * (perMonth(host.TTL/3)*units(budget.Beat) + look*units(budget.Look))},
		{"waiting for commands", float64(d.queues) * perMonth(d.wait) * queueRequests.dollars / 1e6},
		{"Lambda waiting for events of webhooks", pollers * perMonth(lambdas) * queueRequests.dollars / 1e6},
		{"metrics", float64(d.metrics) * metric.dollars},
		{"alarms", float64(d.alarms) * alarm.dollars},
	}
	if d.dashboard {
		parts = append(parts, part{"dashboard", dashboard.dollars})
	}
	return parts
}

// free is what AWS takes off the bill for ever: requests to SQS, metrics, alarms; not DynamoDB on demand, Fargate or addresses.
func (d deployment) free() float64 {
	requests := float64(d.queues)*perMonth(d.wait) + pollers*perMonth(lambdas)
	return min(requests, 1e6)*queueRequests.dollars/1e6 + float64(min(d.metrics, 10))*metric.dollars + float64(min(d.alarms,
		10))*alarm.dollars
}

// logOf is what so many bytes of a log cost.
func logOf(bytes float64) float64 { return bytes / 1e9 * logged.dollars }

// typical are the values of API Gateway's variables in its log.
var typical = map[string]string{
	"requestId": "JKJaXmPLvHcESHA=", "requestTime": "30/Nov/2026:02:43:37 +0000", "routeKey": "ANY /api/fetchMessageById", "status": "200",
	"responseLength": "123456", "responseLatency": "1042", "identity.sourceIp": "203.0.113.200", "integration.integrationStatus": "200",
	"integrationErrorMessage": "-",
}

var variable = regexp.MustCompile(`\$context\.([A-Za-z.]+)`)

// lineOf is how many bytes a line of a format takes in CloudWatch.
func lineOf(format string) (bytes float64, err error) {
	line := variable.ReplaceAllStringFunc(format, func(v string) string {
		value, ok := typical[strings.TrimPrefix(v, "$context.")]
		if !ok {
			err = fmt.Errorf("the API's log has %s, of which no length is known", v)
		}
		return value
	})
	return float64(len(line) + budget.LineOverhead), err
}

// answer is how long a call of muteChat takes, and how often it looks meanwhile how its command has ended, after it has looked
// for a host.
type answer struct {
	took  time.Duration
	looks float64
}

// async is a call that doesn't wait.
var async = answer{took: asyncTook}

// answered is a call that has found by its last look, after so long, that its command has ended.
func answered(took time.Duration) answer {
	a := answer{took: took}
	pause := httpapi.Pauses()
	for at := pause(); a.looks == 0 || at <= took-asyncTook; at += pause() {
		a.looks++
	}
	return a
}

// call is a call of a function: of so many GB for so long.
func (d deployment) call(memory float64, took time.Duration) float64 {
	return gatewayCalls.dollars/1e6 + lambdaCalls.dollars/1e6 + memory*took.Seconds()*lambdaTime.dollars + logOf(d.line+budget.FunctionLine)
}

// What functions are billed for a call that reads.
const (
	chatTook     = 10 * time.Millisecond
	messagesTook = 15 * time.Millisecond
	chatsTook    = 40 * time.Millisecond
	sameTook     = 8 * time.Millisecond
	asyncTook    = 60 * time.Millisecond
	eventTook    = 150 * time.Millisecond // most of it the endpoint's
)

// command is a mute by a call that is answered so.
func (d deployment) command(a answer) float64 { return total(d.mute(a)) }

func (d deployment) mute(a answer) []part {
	reads := func(n float64) float64 { return n * dynamoReads.dollars / 1e6 }
	asked := a.looks * budget.Wait.Read
	if a.looks > 0 {
		asked += budget.Look.Read
	}
	return []part{
		{"API Gateway and the function's call", (gatewayCalls.dollars + lambdaCalls.dollars) / 1e6},
		{"the function's time", d.commanding * a.took.Seconds() * lambdaTime.dollars},
		{"looking how it has ended, and for a host", reads(asked)},
		{"DynamoDB's writes", (budget.MuteByCall.Write + budget.MuteByHost.Write) * dynamoWrites.dollars / 1e6},
		{"other reads", reads(budget.MuteByCall.Read + budget.MuteByHost.Read)},
		{"SQS: to send, to receive, to delete", 3 * queueRequests.dollars / 1e6},
		{"three lines of logs", logOf(d.line + budget.FunctionLine + budget.HostLine)},
	}
}

// batched is a mute of a batch. Its record, its results and its call are shared.
func batched() float64 {
	of := budget.StoreBatch
	of.Read, of.Write = of.Read/budget.Operations, of.Write/budget.Operations
	return units(budget.BatchByHost) + units(of) + 0.05*queueRequests.dollars/1e6
}

// event is an event for a webhook, beside what it is about. Three requests of five put it on the queue and take it off; Lambda
// hands over up to ten at a time, of different accounts mostly one.
func (d deployment) event() float64 {
	return units(budget.EventByHost) + units(budget.EventBySender) + 3*queueRequests.dollars/1e6 + lambdaCalls.dollars/1e6 +
		d.sending*eventTook.Seconds()*lambdaTime.dollars + logOf(budget.FunctionLine)
}

// file is a message's file of so many GB that somebody asks for, and gets once.
func (d deployment) file(size float64) float64 {
	return d.command(answered(400*time.Millisecond)) + (filesPut.dollars+filesGot.dollars)/1e6 +
		size*(filesKept.dollars/30+transferred.dollars)
}

// A mute as `make bench BENCH=fleet` finds it, at 150 ms to WhatsApp and back, and one for which WhatsApp takes its time.
var (
	usual   = answered(budget.MuteTook)
	slow    = answered(time.Second)
	muteNow = fmt.Sprintf("`muteChat`, done after %g s", budget.MuteTook.Seconds())
)

// million is what a million of something costs, and what the most of it is.
type million struct {
	name, most string
	dollars    float64
}

func (d deployment) millions() []million {
	times := func(name string, each float64, most string) million { return million{name, most, 1e6 * each} }
	return []million{
		times("`getChatById`", d.call(d.reading, chatTook)+units(budget.GetChatByID), "API Gateway"),
		times("`fetchMessageById`, 100 messages", d.call(d.reading, messagesTook)+units(budget.FetchMessageByID),
			fmt.Sprintf("%.0f read units each", budget.FetchMessageByID.Read)),
		times("`getChats`, 1,000 chats", d.call(d.reading, chatsTook)+units(budget.GetChats),
			fmt.Sprintf("%.0f read units each", budget.GetChats.Read)),
		times("`getChats`, unchanged: 304 by `ETag`", d.call(d.reading, sameTook)+units(budget.NotModified), "API Gateway"),
		times("`getChats` by `since`, 10 changed chats", d.call(d.reading, sameTook)+units(budget.ChatsSince), "API Gateway"),
		times(muteNow, d.command(usual), d.mostOfMute()),
		times("`muteChat`, done after a second", d.command(slow), "as before, with more of the function's time"),
		times("`muteChat` with `Prefer: respond-async`", d.command(async), "as before, without waiting"),
		times("mutes in batches", batched(), fmt.Sprintf("%.1f write units each, and a share of the batch's",
			budget.BatchByHost.Write)),
		times("incoming messages", units(budget.Message), fmt.Sprintf("%.1f write units each", budget.Message.Write)),
		times("events for webhooks", d.event(),
			fmt.Sprintf("%.0f read units each at most, and 3 SQS requests", budget.EventByHost.Read+budget.EventBySender.Read)),
		times("files of 200 KB, each asked for once", d.file(0.0002), "transfer to the internet"),
	}
}

func (d deployment) mostOfMute() string {
	return fmt.Sprintf("%.1f write and %.1f read units, the gateway, 3 SQS requests",
		budget.MuteByCall.Write+budget.MuteByHost.Write,
		budget.MuteByCall.Read+budget.MuteByHost.Read+budget.Look.Read+usual.looks*budget.Wait.Read)
}

// day is what an account does in one.
var day = struct {
	messages, getChats, fetches, mutes float64
	chats                              float64 // of a getChats
	stored                             float64 // GB
}{200, 20, 50, 10, 200, 0.020}

// monthly is what so many accounts cost.
func (d deployment) monthly(accounts float64) []part {
	times := accounts * hours / 24
	lists := budget.GetChats
	lists.Read *= day.chats / 1000
	idle := d.idle()
	return []part{
		{"hosts, with addresses and heartbeats", total(idle[:3])},
		{"messages", times * day.messages * units(budget.Message)},
		{"reads", times * (day.getChats*(d.call(d.reading, chatTook)+units(lists)) + day.fetches*(d.call(d.reading,
			messagesTook)+units(budget.FetchMessageByID)))},
		{"commands", times * day.mutes * d.command(usual)},
		{"storage with recovery", accounts * day.stored * (dynamoStorage.dollars + dynamoBackup.dollars)},
		{"metrics, alarms, waiting for work", total(idle[3:])},
	}
}

// before is what things cost at first, as it was computed then.
var before = []million{
	{name: "idle, one host, on demand, a month", dollars: 19.12},
	{name: "a million `getChats` of 1,000 chats that haven't changed", dollars: 18.22},
	{name: "a million `muteChat`, done after a second", dollars: 16.55},
}

// million is what a million of something costs, by the beginning of its name.
func (d deployment) million(name string) float64 {
	all := d.millions()
	return all[slices.IndexFunc(all, func(m million) bool { return strings.HasPrefix(m.name, name) })].dollars
}

func (d deployment) now() []float64 {
	return []float64{total(d.idle()), d.million("`getChats`, unchanged"), d.million("`muteChat`, done after a second")}
}
