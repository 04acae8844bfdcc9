package stack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pesan/internal/httpapi"
)

// endpoints of the API, by the constructors that the functions call.
func endpoints() map[string]httpapi.Endpoint {
	var o httpapi.Commander
	return map[string]httpapi.Endpoint{
		"GetChats": httpapi.GetChats(nil), "GetChatByID": httpapi.GetChatByID(nil), "FetchMessageByID": httpapi.FetchMessageByID(nil),
		"MuteChat": httpapi.MuteChat(nil, o), "UnmuteChat": httpapi.UnmuteChat(nil, o), "ClearMessageByID": httpapi.ClearMessageByID(nil, o),
		"GetReportAPI": httpapi.GetReportAPI(nil), "ClearReportAPI": httpapi.ClearReportAPI(nil),
		"ServiceStart": httpapi.ServiceStart(nil, o), "ServiceDestroy": httpapi.ServiceDestroy(nil, o),
		"GetQR": httpapi.GetQR(o), "GetState": httpapi.GetState(),
		"AddDevice": httpapi.AddDevice(nil, 1), "EditDevice": httpapi.EditDevice(nil), "ListDevice": httpapi.ListDevice(nil),
		"DeleteDevice": httpapi.DeleteDevice(nil, o), "ChangeAPIKey": httpapi.ChangeAPIKey(nil),
		"Unknown": httpapi.Unknown(),
	}
}

// TestEndpoints: each endpoint has one function, one folder, one route and one log group, and there are no others.
func TestEndpoints(t *testing.T) {
	all := read(t)
	folders := map[string]bool{}
	entries, err := os.ReadDir(root("functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		folders[e.Name()] = true
	}
	functions := all.of(functionType)
	for constructor, e := range endpoints() {
		path, name := "/api/"+e.Name, e.Name
		if e.Name == "" {
			path, name = "$default", "UnknownEndpoint"
		}
		i := slices.IndexFunc(functions, func(f string) bool { return strings.EqualFold(f, name) })
		if i < 0 {
			t.Errorf("%s has no function", name)
			continue
		}
		f := functions[i]
		functions = slices.Delete(functions, i, i+1)
		folder, _ := strings.CutPrefix(str(all.prop(f, "CodeUri")), "dist/")
		if !folders[folder] || !strings.EqualFold(strings.ReplaceAll(folder, "-", ""), name) {
			t.Errorf("%s is built of %q", f, folder)
		}
		delete(folders, folder)
		if calls := called(t, root("functions", folder, "main.go")); !slices.Contains(calls, "httpapi."+constructor) {
			t.Errorf("functions/%s makes %v, want httpapi.%s", folder, calls, constructor)
		}
		call := all.prop(f, "Events", "Call", "Properties")
		wantEqual(t, f+" path", at(call, "Path"), path)
		wantEqual(t, f+" method", at(call, "Method"), "ANY") // a wrong one is answered in the API's error form
		log := str(all.prop(f, "LoggingConfig", "LogGroup"))
		if r := all.Resources[log]; r.Type != "AWS::Logs::LogGroup" || r.Properties["RetentionInDays"] == nil || log != f+"Log" {
			t.Errorf("%s logs to %q", f, log)
		}
		wantEqual(t, f+" build", all.Resources[f].Metadata["SkipBuild"], true)
	}
	if len(functions)+len(folders) > 0 {
		t.Errorf("without endpoint: functions %v, folders %v", functions, folders)
	}
}

// TestEnvironment: the template sets what a program must have, and nothing that it doesn't read.
func TestEnvironment(t *testing.T) {
	all := read(t)
	shared := variables(t, root("internal", "function", "function.go"))
	for name, set := range all.environments(t) {
		var must, may []string
		if name == "Host" {
			must = variables(t, root("session-host", "settings.go"))
			may = must
			must = slices.DeleteFunc(slices.Clone(must), optional)
		} else {
			folder := strings.TrimPrefix(str(all.prop(name, "CodeUri")), "dist/")
			file := root("functions", folder, "main.go")
			must = variables(t, file)
			for _, part := range []string{"commander", "secret"} {
				if imports(t, file, "pesan/internal/function/"+part) {
					must = append(must, variables(t, root("internal", "function", part, part+".go"))...)
				}
			}
			if slices.Contains(must, "COMMANDS_TABLE") {
				must = append(must, "QUEUE_URLS")
			}
			if slices.Contains(called(t, file), "w.Shards") {
				must = append(must, "SHARDS")
			}
			must = slices.DeleteFunc(must, optional)
			may = append(slices.Clone(must), shared...)
		}
		for _, v := range must {
			if _, ok := set[v]; !ok {
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

// optional variables have a default.
func optional(name string) bool {
	return slices.Contains([]string{
		"COMMAND_WAIT", "HEALTH_ADDRESS", "LOG_LEVEL", "WHATSAPP_ADDRESS", "WHATSAPP_ROOT_KEY", "AWS_REGION",
	}, name)
}

// environments are the variables of each function, with those that all have, and of the host.
func (all template) environments(t *testing.T) map[string]map[string]string {
	t.Helper()
	environments := map[string]map[string]string{}
	add := func(name string, v any) {
		if environments[name] == nil {
			environments[name] = map[string]string{}
		}
		variables, _ := v.(map[string]any)
		for k, v := range variables {
			environments[name][k] = str(v)
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

var variable = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$|^SHARDS$`)

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

// called are the functions that a file calls, as package.Name.
func called(t *testing.T, file string) []string {
	var names []string
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if s, ok := c.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					names = append(names, x.Name+"."+s.Sel.Name)
				}
			}
		}
		return true
	})
	return names
}

func imports(t *testing.T, file, path string) bool {
	return slices.ContainsFunc(parse(t, file).Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}
