package pesan_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pesan/internal/httpapi"
)

// TestFunctions: each function has a folder that is built alone, and a route, and there is none without endpoint.
// That every endpoint has one is tested where the endpoints are listed.
func TestFunctions(t *testing.T) {
	all := read(t)
	for _, f := range all.of(functionType) {
		folder, _ := strings.CutPrefix(str(all.prop(f, "CodeUri")), "dist/")
		e, ok := endpointOf(folder)
		path := "/api/" + e.Name
		if folder == "deliver-webhook" { // the queue of events calls it
			wantEqual(t, f+" events", all.prop(f, "Events"), nil) // with one SAM would add rights of its own
			wantEqual(t, f+" called", all.prop(f+"Queue", "FunctionName"), f+".Alias")
			wantEqual(t, f+" queue", all.prop(f+"Queue", "EventSourceArn"), "EventQueue.Arn")
			wantEqual(t, f+" failures", fmt.Sprint(all.prop(f+"Queue", "FunctionResponseTypes")), "[ReportBatchItemFailures]")
			wantEqual(t, f+" build", all.Resources[f].Metadata["SkipBuild"], true)
			continue
		}
		if folder == "unknown-endpoint" {
			path = "$default"
		} else if folder == "page" {
			path = "/"
		} else if folder == "mcp" {
			path = "/mcp"
		} else if folder == "health" {
			e = httpapi.Health(httpapi.Deps{})
			path = httpapi.HealthPaths[0]
			wantEqual(t, f+" second path", all.prop(f, "Events", "Ready", "Properties", "Path"), httpapi.HealthPaths[1])
		} else if !ok {
			t.Errorf("%s is built of %q, which has no endpoint", f, folder)
			continue
		}
		if made := main(t, filepath.Join("functions", folder, "main.go")); folder != "page" && folder != "mcp" && !strings.EqualFold(made, cmp.Or(e.Name, "Unknown")) {
			t.Errorf("functions/%s makes %q, want %q", folder, made, e.Name)
		}
		call := all.prop(f, "Events", "Call", "Properties")
		wantEqual(t, f+" path", at(call, "Path"), path)
		wantEqual(t, f+" method", at(call, "Method"), "ANY") // a wrong one is answered in the API's error form
		if ok {
			slash := all.prop(f, "Events", "Slash", "Properties")
			wantEqual(t, f+" path with a slash", at(slash, "Path"), path+"/")
			wantEqual(t, f+" method with a slash", at(slash, "Method"), "ANY")
		}
		wantEqual(t, f+" build", all.Resources[f].Metadata["SkipBuild"], true)
	}
}

// TestLogs: all functions write to one log group, which forgets.
func TestLogs(t *testing.T) {
	all := read(t)
	log := str(at(all.Globals.Function, "LoggingConfig", "LogGroup"))
	if r := all.Resources[log]; r.Type != "AWS::Logs::LogGroup" || r.Properties["RetentionInDays"] == nil {
		t.Errorf("functions log to %q", log)
	}
	for _, f := range all.of(functionType) {
		wantEqual(t, f+" log", all.prop(f, "LoggingConfig"), nil)
	}
}

// TestStackFits: CloudFormation takes 500 resources. SAM makes of a function its role, a version, an alias, with a canary a
// deployment group, and of each event a permission.
func TestStackFits(t *testing.T) {
	all := read(t)
	resources := len(all.Resources) + 5 // the API's stage, domain and mapping, CodeDeploy's application and role
	for _, f := range all.of(functionType) {
		events, _ := all.prop(f, "Events").(map[string]any)
		resources += 4 + len(events)
	}
	if resources > 500 {
		t.Errorf("the stack may have %d resources, CloudFormation takes 500", resources)
	}
	t.Logf("%d resources at most", resources)
}

// TestSecretGuesses: the filter that counts wrong secrets knows every route of the endpoints that one opens, and no other.
func TestSecretGuesses(t *testing.T) {
	all := read(t)
	filter := str(all.prop("SecretGuesses", "FilterPattern"))
	var patterns []*regexp.Regexp
	for _, pattern := range regexp.MustCompile(`\$\.route = "([^"]*)"`).FindAllStringSubmatch(filter, -1) {
		text := strings.ReplaceAll(regexp.QuoteMeta(pattern[1]), `\*`, ".*")
		patterns = append(patterns, regexp.MustCompile("^"+text+"$"))
	}
	for _, f := range all.of(functionType) {
		e, ok := endpointOf(strings.TrimPrefix(str(all.prop(f, "CodeUri")), "dist/"))
		events, _ := all.prop(f, "Events").(map[string]any)
		for name := range events {
			route := "ANY " + str(all.prop(f, "Events", name, "Properties", "Path"))
			counted := slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(route) })
			if want := ok && e.Auth == httpapi.BySecret; counted != want {
				t.Errorf("401 of %s is counted: %v, want %v", route, counted, want)
			}
		}
	}
}

