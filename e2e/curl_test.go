package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl is the name under which this test's program is curl, for the lines that are printed to be pasted into a shell.
const curl = "curl"

// withCurl makes the shell find curl: the real one, else this test's program.
func withCurl(t *testing.T) (path string) {
	path = os.Getenv("PATH")
	if _, err := exec.LookPath(curl); err == nil {
		return path
	}
	self, err := os.Executable()
	must(t, err)
	folder := t.TempDir()
	must(t, os.Symlink(self, filepath.Join(folder, curl)))
	t.Log("there is no curl: the lines are tried by the test's own client")
	return folder + string(os.PathListSeparator) + path
}

// runCurl does what the printed lines ask curl for, and refuses all else.
func runCurl(args []string, out io.Writer) error {
	var address string
	var form []string
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-s":
		case arg == "-d" && i+1 < len(args):
			i++
			form = append(form, args[i])
		case arg == "--data-urlencode" && i+1 < len(args):
			i++
			name, value, _ := strings.Cut(args[i], "=")
			form = append(form, name+"="+url.QueryEscape(value))
		case strings.HasPrefix(arg, "-") || address != "":
			return fmt.Errorf("what is %q?", arg)
		default:
			address = arg
		}
	}
	if _, err := url.ParseRequestURI(address); err != nil {
		return err
	}
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(strings.Join(form, "&"))
	}
	request, err := http.NewRequest(method, address, body)
	if err != nil {
		return err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(out, response.Body)
	return err
}
