package pesan_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"pesan/internal/chat"
)

// TestNightMute: what the example's schedule sends is a batch as docs/batch.schema.json has it, and as the host takes it.
func TestNightMute(t *testing.T) {
	file, err := os.ReadFile("docs/examples/night-mute.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stack struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Properties struct {
				Target struct {
					Input string `yaml:"Input"`
				} `yaml:"Target"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(file, &stack); err != nil {
		t.Fatal(err)
	}
	const account = "01KXQZ5T9W4Y8N2M6P3R7V1B0C"
	input := strings.NewReplacer(
		"${AWS::Region}", "ap-southeast-3", "${AWS::URLSuffix}", "amazonaws.com", "${AWS::AccountId}", "123456789012", "${Stack}", "pesan-prod",
		"${Account}", account, "${Seconds}", stack.Parameters["Seconds"].Default,
		"<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3", "<aws.scheduler.scheduled-time>", "2026-03-01T15:00:00Z",
	).Replace(stack.Resources["Schedule"].Properties.Target.Input)
	var call struct{ QueueUrl, MessageGroupId, MessageDeduplicationId, MessageBody string }
	decoder := json.NewDecoder(strings.NewReader(input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&call); err != nil {
		t.Fatalf("%s: %v", input, err)
	}
	if call.QueueUrl != "https://sqs.ap-southeast-3.amazonaws.com/123456789012/pesan-prod-queue-0.fifo" || call.MessageDeduplicationId != "d32c5kddcf5bb8c3" {
		t.Errorf("the call is %+v", call)
	}
	m, ok := chat.BatchMessageOf([]byte(call.MessageBody))
	if err := m.Validate(); err != nil || !ok {
		t.Errorf("the host refuses %s: %v", call.MessageBody, err)
	}
	if m.Group() != call.MessageGroupId || m.Account != account || m.Op != chat.MuteCommand || m.Selection.Kind != chat.Group || m.Seconds != 9*3600 {
		t.Errorf("the message is %+v in group %s", m, call.MessageGroupId)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile("docs/batch.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(call.MessageBody))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		t.Error(err)
	}
}
