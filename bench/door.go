package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pesan/internal/sim"
)

const (
	doorCallers = 1000
	doorChats   = 10_000
	doorTime    = 10 * time.Second // for which wrong keys are tried
	doorFiles   = 256              // file descriptors that the process may have
	doorIdle    = 10_000           // connections that wait
)

// runDoor measures what strangers and greedy clients cost: wrong keys for an id that there is, long answers for many at once, and
// connections that only wait. No call is held back by the limit of its key.
func (b *bench) runDoor(ctx context.Context) ([]row, error) {
	folder := filepath.Join(b.folder, "door")
	progress("%d chats are made", doorChats)
	key, _, _, err := seed(ctx, folder, doorChats, 0)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var rows []row
	type measure func(context.Context, *pesan, string) ([]row, error)
	for _, part := range []measure{wrongKeys, longAnswers(200, 256), longAnswers(doorCallers, 400)} {
		p, err := b.run(ctx, s, folder)
		if err != nil {
			return nil, err
		}
		got, err := part(ctx, p, key)
		p.stop()
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	got, err := b.idleConnections(ctx, s, folder)
	return append(rows, got...), err
}

// wrongKeys has many callers try keys for an account's id.
func wrongKeys(ctx context.Context, p *pesan, key string) ([]row, error) {
	wrong := key[:len(key)-4] + "aaaa"
	began := time.Now()
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	answers, err := p.flood(ctx, doorCallers, wrong, func(int) bool { return time.Since(began) < doorTime })
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	refused := answers.of(http.StatusUnauthorized)
	each := (after - before) / time.Duration(max(1, refused))
	peak, err := p.resident("VmHWM")
	return []row{
		{fmt.Sprintf("wrong keys for an account of %d chats, %d callers (%.0f refusals/s): CPU each", doorChats, doorCallers,
			float64(refused)/took.Seconds()),
			ms(each), "0.5 ms", each <= 500*time.Microsecond && refused > 0 && refused == answers.all()},
		{"wrong keys: memory at most", fmt.Sprintf("%.0f MB", peak/1e6), "200 MB", peak <= 200e6},
	}, err
}

// longAnswers has callers list all chats of an account at once, for which goal MB are enough.
func longAnswers(callers int, goal float64) func(context.Context, *pesan, string) ([]row, error) {
	return func(ctx context.Context, p *pesan, key string) ([]row, error) {
		answers, err := p.flood(ctx, callers, key, func(calls int) bool { return calls < 1 })
		if err != nil {
			return nil, err
		}
		served, told := answers.of(http.StatusOK), answers.of(http.StatusTooManyRequests)
		peak, err := p.resident("VmHWM")
		return []row{
			{fmt.Sprintf("getChats of %d chats, %d callers at once: answered, or told when to come again", doorChats, callers),
				fmt.Sprintf("%d, %d", served, told), fmt.Sprintf("%d together", callers), served > 0 && served+told == callers},
			{fmt.Sprintf("getChats for all %d of them: memory at most", callers), fmt.Sprintf("%.0f MB", peak/1e6),
				fmt.Sprintf("%.0f MB", goal), peak <= goal*1e6},
		}, err
	}
}

// answers counts answers by their status; by 0 calls that got none.
type answers [600]atomic.Int64

func (a *answers) of(status int) int { return int(a[status].Load()) }

func (a *answers) all() (sum int) {
	for status := range a {
		sum += a.of(status)
	}
	return sum
}

// flood has many callers call getChats with a key, each on a connection of its own and while more says so of his calls.
func (p *pesan) flood(ctx context.Context, callers int, key string, more func(calls int) bool) (*answers, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	form := url.Values{"apiKey": {key}}.Encode()
	var all answers
	var under sync.WaitGroup
	for range callers {
		under.Go(func() {
			for calls := 0; more(calls) && ctx.Err() == nil; calls++ {
				response, err := client.Post(p.url+"/api/getChats", "application/x-www-form-urlencoded", strings.NewReader(form))
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err != nil {
					all[0].Add(1)
					continue
				}
				all[response.StatusCode].Add(1)
			}
		})
	}
	under.Wait()
	return &all, ctx.Err()
}

// idleConnections opens many more connections than the process may have files, and calls beside them.
func (b *bench) idleConnections(ctx context.Context, s *sim.Server, folder string) ([]row, error) {
	limited, err := start(ctx, s, []string{"PESAN_LISTEN=127.0.0.1:0", "PESAN_DATA=" + folder, "PESAN_SECRET=" + secret},
		"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" run`, doorFiles), b.binary)
	if err != nil {
		return nil, err
	}
	defer limited.stop()
	address, err := limited.await(ctx, urlLine)
	if err != nil {
		return nil, err
	}
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	var longest time.Duration
	answered, tried := 0, 0
	for i := range doorIdle {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			return nil, fmt.Errorf("open connection %d: %w; ulimit -n must be above that", i, err)
		}
		conns = append(conns, conn)
		if (i+1)%(doorIdle/100) == 0 {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Minute}
			began := time.Now()
			tried++
			if response, err := client.Get(address + "/readyz"); err == nil {
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					answered++
				}
			}
			longest = max(longest, time.Since(began))
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", limited.cmd.Process.Pid))
	return []row{{
		fmt.Sprintf("%d idle connections at %d files: the longest of %d calls beside them (%d answered, %d files open)",
			doorIdle, doorFiles, tried, answered, len(files)),
		ms(longest), "1000 ms", longest <= time.Second && answered == tried,
	}}, err
}