// endpointOf is the endpoint that a folder of functions/ serves.
func endpointOf(folder string) (httpapi.Endpoint, bool) {
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		if e.Folder() == folder {
			return e, true
		}
	}
	return httpapi.Endpoint{}, false
}

// main is the constructor of the endpoint that a function's main serves.
func main(t *testing.T, file string) (name string) {
	t.Helper()
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && len(c.Args) > 0 {
			if s, ok := c.Args[0].(*ast.SelectorExpr); ok {
				name = s.Sel.Name
			}
		}
		return true
	})
	return name
}

// TestEnvironment: the template sets what a program must have, and nothing that it doesn't read.
func TestEnvironment(t *testing.T) {
	all := read(t)
	shared := variables(t, filepath.Join("internal", "function", "function.go"))
	for name, set := range all.environments(t) {
		var must, may []string
		if name == "Host" {
			must = variables(t, filepath.Join("session-host", "settings.go"))
			may = must
			must = slices.DeleteFunc(slices.Clone(must), optional)
		} else {
			folder := strings.TrimPrefix(str(all.prop(name, "CodeUri")), "dist/")
			file := filepath.Join("functions", folder, "main.go")
			e, _ := endpointOf(folder)
			if name == "Health" {
				e = httpapi.Health(httpapi.Deps{})
			}
			must = needed(e)
			if name == "DeliverWebhook" {
				must = []string{"HOOKS_TABLE", "SECRETS_TABLE", "WEBHOOK_LOOPBACK"}
			}
			for _, part := range []string{"commander", "secret", "caller", "deliver", "media"} {
				if imports(t, file, "pesan/internal/function/"+part) {
					must = append(must, variables(t, filepath.Join("internal", "function", part, part+".go"))...)
				}
			}
			must = slices.DeleteFunc(must, optional)
			may = append(slices.Clone(must), shared...)
		}
		for _, v := range must {
			if !set[v] {
				t.Errorf("%s isn't given %s", name, v)
			}
		}
		for v := range set {
			if !slices.Contains(may, v) {
				t.Errorf("%s is given %s, which it doesn't read", name, v)
			}
		}
	}
}

// needed are the variables of an endpoint's ports.
func needed(e httpapi.Endpoint) (all []string) {
	for _, port := range e.Needs {
		switch port {
		case httpapi.Chats:
			all = append(all, "CHATS_TABLE")
		case httpapi.Messages:
			all = append(all, "CHATS_TABLE", "MESSAGES_TABLE")
		case httpapi.Webhooks:
			all = append(all, "HOOKS_TABLE", "SECRETS_TABLE")
		case httpapi.AllUsage:
			all = append(all, "HOOKS_TABLE")
		case httpapi.Feeds:
			all = append(all, "CHATS_TABLE")
		case httpapi.Reports, httpapi.Commands, httpapi.Requests, httpapi.Batches, httpapi.Heartbeats:
			all = append(all, "COMMANDS_TABLE")
		}
	}
	return all
}

// optional variables have a default.
func optional(name string) bool {
	return slices.Contains([]string{
		"BATCH_RATE", "COMMAND_WAIT", "HEALTH_ADDRESS", "LOG_LEVEL", "WHATSAPP_ADDRESS", "WHATSAPP_ROOT_KEY", "AWS_REGION", "MEDIA_LIMIT", "FEED_DAYS",
	}, name)
}

// environments are the variables of each function, with those that all have, and of the host.
func (all template) environments(t *testing.T) map[string]map[string]bool {
	t.Helper()
	environments := map[string]map[string]bool{}
	add := func(name string, v any) {
		if environments[name] == nil {
			environments[name] = map[string]bool{}
		}
		variables, _ := v.(map[string]any)
		for k := range variables {
			environments[name][k] = true
		}
	}
	for _, name := range all.of(functionType) {
		add(name, at(any(all.Globals.Function), "Environment", "Variables"))
		add(name, all.prop(name, "Environment", "Variables"))
	}
	for _, v := range anyList(all.prop("HostTask", "ContainerDefinitions", 0, "Environment")) {
		add("Host", map[string]any{str(at(v, "Name")): at(v, "Value")})
	}
	if len(environments["Host"]) == 0 {
		t.Fatal("the host has no variables")
	}
	return environments
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Clean(file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var variable = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// variables are the names of environment variables that a file has as texts.
func variables(t *testing.T, file string) []string {
	names := map[string]bool{}
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil && variable.MatchString(text) {
				names[text] = true
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(names))
}

func imports(t *testing.T, file, path string) bool {
	return slices.ContainsFunc(parse(t, file).Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}
