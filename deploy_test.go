package pesan_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeploy runs scripts/deploy with programs that note their calls: nothing is asked in a pipeline, an image comes before what
// runs it, and a processor is the functions', the image's and the stack's.
func TestDeploy(t *testing.T) {
	for _, test := range []struct {
		name, env, arch string
		first           bool // there is no stack yet
		deploys         int
	}{
		{"first", "prod", "", true, 2},
		{"again", "prod", "amd64", false, 1},
		{"dev", "dev", "arm64", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			calls := filepath.Join(folder, "calls")
			aws := `case "$*" in
*get-parameter*|*describe-images*) exit 254 ;;
*RepositoryUri*) [ -f "$0.made" ] && echo 1.dkr.ecr.example/repository; touch "$0.made" ;;
esac`
			for name, does := range map[string]string{"sam": "", "docker": "", "make": "", "go": "", "aws": aws} {
				script := "#!/bin/sh\necho " + name + ` "$@" >>` + calls + "\n" + does + "\nexit 0\n"
				if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if !test.first {
				if err := os.WriteFile(filepath.Join(folder, "aws.made"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.CommandContext(t.Context(), "bash", "scripts/deploy", test.env)
			c.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CI=true", "TAG=v1", "ARCH="+test.arch, "OVERRIDES=Hosts=0")
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b, err := os.ReadFile(calls)
			if err != nil {
				t.Fatal(err)
			}
			said := string(b)
			arch, architecture := "arm64", "arm64"
			if test.arch == "amd64" {
				arch, architecture = "amd64", "x86_64"
			}
			if n := strings.Count(said, "sam deploy"); n != test.deploys {
				t.Errorf("%d deploys, want %d:\n%s", n, test.deploys, said)
			}
			push, last := strings.Index(said, "docker push"), strings.LastIndex(said, "sam deploy")
			if push < 0 || push > last {
				t.Errorf("the image comes too late:\n%s", said)
			}
			for _, want := range []string{
				"make functions ARCH=" + arch + "\n", "--platform linux/" + arch, "HostImage=v1-" + arch + " Hosts=0\n",
				"Architecture=" + architecture, "--type SecureString", "--no-confirm-changeset",
			} {
				if !strings.Contains(said, want) {
					t.Errorf("%q isn't said:\n%s", want, said)
				}
			}
		})
	}
}
