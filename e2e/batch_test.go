package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestBatchRecipes runs the recipes of docs/batch.md as they are written, on the demo.
func TestBatchRecipes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "batch.md"))
	must(t, err)
	_, recipes, _ := strings.Cut(string(text), "## Recipes")
	recipes, _, _ = strings.Cut(recipes, "## Straight on the queue")
	var scripts []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(recipes, -1) {
		scripts = append(scripts, block[1])
	}
	for _, block := range regexp.MustCompile("(?s)```crontab\n(.*?)```").FindAllStringSubmatch(recipes, -1) {
		scripts = append(scripts, regexp.MustCompile(`(?m)^(\S+ ){5}`).ReplaceAllString(block[1], ""))
	}
	if len(scripts) < 5 {
		t.Fatalf("%d recipes", len(scripts))
	}

	p := start(t, nil, "demo", "-listen", "127.0.0.1:0")
	key, err := p.find(ctx, regexp.MustCompile(`^API key +\S+`))
	must(t, err)
	line, err := p.find(ctx, regexp.MustCompile(`^curl -s http://\S+/api/getChats`))
	must(t, err)
	url, _, _ := strings.Cut(strings.TrimPrefix(line, "curl -s "), "/api/")
	folder := t.TempDir()
	must(t, os.Symlink(binary, filepath.Join(folder, "pesan")))
	for _, script := range scripts {
		cmd := exec.CommandContext(ctx, "sh", "-e", "-c", script)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "PESAN_URL="+url, "PESAN_API_KEY="+strings.Fields(key)[2], "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(script, "--dry-run") && !strings.Contains(string(out), "nothing was done.") ||
			!strings.Contains(string(out), "done") {
			t.Errorf("%s\n%s\n%v", script, out, err)
		}
	}
	if log := p.errors.String(); log != "" {
		t.Errorf("a healthy demo warns of something: %s", log)
	}
}
