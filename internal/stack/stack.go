// Package stack reads template.yaml and samconfig.toml, so that what is said of a stack can be held to them, or made of them.
package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Resource of the template. Short functions are their arguments: !Ref X is X, !GetAtt X.Arn is X.Arn.
type Resource struct {
	Type                string         `yaml:"Type"`
	Condition           string         `yaml:"Condition"`
	DeletionPolicy      string         `yaml:"DeletionPolicy"`
	UpdateReplacePolicy string         `yaml:"UpdateReplacePolicy"`
	Metadata            map[string]any `yaml:"Metadata"`
	Properties          map[string]any `yaml:"Properties"`
}

// Parameter of the template.
type Parameter struct {
	Type    string `yaml:"Type"`
	Default string `yaml:"Default"`
}

// Template is template.yaml, with each Fn::ForEach unrolled.
type Template struct {
	Parameters map[string]Parameter `yaml:"Parameters"`
	Resources  map[string]Resource  `yaml:"Resources"`
	Globals    struct {
		Function map[string]any `yaml:"Function"`
	} `yaml:"Globals"`
}

// Read reads the template of a repository.
func Read(folder string) (*Template, error) {
	file, err := os.ReadFile(filepath.Join(folder, "template.yaml"))
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, err
	}
	var head struct {
		Parameters map[string]Parameter `yaml:"Parameters"`
	}
	if err := document.Decode(&head); err != nil {
		return nil, err
	}
	lists := map[string][]string{}
	for name, p := range head.Parameters {
		if p.Type == "CommaDelimitedList" {
			lists[name] = strings.Split(p.Default, ",")
		}
	}
	for i, section := range document.Content[0].Content {
		if section.Value == "Resources" {
			if err := unroll(document.Content[0].Content[i+1], lists); err != nil {
				return nil, err
			}
		}
	}
	all := &Template{}
	return all, document.Decode(all)
}

// unroll puts what each Fn::ForEach stands for in its place: [variable, list, {name: resource}], the variable in braces.
func unroll(resources *yaml.Node, lists map[string][]string) error {
	var out []*yaml.Node
	for i := 0; i < len(resources.Content); i += 2 {
		name, value := resources.Content[i], resources.Content[i+1]
		if !strings.HasPrefix(name.Value, "Fn::ForEach::") {
			out = append(out, name, value)
			continue
		}
		var names []string
		if value.Content[1].Tag == "!Ref" {
			names = lists[value.Content[1].Value]
		} else if err := value.Content[1].Decode(&names); err != nil {
			return err
		}
		if len(names) == 0 {
			return fmt.Errorf("%s is over nothing", name.Value)
		}
		body, err := yaml.Marshal(value.Content[2])
		if err != nil {
			return err
		}
		for _, one := range names {
			var node yaml.Node
			if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(body), "${"+value.Content[0].Value+"}", one)), &node); err != nil {
				return err
			}
			out = append(out, node.Content[0].Content...)
		}
	}
	resources.Content = out
	return nil
}

// Of returns the names of the resources of a type, sorted.
func (t *Template) Of(kind string) []string {
	var names []string
	for name, r := range t.Resources {
		if r.Type == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Prop follows names and numbers through a resource's properties; nil where there is nothing.
func (t *Template) Prop(name string, path ...any) any {
	return At(any(t.Resources[name].Properties), path...)
}

// At follows names through maps, and numbers through lists; nil where there is nothing.
func At(v any, path ...any) any {
	for _, step := range path {
		switch here := v.(type) {
		case map[string]any:
			name, _ := step.(string)
			v = here[name]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

var overrides = regexp.MustCompile(`(?ms)^\[(\w+)\.deploy\.parameters\].*?^parameter_overrides = "([^"]*)"`)

// Settings are the parameters of a stack as samconfig.toml deploys it, with the template's defaults where it sets none.
func (t *Template) Settings(folder, environment string) (map[string]string, error) {
	file, err := os.ReadFile(filepath.Join(folder, "samconfig.toml"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for name, p := range t.Parameters {
		all[name] = p.Default
	}
	for _, found := range overrides.FindAllStringSubmatch(string(file), -1) {
		if found[1] != environment {
			continue
		}
		for _, word := range strings.Fields(found[2]) {
			name, value, _ := strings.Cut(word, "=")
			if _, known := all[name]; !known {
				return nil, fmt.Errorf("samconfig.toml sets %s, which is no parameter", name)
			}
			all[name] = value
		}
		return all, nil
	}
	return nil, fmt.Errorf("samconfig.toml has no %s", environment)
}
