// Package dynamolocal gives tests a DynamoDB of their own: the server that DYNAMODB_ENDPOINT names, else a DynamoDB Local that lives as
// long as the test binary. With CI=true a missing server is a failure; without it, it skips the tests that need one.
package dynamolocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// endpointVariable names the server's URL, for the tests and for the processes that they start.
const endpointVariable = "DYNAMODB_ENDPOINT"

// Main is the body of a package's TestMain: it starts a server if none is given, runs the tests, ends the server and gives the exit code.
func Main(m *testing.M) int {
	if os.Getenv(endpointVariable) != "" {
		return m.Run()
	}
	if _, err := exec.LookPath("java"); err != nil {
		return m.Run() // Client skips, or fails in CI
	}
	s, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "DynamoDB Local:", err)
		return 1
	}
	defer s.stop()
	os.Setenv(endpointVariable, s.url)
	return m.Run()
}

// Client returns a client of the server, for any region and credentials, or skips the test (fails it in CI) when there is none.
func Client(t testing.TB, options ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		const hint = "needs DynamoDB Local: install Java 17 and Maven, or set " + endpointVariable
		if os.Getenv("CI") == "true" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	return dynamodb.New(dynamodb.Options{
		Region:       "local",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	}, options...)
}

// CreateTable makes the table and deletes it when the test ends.
func CreateTable(t testing.TB, db *dynamodb.Client, table *dynamodb.CreateTableInput) {
	t.Helper()
	if _, err := db.CreateTable(t.Context(), table); err != nil {
		t.Fatalf("create table %s: %v", *table.TableName, err)
	}
	t.Cleanup(func() {
		if _, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: table.TableName}); err != nil {
			t.Errorf("delete table %s: %v", *table.TableName, err)
		}
	})
}

type server struct {
	url   string
	stdin io.Closer
	cmd   *exec.Cmd
}

func start() (*server, error) {
	lib, err := fetch()
	if err != nil {
		return nil, err
	}
	const attempts = 3 // somebody else may take the port between our look and Java's
	for range attempts {
		var s *server
		if s, err = startIn(lib); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// fetch returns the folder of the server's jars.
func fetch() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the module's root isn't above the test")
		}
	}
	cmd := exec.Command(filepath.Join(dir, "scripts", "dynamodb-local"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func startIn(lib string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	// The shell ends the server when our end of its input closes, whatever way this process ends.
	cmd := exec.Command("sh", "-c", `java "$@" >&2 & trap 'kill $! 2>/dev/null' EXIT; cat`, "sh",
		"-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djava.library.path="+lib, "-cp", filepath.Join(lib, "*"),
		"com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port))
	var log tail
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{url: "http://127.0.0.1:" + strconv.Itoa(port), stdin: stdin, cmd: cmd}
	if err := s.waitReady(time.Minute); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w; its output: %s", err, log.String())
	}
	return s, nil
}

func (s *server) waitReady(limit time.Duration) error {
	client := http.Client{Timeout: time.Second}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// It answers a request without a signature with 400.
		if resp, err := client.Get(s.url); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("no answer on %s within %s", s.url, limit)
		}
	}
}

func (s *server) stop() {
	s.stdin.Close()
	_ = s.cmd.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
