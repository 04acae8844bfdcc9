package stack

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
	"pesan/internal/keystore"
	"pesan/internal/kv"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/metrics"
)

// TestTables: the template's tables are those that the adapters define for tests, made safe.
func TestTables(t *testing.T) {
	all := read(t)
	tables := dynamodb.Tables{
		kv.Accounts: "AccountsTable", kv.Chats: "ChatsTable", kv.Messages: "MessagesTable", kv.Commands: "CommandsTable",
		kv.Reports: "ReportsTable", kv.Work: "WorkTable", kv.Devices: "DevicesTable",
	}.Definitions()
	if have := all.of("AWS::DynamoDB::Table"); len(have) != len(tables) {
		t.Errorf("tables: %v", have)
	}
	for _, want := range tables {
		name := aws.ToString(want.TableName)
		t.Run(name, func(t *testing.T) {
			p := all.Resources[name].Properties
			wantEqual(t, "keys", keySchema(p), wantKeys(want))
			wantEqual(t, "billing", p["BillingMode"], string(want.BillingMode))
			wantEqual(t, "TTL", at(p["TimeToLiveSpecification"], "AttributeName"), keystore.TTLAttribute)
			wantEqual(t, "TTL's state", at(p["TimeToLiveSpecification"], "Enabled"), true)
			wantEqual(t, "recovery", at(p["PointInTimeRecoverySpecification"], "PointInTimeRecoveryEnabled"), true)
			wantEqual(t, "encryption", at(p["SSESpecification"], "SSEEnabled"), true)
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

// shards of the template.
const shards = 4

// TestQueues: as many as there are shards, with the timeouts that the domain reckons with, each with its alarm.
func TestQueues(t *testing.T) {
	all := read(t)
	watched := map[any]bool{}
	for _, alarm := range all.of("AWS::CloudWatch::Alarm") {
		watched[all.prop(alarm, "Dimensions", 0, "Value")] = true
	}
	var urls []string
	for i := range shards {
		name := fmt.Sprintf("Shard%dQueue", i)
		p := all.Resources[name].Properties
		wantEqual(t, name+" FIFO", p["FifoQueue"], true)
		wantEqual(t, name+" encryption", p["SqsManagedSseEnabled"], true)
		wantEqual(t, name+" visibility", p["VisibilityTimeout"], int(chat.VisibilityTimeout.Seconds()))
		wantEqual(t, name+" receive count", at(p["RedrivePolicy"], "maxReceiveCount"), chat.MaxAttempts)
		wantEqual(t, name+" dead letters", at(p["RedrivePolicy"], "deadLetterTargetArn"), "DeadCommandsQueue.Arn")
		wantEqual(t, name+" alarm", watched[name+".QueueName"], true)
		urls = append(urls, "${"+name+"}")
	}
	wantEqual(t, "queues", len(all.of("AWS::SQS::Queue")), shards+1)
	wantEqual(t, "dead letters' alarm", watched["DeadCommandsQueue.QueueName"], true)
	wantEqual(t, "shards of addDevice", all.prop("AddDevice", "Environment", "Variables", "SHARDS"), fmt.Sprint(shards))
	for name, v := range all.environments(t) {
		if q, ok := v["QUEUE_URLS"]; ok {
			wantEqual(t, name+" queues", q, strings.Join(urls, ","))
		}
	}
}

// TestMetrics: alarms and dashboard name metrics that a host writes.
func TestMetrics(t *testing.T) {
	written := []string{"ConnectedDevices", "Events", "LeaseChanges", "ProjectionLag", "CommandAge"}
	all := read(t)
	for _, alarm := range all.of("AWS::CloudWatch::Alarm") {
		if all.prop(alarm, "Namespace") == metrics.Namespace && !slices.Contains(written, fmt.Sprint(all.prop(alarm, "MetricName"))) {
			t.Errorf("%s watches %v", alarm, all.prop(alarm, "MetricName"))
		}
		if all.prop(alarm, "AlarmActions", 0) != "Alarms" {
			t.Errorf("nobody gets %s", alarm)
		}
	}
	body, _ := all.prop("Dashboard", "DashboardBody").(string)
	for _, name := range written {
		if !strings.Contains(body, `"`+name+`"`) {
			t.Errorf("the dashboard doesn't show %s", name)
		}
	}
	source, err := os.ReadFile(root("internal", "metrics", "metrics.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range written {
		if !strings.Contains(string(source), `"`+name+`"`) {
			t.Errorf("no host writes %s", name)
		}
	}
}

// TestHost: one owner of a shard at a time, whatever ECS does; nothing to write on, nobody to reach it.
func TestHost(t *testing.T) {
	all := read(t)
	container := all.prop("HostTask", "ContainerDefinitions", 0)
	wantEqual(t, "user", at(container, "User"), "65532:65532")
	wantEqual(t, "read-only root", at(container, "ReadonlyRootFilesystem"), true)
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
