package pesan_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/metrics"
	"pesan/internal/queue/sqs"
	"pesan/internal/testkit/dynamolocal"
)

// TestTables: the template's tables are those that tests use, made safe.
func TestTables(t *testing.T) {
	all := read(t)
	tables := dynamolocal.Definitions(map[kv.Collection]string{
		kv.Accounts: "AccountsTable", kv.Chats: "ChatsTable", kv.Messages: "MessagesTable", kv.Commands: "CommandsTable",
		kv.Reports: "ReportsTable", kv.Work: "WorkTable", kv.Devices: "DevicesTable",
		kv.Hooks: "HooksTable", kv.Secrets: "SecretsTable",
	})
	if have := all.of("AWS::DynamoDB::Table"); len(have) != len(tables) {
		t.Errorf("tables: %v", have)
	}
	for _, want := range tables {
		name := aws.ToString(want.TableName)
		t.Run(name, func(t *testing.T) {
			p := all.Resources[name].Properties
			wantEqual(t, "keys", keySchema(p), wantKeys(want))
			wantEqual(t, "billing", p["BillingMode"], string(want.BillingMode))
			wantEqual(t, "TTL", at(p["TimeToLiveSpecification"], "AttributeName"), dynamodb.TTLAttribute)
			wantEqual(t, "TTL's state", at(p["TimeToLiveSpecification"], "Enabled"), true)
			wantEqual(t, "recovery", at(p["PointInTimeRecoverySpecification"], "PointInTimeRecoveryEnabled"), true)
			wantEqual(t, "a key that AWS charges for", p["SSESpecification"], nil)
			wantEqual(t, "protection", p["DeletionProtectionEnabled"], "Protection")
			wantEqual(t, "policy", all.Resources[name].DeletionPolicy+all.Resources[name].UpdateReplacePolicy, "RetainRetain")
			wantEqual(t, "local indexes", p["LocalSecondaryIndexes"], nil)
		})
	}
}

func keySchema(p map[string]any) string {
	var b strings.Builder
	for _, k := range anyList(p["KeySchema"]) {
		fmt.Fprint(&b, at(k, "AttributeName"), " ", at(k, "KeyType"))
		for _, a := range anyList(p["AttributeDefinitions"]) {
			if at(a, "AttributeName") == at(k, "AttributeName") {
				fmt.Fprint(&b, " ", at(a, "AttributeType"), ";")
			}
		}
	}
	return b.String()
}

func wantKeys(in *awsdynamodb.CreateTableInput) string {
	var b strings.Builder
	for _, k := range in.KeySchema {
		fmt.Fprint(&b, *k.AttributeName, " ", k.KeyType)
		for _, a := range in.AttributeDefinitions {
			if *a.AttributeName == *k.AttributeName {
				fmt.Fprint(&b, " ", a.AttributeType, ";")
			}
		}
	}
	return b.String()
}

func wantEqual(t *testing.T, what string, have, want any) {
	t.Helper()
	if have != want {
		t.Errorf("%s: have %v, want %v", what, have, want)
	}
}

