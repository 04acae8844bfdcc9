// Package standalone runs everything in one process: the HTTP API, the host with its devices, and SQLite under them.
//
// # Promise
//
// One process works on a data folder at a time. What a call was answered is still so after the process was killed. When
// its context ends it finishes what it has begun, within seconds, and all its goroutines have ended when Run returns.
package standalone

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	"pesan/internal/devicedb"
	"pesan/internal/host"
	"pesan/internal/httpapi"
	"pesan/internal/kv/sqlite"
	"pesan/internal/mcp"
	mediafolder "pesan/internal/media/folder"
	"pesan/internal/metrics"
	"pesan/internal/page"
	"pesan/internal/queue/local"
	"pesan/internal/store"
	"pesan/internal/usage"
	"pesan/internal/whatsapp"
)

// Config is what the program runs with.
type Config struct {
	Listen      string // host:port
	Metrics     string // host:port for Prometheus; nowhere if empty
	Folder      string // for data
	Secret      string // the system's; "": kept in a file of the folder
	CountryCode string // what a leading 0 in a phone number stands for
	CommandWait time.Duration
	Rate        float64       // calls a second of one key; 0: no limit
	BatchRate   int           // operations of a batch a second, at most; 0: chat.BatchRateBound
	Loopback    bool          // webhooks may go to this machine, and there also without TLS
	FeedAge     time.Duration // how long the feed's entries may be asked for; 0: chat.FeedAge
	MaxMedia    int64         // bytes that the file of a message may have to be fetched
	Sync        bool          // wait for the disk, so that a power cut loses nothing that was acknowledged
	WhatsApp    *http.Client  // nil: the real one
	Out         io.Writer     // what people read
	Terminal    bool          // Out is one
	Locale      string        // such as id_ID.UTF-8
	Logger      *slog.Logger
	anyPort     bool // where Listen's is taken
}

// Run serves until ctx ends. It adds a first device when there is none. When there is a backup to begin with, it begins anew.
func Run(ctx context.Context, c Config) error {
	for {
		if err := runOnce(ctx, c); !errors.Is(err, errRestore) {
			return err
		}
	}
}

func runOnce(ctx context.Context, c Config) error {
	p, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.greet(ctx); err != nil {
		return err
	}
	if err := p.serve(ctx, p.follow, p.awaitRestore); err != nil {
		if errors.Is(err, errRestore) {
			p.say("%s", p.restoring)
		}
		return err
	}
	p.say("%s", p.stopped)
	return nil
}

// greet says where everything is, and adds the first device.
func (p *program) greet(ctx context.Context) error {
	p.say(p.listening, p.url())
	p.say(p.at, p.folder.Path)
	if p.place != "" {
		p.say(p.secretFile, p.place)
	} else {
		p.say("%s", p.secretEnv)
	}
	if p.folder.WasOpen {
		p.say("%s", p.wasOpen)
	}
	if a, ok := p.listener.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		p.say(p.exposed, a)
	}
	p.say("%s\n", p.toStop)
	all, _, err := p.accounts.Accounts(ctx, chat.Page{Limit: 1})
	if err != nil || len(all) > 0 {
		return err
	}
	a, key, err := p.addDevice(ctx, p.firstName, true)
	if err != nil {
		return err
	}
	p.say(p.firstDevice+"\n\n    %s\n\n%s", a.Name, key, p.keyOnce)
	p.say(p.linkPage+"\n", p.url()+"/#key="+key)
	p.say("%s\n\n    %s\n", p.tryIt, curl(p.url(), "getChats", "apiKey="+key))
	return nil
}

// curl is a shell command that calls an endpoint.
func curl(url, endpoint string, params ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -s %s/api/%s", url, endpoint)
	for _, p := range params {
		fmt.Fprintf(&b, " -d '%s'", p)
	}
	return b.String()
}

// program is an opened Config.
type program struct {
	Config
	*screen
	folder   *folder // locked
	listener net.Listener
	db       *sqlite.Store
	store    *store.Store
	queue    *local.Queue
	keys     *devicedb.DB
	accounts *watch
	meter    *usage.Meter
	hooks    *hooks // from serve on
	media    *mediafolder.Store
	secret   string
	place    string // of the secret; "" when it was given
}

