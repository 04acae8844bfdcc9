package standalone

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockFolder tries to take a folder in this process and in another one, which is this test again.
func TestLockFolder(t *testing.T) {
	const variable = "PESAN_TEST_FOLDER"
	if path := os.Getenv(variable); path != "" {
		folder, err := lockFolder(path)
		fmt.Println("locked:", folder != nil, err)
		return
	}
	path := filepath.Join(t.TempDir(), "data", "folder")
	other := func() string {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockFolder$")
		command.Env = append(os.Environ(), variable+"="+path)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	folder, err := lockFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("data folder %s is in use by another process (process %d)", path, os.Getpid())
	if out := other(); !strings.Contains(out, "locked: false") || !strings.Contains(out, want) {
		t.Errorf("another process says %q, want %q", out, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	if out := other(); !strings.Contains(out, "locked: true") {
		t.Errorf("after the folder was given back another process says %q", out)
	}
}
