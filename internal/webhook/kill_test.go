package webhook

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
)

// asSender makes the test binary a process that stores messages and sends their events: a file, a URL, the first message's number
// and how many there are.
const asSender = "TEST_AS_SENDER"

func sendAsProcess(args []string) error {
	db, err := sqlite.Open(context.Background(), args[0], sqlite.Options{})
	if err != nil {
		return err
	}
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true})
	caller := NewSender(Options{Loopback: true, Now: time.Now})
	f := NewForwarder(Config{
		Accounts: s, Feed: s, Messages: s, Hooks: s, Reports: s, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Sink:   &Deliverer{Log: s, Caller: caller, Now: time.Now, Logger: slog.New(slog.DiscardHandler)},
		Shards: chat.ShardsOf(0, 1),
	})
	go f.Run(context.Background())
	projector := chat.NewProjector(s, time.Now)
	from, _ := strconv.Atoi(args[1])
	to, _ := strconv.Atoi(args[2])
	for i := from; i < to; i++ {
		if err := projector.Apply(context.Background(), account, said(fmt.Sprint("M", i))); err != nil {
			return err
		}
		fmt.Println(i) // it is stored
	}
	select {} // until it is killed
}

// TestKilled kills a process that stores and sends, again and again: every event of what was stored is delivered, in order, and its
// id tells what is sent twice.
func TestKilled(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = n
	}
	file := filepath.Join(t.TempDir(), "pesan.db")
	e := newEndpoint(t)
	prepare(t, file, e.URL)
	stored, most := 0, kills*40
	for kill := 0; ; kill++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asSender+"="+strings.Join([]string{file, strconv.Itoa(stored), strconv.Itoa(most)}, "|"))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := len(e.got())
		lines := make(chan int)
		go func() {
			defer close(lines)
			for scanner := bufio.NewScanner(out); scanner.Scan(); {
				n, _ := strconv.Atoi(scanner.Text())
				lines <- n + 1
			}
		}()
		drained := make(chan int, 1)
		go func() {
			last := stored
			for n := range lines {
				last = n
			}
			drained <- last
		}()
		e.wait(t, "after a kill", func(all []arrived) bool {
			if kill < kills {
				return len(all) >= before+7+5*kill%31 // somewhere in the stream
			}
			return delivered(all, most)
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if stored = <-drained; kill == kills {
			break
		}
	}
	all := e.got()
	newest, seen, repeats := int64(0), map[string]string{}, 0
	for _, a := range all {
		key, _ := a.body.Results["key"].(map[string]any)
		message := fmt.Sprint(key["id"])
		switch earlier, again := seen[a.id]; {
		case again && earlier != message:
			t.Errorf("%s was of %s, and is of %s", a.id, earlier, message)
		case again:
			repeats++
		case a.body.Number < newest:
			t.Errorf("%s comes first after number %d", a.id, newest)
		}
		seen[a.id], newest = message, max(newest, a.body.Number)
	}
	t.Logf("%d kills, %d messages, %d deliveries, of which %d repeat one", kills, most, len(all), repeats)
}

// delivered tells whether there is an event of every message.
func delivered(all []arrived, most int) bool {
	got := map[any]bool{}
	for _, a := range all {
		key, _ := a.body.Results["key"].(map[string]any)
		got[key["id"]] = true
	}
	return len(got) == most
}

func prepare(t *testing.T, file, url string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true})
	err = s.CreateAccount(t.Context(), chat.Account{ID: account})
	if err == nil {
		err = s.SetHook(t.Context(), account, chat.Hook{URL: url, Events: []chat.EventKind{chat.MessageEvent}, CreatedAt: time.Now()}, testSecret)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