func open(ctx context.Context, c Config) (*program, error) {
	p := &program{Config: c, screen: newScreen(c.Out, c.Locale, c.Terminal)}
	if err := p.open(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *program) open(ctx context.Context) (err error) {
	if p.folder, err = openFolder(p.Folder); err != nil {
		var inUse *FolderInUseError
		if errors.As(err, &inUse) {
			return fmt.Errorf(p.inUse, inUse.Process, inUse.Path)
		}
		return fmt.Errorf(p.folderBad, p.Folder, err)
	}
	p.listener, err = net.Listen("tcp", p.Listen)
	if err != nil && p.anyPort {
		if address, e := net.ResolveTCPAddr("tcp", p.Listen); e == nil {
			address.Port = 0
			if other, e := net.ListenTCP("tcp", address); e == nil {
				p.say(p.otherPort, p.Listen, reason(err), other.Addr())
				p.listener, err = other, nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf(p.addressBad, p.Listen, reason(err))
	}
	p.base = p.url()
	if err := p.examineAfter(ctx); err != nil {
		return err
	}
	if err := p.openStores(ctx); err != nil {
		if errors.Is(err, sqlite.ErrDamaged) || devicedb.Damaged(err) {
			err = cmp.Or(p.refuseHurt(ctx), err)
		}
		return err
	}
	p.accounts = newWatch(p.store)
	p.media = mediafolder.New(filepath.Join(p.folder.Path, "media"), time.Now)
	p.meter = usage.New(p.store, rand.Text(), time.Now)
	p.secret = p.Secret
	if p.secret == "" {
		p.secret, p.place, err = p.folder.secret()
	}
	return err
}

func (p *program) openStores(ctx context.Context) (err error) {
	if p.db, err = sqlite.Open(ctx, p.folder.Database(), sqlite.Options{Sync: p.Sync}); err != nil {
		return p.notOpened(p.folder.Database(), err)
	}
	p.queue = local.New(p.db, 1, 0)
	// The folder is locked: there is no other writer, and who held anything was killed.
	p.store = store.New(p.db, store.Options{Compression: store.S2, SoleWriter: true, FeedAge: p.FeedAge})
	if err := p.store.TakeOver(ctx); err != nil {
		return err
	}
	open := devicedb.Open
	if !p.Sync {
		open = devicedb.OpenUnflushed
	}
	p.keys, err = open(ctx, p.folder.Devices())
	return err
}

// reason is what the system says, without what the program said to it.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func (p *program) close() {
	if p.listener != nil {
		p.listener.Close() // closed already after serving
	}
	var errs []error
	if p.keys != nil {
		errs = append(errs, p.keys.Close())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	if p.folder != nil {
		errs = append(errs, p.folder.Close())
	}
	if err := errors.Join(errs...); err != nil {
		p.Logger.Error("close", "error", err)
	}
}

// url is where the program answers, for who sits before it: of all addresses the one that is always there.
func (p *program) url() string {
	address := p.listener.Addr()
	if a, ok := address.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port}
	}
	return "http://" + address.String()
}

// shutdown bounds how long calls may take to end once the host has ended, which ends the commands that they wait for.
const shutdown = time.Second

// serve runs the host, the API and what stands beside them until ctx ends or one of them fails.
func (p *program) serve(ctx context.Context, beside ...func(context.Context) error) error {
	commands := httpapi.WatchCommands(p.store)
	m := metrics.New("", time.Now)
	var scraped net.Listener
	if p.Metrics != "" {
		var err error
		if scraped, err = net.Listen("tcp", p.Metrics); err != nil {
			return fmt.Errorf(p.metricsBad, p.Metrics, reason(err))
		}
		defer scraped.Close() // closed already after serving
		p.say(p.metricsAt, scraped.Addr())
	}
	stores := func(chat.Ownership) host.Stores { // the folder is locked: no account has another owner
		return host.Stores{
			Accounts: m.Accounts(p.accounts), Chats: m.Chats(p.store), Commands: m.Commands(commands), Reports: p.store, Backlog: p.store, Batches: p.store,
		}
	}
	devices, err := p.devices(ctx, stores)
	if err != nil {
		return err
	}
	p.hooks = p.newHooks()
	defer p.hooks.close()
	h := host.New(host.Config{
		Name: "pesan-" + ulid.MustNew(ulid.Now(), rand.Reader).String(), Queues: 1,
		Leases: m.Leases(p.store), Stores: stores, Queue: p.queue, Sender: p.queue, Batches: p.queue, Devices: m.Devices(devices), Now: time.Now, Logger: p.Logger,
		MaxRate: p.BatchRate, Beside: p.hooks.run,
	})
	api := httpapi.New(httpapi.Config{
		Proxies:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Accounts: p.accounts, Near: true, Meter: p.meter, Reports: p.store, Secret: p.secret, Logger: p.Logger, CountryCode: p.CountryCode, Rate: p.Rate,
	})
	calls, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()
	server := &http.Server{
		Handler:           p.handler(api, commands),
		BaseContext:       func(net.Listener) context.Context { return calls },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.Logger.Handler(), slog.LevelWarn),
	}
	bounded := bound(p.listener, maxConnections(), p.Logger)
	group, ctx := errgroup.WithContext(ctx)
	hosted := make(chan struct{})
	group.Go(func() error {
		defer close(hosted)
		return h.Run(ctx)
	})
	group.Go(func() error {
		if err := bounded.serve(server); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return p.endServer(server, hosted, endCalls)
	})
	group.Go(func() error {
		p.purge(ctx)
		return nil
	})
	group.Go(func() error {
		usage.Watch(ctx, p.accounts, chat.ShardsOf(0, 1), p.store, watchLimits, time.Now, p.Logger)
		return nil
	})
	if scraped != nil {
		group.Go(func() error { return serveMetrics(ctx, scraped, collector{m, api.WrongSecrets}, p.Logger) })
	}
	for _, run := range beside {
		group.Go(func() error { return run(ctx) })
	}
	counting, stop := context.WithCancel(context.WithoutCancel(ctx))
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		p.meter.Run(counting, storeUsage, p.Logger)
	}()
	err = group.Wait()
	stop() // the last calls are counted
	<-counted
	return err
}

