package whatsapp

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/store"
)

// versionTimeout bounds how long the current version is waited for; versionAge is how long it counts as current.
const (
	versionTimeout = 5 * time.Second
	versionAge     = time.Minute
)

// version is the client version that the devices report. WhatsApp refuses old ones, so it is fetched from where browsers
// get it. whatsmeow would keep it in a global that connections read unguarded.
type version struct {
	http *http.Client
	now  func() time.Time
	log  *slog.Logger

	fetching chan struct{} // one fetches at a time
	mu       sync.Mutex
	current  store.WAVersionContainer
	asked    time.Time // when it was last fetched, or tried
}

func newVersion(http *http.Client, now func() time.Time, log *slog.Logger) *version {
	return &version{http: http, now: now, log: log, fetching: make(chan struct{}, 1), current: store.GetWAVersion()}
}

// ensure fetches the version if it was never tried. Failing is no failure: the one that whatsmeow knows may do.
func (v *version) ensure(ctx context.Context) {
	v.fetch(ctx, func(asked time.Time) bool { return asked.IsZero() })
}

// renew fetches the version unless somebody just has.
func (v *version) renew(ctx context.Context) {
	v.fetch(ctx, func(asked time.Time) bool { return v.now().Sub(asked) > versionAge })
}

func (v *version) fetch(ctx context.Context, due func(asked time.Time) bool) {
	select {
	case v.fetching <- struct{}{}:
		defer func() { <-v.fetching }()
	case <-ctx.Done():
		return
	}
	v.mu.Lock()
	asked := v.asked
	v.mu.Unlock()
	if !due(asked) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	latest, err := whatsmeow.GetLatestVersion(ctx, v.http)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = v.now()
	if err != nil {
		v.log.Warn("fetch WhatsApp's current version", failure(err), "using", v.current.String())
		return
	}
	if v.current.LessThan(*latest) {
		v.current = *latest
	}
	v.log.Debug("WhatsApp's current version", "version", v.current.String())
}

// payload is what a device says of itself when it connects, with the version.
func (v *version) payload(d *store.Device) *waWa6.ClientPayload {
	v.mu.Lock()
	current := v.current
	v.mu.Unlock()
	payload := d.GetClientPayload()
	payload.UserAgent.AppVersion = current.ProtoAppVersion()
	if payload.DevicePairingData != nil {
		hash := current.Hash()
		payload.DevicePairingData.BuildHash = hash[:]
	}
	return payload
}