// TestQueues: they have the timeouts that the domain reckons with, and names that make the URL that programs are given.
func TestQueues(t *testing.T) {
	all := read(t)
	const queues = 4 // by default
	for i := range queues {
		name := fmt.Sprintf("Queue%d", i)
		p := all.Resources[name].Properties
		wantEqual(t, name+" FIFO", p["FifoQueue"], true)
		wantEqual(t, name+" throughput", p["FifoThroughputLimit"], "perMessageGroupId")
		wantEqual(t, name+" scope", p["DeduplicationScope"], "messageGroup")
		wantEqual(t, name+" encryption", p["SqsManagedSseEnabled"], true)
		wantEqual(t, name+" visibility", p["VisibilityTimeout"], int(chat.VisibilityTimeout.Seconds()))
		wantEqual(t, name+" receive count", at(p["RedrivePolicy"], "maxReceiveCount"), chat.MaxDeliveries)
		wantEqual(t, name+" dead letters", at(p["RedrivePolicy"], "deadLetterTargetArn"), "DeadCommandsQueue.Arn")
		wantEqual(t, name+" name", p["QueueName"], fmt.Sprintf("${AWS::StackName}-queue-%d.fifo", i))
	}
	wantEqual(t, "queues", len(all.of("AWS::SQS::Queue")), queues+3)
	events := all.Resources["EventQueue"].Properties
	wantEqual(t, "events FIFO", events["FifoQueue"], true)
	wantEqual(t, "events throughput", events["FifoThroughputLimit"], "perMessageGroupId")
	wantEqual(t, "events scope", events["DeduplicationScope"], "messageGroup")
	wantEqual(t, "events encryption", events["SqsManagedSseEnabled"], true)
	wantEqual(t, "events dead letters", at(events["RedrivePolicy"], "deadLetterTargetArn"), "DeadEventsQueue.Arn")
	timeout, _ := all.prop("DeliverWebhook", "Timeout").(int)
	if visibility, _ := events["VisibilityTimeout"].(int); timeout == 0 || visibility < 6*timeout { // as Lambda asks for
		t.Errorf("events are hidden for %d s, and the function takes up to %d s", visibility, timeout)
	}
	var watched []string
	for _, alarm := range all.of("AWS::CloudWatch::Alarm") {
		watched = append(watched, str(all.prop(alarm, "Dimensions", 0, "Value")))
	}
	for _, queue := range []string{"DeadCommandsQueue.QueueName", "DeadEventsQueue.QueueName", "EventQueue.QueueName"} {
		if !slices.Contains(watched, queue) {
			t.Errorf("nothing watches %s", queue)
		}
	}
	users := 0
	for name, v := range all.urls() {
		users++
		pattern, numbers := str(at(v, 0)), at(v, 1, "N")
		wantEqual(t, name+" queues", pattern, "https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/${AWS::StackName}-queue-{${N}}.fifo")
		wantEqual(t, name+" numbers", fmt.Sprint(numbers), "[, Queues]")
		made := strings.NewReplacer("${AWS::StackName}", "pesan", "${N}", "0,1,2,3", "${AWS::", "", "}/", "/", "}.fifo", "}.fifo").Replace(pattern)
		if parsed, err := sqs.ParseQueues(made); err != nil || len(parsed) != queues {
			t.Errorf("%s: %s is %v, %v", name, made, parsed, err)
		}
	}
	if users < 2 {
		t.Errorf("%d use queues", users)
	}
}

// urls are the values of QUEUE_URL, by who has it.
func (all template) urls() map[string]any {
	urls := map[string]any{}
	for _, name := range all.of(functionType) {
		if v := all.prop(name, "Environment", "Variables", "QUEUE_URL"); v != nil {
			urls[name] = v
		}
	}
	for _, v := range anyList(all.prop("HostTask", "ContainerDefinitions", 0, "Environment")) {
		if at(v, "Name") == "QUEUE_URL" {
			urls["Host"] = at(v, "Value")
		}
	}
	return urls
}

// TestMetrics: alarms and dashboard name metrics that a host writes, or that are made of a log.
func TestMetrics(t *testing.T) {
	all := read(t)
	var line bytes.Buffer
	if err := metrics.New("stack", time.Now).Write(&line); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join("internal", "metrics", "metrics.go"))
	if err != nil {
		t.Fatal(err)
	}
	written := metrics.Names
	logs := func(field string) bool {
		return bytes.Contains(line.Bytes(), []byte(`"`+field+`"`)) || bytes.Contains(source, []byte(`line["`+field+`"]`))
	}
	made := map[string]bool{}
	for _, filter := range all.of("AWS::Logs::MetricFilter") {
		p := all.Resources[filter].Properties
		made[str(at(p, "MetricTransformations", 0, "MetricName"))] = true
		field := strings.TrimPrefix(str(at(p, "MetricTransformations", 0, "MetricValue")), "$.")
		if str(at(p, "LogGroupName")) == "HostLog" && !logs(field) {
			t.Errorf("%s looks for %s, which no host logs", filter, field)
		}
	}
	for _, alarm := range all.of("AWS::CloudWatch::Alarm") {
		name := str(all.prop(alarm, "MetricName"))
		switch namespace := str(all.prop(alarm, "Namespace")); namespace {
		case metrics.Namespace:
			if !slices.Contains(written, name) {
				t.Errorf("%s watches %s", alarm, name)
			}
		case metrics.Namespace + "/${AWS::StackName}":
			if !made[name] {
				t.Errorf("%s watches %s", alarm, name)
			}
		}
		if description := str(all.prop(alarm, "AlarmDescription")); description == "" {
			t.Errorf("%s says nothing", alarm)
		}
	}
	body := str(all.prop("Overview", "DashboardBody"))
	for _, name := range written {
		if !strings.Contains(body, `"`+name+`"`) {
			t.Errorf("the dashboard doesn't show %s", name)
		}
	}
	for _, name := range []string{"ConnectedDevices", "Events", "LeaseChanges", "EventAge"} {
		if !strings.Contains(body, name) || !logs(name) {
			t.Errorf("%s is looked for in the log, or should be", name)
		}
	}
}

