package standalone

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pesan/internal/metrics"
)

// collector hands what the host measures to Prometheus, and how often somebody guesses at the system secret: the same as on AWS.
type collector struct {
	*metrics.Metrics
	wrongSecrets func() int
}

func metricOf(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("pesan_"+name, help, nil, nil)
}

var (
	descDevices   = metricOf("devices", "Devices that are on.")
	descConnected = metricOf("devices_connected", "Devices that are connected to WhatsApp.")
	descLost      = metricOf("links_lost_total", "Links that have ended by themselves.")
	descEvents    = metricOf("events_total", "Stored changes of chats.")
	descGuesses   = metricOf("wrong_secrets_total", "Calls with a wrong system secret.")
	descLag       = metricOf("projection_lag_seconds", "How long after they were sent live messages are stored.")
	descAge       = metricOf("command_age_seconds", "How old commands are when they end.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	t := c.Totals()
	for desc, value := range map[*prometheus.Desc]int{descDevices: t.Devices, descConnected: t.Connected} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value))
	}
	for desc, value := range map[*prometheus.Desc]int{descLost: t.LostLinks, descEvents: t.Events,
		descGuesses: c.wrongSecrets()} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value))
	}
	for desc, h := range map[*prometheus.Desc]metrics.Histogram{descLag: t.ProjectionLag, descAge: t.CommandAge} {
		to <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, h.Buckets)
	}
}

// serveMetrics answers Prometheus on a listener of its own until ctx ends.
func serveMetrics(ctx context.Context, l net.Listener, c collector, logger *slog.Logger) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // a scrape that is cut off is made again
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