// What was counted is stored so often, and the limits of months are looked after.
const (
	storeUsage  = 5 * time.Second
	watchLimits = 10 * time.Second
)

// purgeEvery is how often what has expired is deleted; reading skips it at once.
const purgeEvery = time.Hour

func (p *program) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.purgeOnce(ctx); err != nil && ctx.Err() == nil {
			p.Logger.Error("purge", "error", err)
		}
	}
}

// purgeOnce deletes what has expired, after the chats whose last message it was have got another to show.
func (p *program) purgeOnce(ctx context.Context) error {
	accounts, err := p.store.AccountsOf(ctx, chat.ShardsOf(0, 1))
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if err := p.store.ShowOthers(ctx, a.ID, time.Now()); err != nil {
			return err
		}
	}
	return errors.Join(p.db.Purge(ctx), p.media.Purge())
}

// endServer takes no more calls, and lets those that go on end: after the host nothing is left that they could wait for.
func (p *program) endServer(server *http.Server, hosted <-chan struct{}, endCalls func()) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-hosted:
	}
	endCalls()
	patience := time.AfterFunc(shutdown, cancel)
	defer patience.Stop()
	if err := <-ended; err != nil {
		return server.Close()
	}
	return nil
}

// follow prints how the devices are doing.
func (p *program) follow(ctx context.Context) error {
	slow := time.NewTimer(reminder)
	defer slow.Stop()
	for {
		select {
		case <-ctx.Done():
			p.say("%s", p.stopping)
			return nil
		case <-p.accounts.changed:
			for _, a := range p.accounts.take() {
				p.show(a)
			}
			slow.Reset(reminder)
		case <-slow.C:
			p.remind()
		}
	}
}

// reminder is how long devices may go on connecting before a person is told.
const reminder = 10 * time.Second

// devices are those whose keys are in the folder.
func (p *program) devices(ctx context.Context, stores func(chat.Ownership) host.Stores) (host.Devices, error) {
	if err := p.keys.Upgrade(ctx); err != nil {
		return nil, err
	}
	flush := p.keys.Flush
	if !p.Sync {
		flush = nil
	}
	return whatsapp.New(whatsapp.Config{
		Keys: whatsapp.SQLKeys(p.keys.DB), Stores: stores, Flush: flush, HTTP: p.WhatsApp, Now: time.Now, Logger: p.Logger,
		Failing: p.accounts.fails, News: p.meter.News, Media: p.media, MaxMedia: p.MaxMedia,
		Behind: 16, // SQLite writes all that wait in one transaction
	}), nil
}

// handler is the whole HTTP API.
func (p *program) handler(api *httpapi.API, commands chat.Commands) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(mediafolder.Prefix, p.media)
	front := page.New()
	for _, path := range page.Paths {
		mux.Handle(path, front)
	}
	health := api.One(httpapi.Health(httpapi.Deps{Beats: p.store}))
	for _, path := range httpapi.HealthPaths {
		mux.Handle(path, health)
	}
	mux.Handle("/api/events", api.Events(p.store))
	endpoints := api.Handler(httpapi.Endpoints(httpapi.Deps{
		Accounts: p.accounts, Chats: p.store, Messages: p.store, Reports: p.store, Commands: commands, Sender: p.queue,
		Batches: p.store, BatchSender: p.queue, BatchRate: p.BatchRate,
		Wait:   p.CommandWait,
		Labels: p.store, Usage: p.store, AllUsage: p.store.AllUsage(), Media: p.media,
		Hooks: p.hooks, Feed: p.store, Caller: p.hooks.sender,
	})...)
	mux.Handle("/", endpoints)
	tools := sync.OnceValue(func() http.Handler { // few ask for it, and it takes its time
		return mcp.New(mcp.Config{API: mcp.InProcess{Handler: endpoints}, Base: "http://pesan", Logger: p.Logger, Now: time.Now})
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) { tools().ServeHTTP(w, r) })
	return mux
}

// addDevice makes an account that is on, and returns its key.
func (p *program) addDevice(ctx context.Context, name string, on bool) (a chat.Account, key string, err error) {
	now := time.Now()
	id, err := ulid.New(ulid.Timestamp(now), rand.Reader)
	if err != nil {
		return a, "", fmt.Errorf("make id: %w", err)
	}
	a = chat.Account{ID: id.String(), Name: name, CreatedAt: now, On: on, State: chat.ServiceOff}
	if key, a.KeyHash, err = chat.NewKey(a.ID, rand.Reader); err != nil {
		return a, "", err
	}
	if err := p.accounts.CreateAccount(ctx, a); err != nil {
		return a, "", fmt.Errorf("add device: %w", err)
	}
	return a, key, nil
}
