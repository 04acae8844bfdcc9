// The tests of the root folder hold template.yaml to the program: rights, tables, queues, variables, endpoints and metrics of the one
// are those of the other.
package pesan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pesan/internal/stack"
)

// template is what the tests look at.
type template struct{ *stack.Template }

func read(t *testing.T) template {
	t.Helper()
	all, err := stack.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	return template{all}
}

func (all template) of(kind string) []string { return all.Of(kind) }

func at(v any, path ...any) any { return stack.At(v, path...) }

// list is a list of texts; a text alone is a list too.
func list(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var all []string
	items, _ := v.([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

func (all template) prop(name string, path ...any) any { return all.Prop(name, path...) }

const functionType = "AWS::Serverless::Function"

// rights are sorted lines "<role> <resource> <action>".
type rights []string

// TestRights holds every role's policy against the written table.
func TestRights(t *testing.T) {
	all := read(t)
	var have rights
	for _, name := range all.of(functionType) {
		before := len(have)
		for _, policy := range anyList(all.prop(name, "Policies")) {
			if shared := str(policy); shared != "" {
				policy = all.prop(shared, "PolicyDocument")
			}
			have = append(have, allowed(t, name, policy)...)
		}
		if len(have) == before {
			have = append(have, name+" none")
		}
	}
	for _, policy := range anyList(all.prop("HostRole", "Policies")) {
		have = append(have, allowed(t, "Host", at(policy, "PolicyDocument"))...)
	}
	slices.Sort(have)
	want := written(t)
	for _, right := range have {
		if !slices.Contains(want, right) {
			t.Errorf("the template allows what docs/rights.txt doesn't: %s", right)
		}
	}
	for _, right := range want {
		if !slices.Contains(have, right) {
			t.Errorf("docs/rights.txt allows what the template doesn't: %s", right)
		}
	}
}

func anyList(v any) []any {
	items, _ := v.([]any)
	return items
}

// services by the resources that they act on.
func service(column string) string {
	switch column {
	case "Queues", "Events":
		return "sqs:"
	case "Secret":
		return "ssm:"
	case "Media":
		return "s3:"
	}
	return "dynamodb:"
}

// allowed reads a policy. A right to all queues of the shards is one to Queues.
func allowed(t *testing.T, role string, policy any) rights {
	t.Helper()
	var all rights
	for _, statement := range anyList(at(policy, "Statement")) {
		if at(statement, "Effect") != "Allow" || at(statement, "Condition") != nil || at(statement, "NotAction") != nil || at(statement, "NotResource") != nil {
			t.Errorf("%s: a statement is more than actions on resources: %v", role, statement)
			continue
		}
		resources := list(at(statement, "Resource"))
		var column string
		switch {
		case slices.Equal(resources, []string{"arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-queue-*"}):
			column = "Queues"
		case slices.Equal(resources, []string{"arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/secret"}):
			column = "Secret"
		case slices.Equal(resources, []string{"EventQueue.Arn"}):
			column = "Events"
		case slices.Equal(resources, []string{"${MediaBucket.Arn}/*"}):
			column = "Media"
		case len(resources) == 1 && strings.HasSuffix(resources[0], "Table.Arn"):
			column = strings.TrimSuffix(resources[0], "Table.Arn")
		default:
			t.Errorf("%s: rights on %v", role, resources)
			continue
		}
		for _, action := range list(at(statement, "Action")) {
			name, ok := strings.CutPrefix(action, service(column))
			if !ok || strings.Contains(name, "*") {
				t.Errorf("%s: %s on %s", role, action, column)
			}
			all = append(all, role+" "+column+" "+name)
		}
	}
	return all
}

// written reads docs/rights.txt.
func written(t *testing.T) rights {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("docs", "rights.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all rights
	for line := range strings.Lines(string(file)) {
		line, _, _ = strings.Cut(line, "#")
		switch fields := strings.Fields(line); len(fields) {
		case 0:
		case 1:
			t.Errorf("docs/rights.txt: %q", line)
		case 2:
			all = append(all, strings.Join(fields, " "))
		default:
			for _, action := range fields[2:] {
				all = append(all, fields[0]+" "+fields[1]+" "+action)
			}
		}
	}
	return all
}

// TestNoFunctionReachesKeys says once more, on its own, what matters most.
func TestNoFunctionReachesKeys(t *testing.T) {
	for _, right := range written(t) {
		role, rest, _ := strings.Cut(right, " ")
		if role != "Host" && (strings.HasPrefix(rest, "Devices ") || strings.HasPrefix(rest, "Work ")) {
			t.Errorf("a function has rights on a table of the host: %s", right)
		}
		if role != "DeliverWebhook" && role != "TestWebhook" && role != "RedeliverWebhook" && rest == "Secrets GetItem" {
			t.Errorf("who doesn't sign can read what webhooks are signed with: %s", right)
		}
		if role == "DeliverWebhook" && !strings.HasPrefix(rest, "Hooks ") && !strings.HasPrefix(rest, "Secrets ") && !strings.HasPrefix(rest, "Events ") {
			t.Errorf("what calls webhooks has rights on something else: %s", right)
		}
		if strings.HasPrefix(rest, "Secret ") && role == "Host" || strings.Contains(rest, " Scan") {
			t.Errorf("nobody needs this: %s", right)
		}
	}
}