// TestAlarmsAreExplained: docs/operate.md says of each alarm what it means and what to do.
func TestAlarmsAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, alarm := range read(t).of("AWS::CloudWatch::Alarm") {
		name := strings.TrimSuffix(alarm, "Alarm")
		if strings.HasSuffix(name, "Throttled") { // one for each table
			name = "<table>Throttled"
		}
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("docs/operate.md has no line on %s", name)
		}
	}
}

// TestHost: one owner of a shard at a time, whatever ECS does; nothing to write on, nobody to reach it.
func TestHost(t *testing.T) {
	all := read(t)
	container := all.prop("HostTask", "ContainerDefinitions", 0)
	wantEqual(t, "user", at(container, "User"), "65532:65532")
	wantEqual(t, "read-only root", at(container, "ReadonlyRootFilesystem"), true)
	wantEqual(t, "where files pass through", at(container, "MountPoints", 0, "ContainerPath"), "/tmp")
	wantEqual(t, "health check", strings.Join(list(at(container, "HealthCheck", "Command")), " "), "CMD /session-host -health")
	wantEqual(t, "rebalancing", all.prop("HostService", "AvailabilityZoneRebalancing"), "DISABLED")
	if stop, _ := at(container, "StopTimeout").(int); stop < 25 {
		t.Errorf("a host has %d s to hand its shards over", stop)
	}
	if in := all.prop("HostSecurityGroup", "SecurityGroupIngress"); in != nil {
		t.Errorf("the host can be reached: %v", in)
	}
	if nat := all.of("AWS::EC2::NatGateway"); len(nat) > 0 {
		t.Errorf("NAT gateways: %v", nat)
	}
}

// TestAlarmsReachSomebody: CloudWatch can't publish to a topic under AWS's own key for SNS, whose policy can't be changed.
func TestAlarmsReachSomebody(t *testing.T) {
	all := read(t)
	topics := all.of("AWS::SNS::Topic")
	if len(topics) == 0 {
		t.Error("there is no topic")
	}
	for _, topic := range topics {
		if key := all.prop(topic, "KmsMasterKeyId"); key != nil {
			t.Errorf("%s has the key %v", topic, key)
		}
	}
	for _, alarm := range all.of("AWS::CloudWatch::Alarm") {
		if actions := list(all.prop(alarm, "AlarmActions")); len(actions) != 1 || !slices.Contains(topics, actions[0]) {
			t.Errorf("%s tells %v", alarm, actions)
		}
	}
}

// TestOperations: a release that fails is taken back, memory starts hosts, and names and budgets are there for who wants them.
func TestOperations(t *testing.T) {
	all := read(t)
	wantEqual(t, "the alias of each function", at(all.Globals.Function, "AutoPublishAlias"), "live")
	preference := at(all.Globals.Function, "DeploymentPreference")
	wantEqual(t, "a new version gets", at(preference, "Type"), "Canary10Percent5Minutes")
	if alarms := list(at(preference, "Alarms")); len(alarms) != 1 || !slices.Contains(all.of("AWS::CloudWatch::Alarm"), alarms[0]) {
		t.Errorf("%v take a release back", alarms)
	}
	for _, kind := range []string{
		"AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::Budgets::Budget", "AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping",
	} {
		if found := all.of(kind); len(found) != 1 || all.Resources[found[0]].Condition == "" {
			t.Errorf("%s: %v", kind, found)
		}
	}
	policy := all.prop("HostScalingPolicy", "TargetTrackingScalingPolicyConfiguration")
	wantEqual(t, "hosts are started by", at(policy, "PredefinedMetricSpecification", "PredefinedMetricType"), "ECSServiceAverageMemoryUtilization")
}
