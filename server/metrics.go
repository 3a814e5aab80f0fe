package server

import (
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"rollcall/protocol"
)

// metrics are what /metrics shows, under names that begin with rollcall_, with
// the Go runtime's and the process's beside them.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	closes    *prometheus.CounterVec
	accepted  prometheus.Counter
	refused   prometheus.Counter
	webhooks  *prometheus.CounterVec
	unrouted  *routeStats // frames without a known type
}

// routeStats are the metrics of one message type, looked up once.
type routeStats struct {
	typ      string
	duration prometheus.Observer
	metrics  *metrics
	mu       sync.RWMutex
	byStatus map[protocol.Status]prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_requests_total", Help: "Requests answered, by type and status (0: done).",
		}, []string{"type", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rollcall_request_duration_seconds", Help: "Time from a request's frame to its queued reply.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}, []string{"type"}),
		closes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_connections_closed_total", Help: "Connections closed, by the close code that was sent; \"peer\" where the client closed, \"lost\" where the connection broke.",
		}, []string{"code"}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_connections_accepted_total", Help: "WebSocket handshakes done.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_connections_refused_total", Help: "Handshakes refused because the node is full.",
		}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_webhook_deliveries_total", Help: "POSTs to webhooks, by outcome: taken, failed (to be tried again), gone (410, paused).",
		}, []string{"outcome"}),
	}
	m.unrouted = m.route("")
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	m.registry.MustRegister(m.requests, m.durations, m.closes, m.accepted, m.refused, m.webhooks,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge("rollcall_connections", "Open connections.", func() float64 { return float64(s.node.Connections()) })
	gauge("rollcall_sessions", "Connections that are logged in.", func() float64 { return float64(s.node.Sessions()) })
	gauge("rollcall_mail_queue", "Mails not yet sent or given up.", func() float64 { return float64(s.mail.pending()) })
	gauge("rollcall_webhooks_failing", "Webhooks whose last attempt from this node failed, or that are paused.", func() float64 { return s.webhooks.failing() })
	gauge("rollcall_hash_queue", "Password hashes that wait or run.", func() float64 { return float64(s.hashes.Waiting()) })
	counter("rollcall_hashes_total", "Password hashes made.", func() float64 { return float64(s.hashes.Hashed()) })
	gauge("rollcall_redis_pool_connections", "Connections to Redis.", func() float64 { return float64(s.store.Stats().Total) })
	gauge("rollcall_redis_pool_idle_connections", "Idle connections to Redis.", func() float64 { return float64(s.store.Stats().Idle) })
	counter("rollcall_redis_pool_hits_total", "Times a free connection to Redis was found.", func() float64 { return float64(s.store.Stats().Hits) })
	counter("rollcall_redis_pool_misses_total", "Times none was found.", func() float64 { return float64(s.store.Stats().Misses) })
	counter("rollcall_redis_pool_timeouts_total", "Times waiting for one ran out.", func() float64 { return float64(s.store.Stats().Timeouts) })
	counter("rollcall_redis_pool_stale_total", "Broken connections to Redis that were removed.", func() float64 { return float64(s.store.Stats().Stale) })
	return m
}

func (m *metrics) route(typ string) *routeStats {
	return &routeStats{typ: typ, duration: m.durations.WithLabelValues(typ), metrics: m, byStatus: make(map[protocol.Status]prometheus.Counter)}
}

// request counts one answered request; r is nil for what had no known type.
func (m *metrics) request(r *route, status protocol.Status, took time.Duration) {
	stats := m.unrouted
	if r != nil {
		stats = r.stats
	}
	stats.counter(status).Inc()
	if took > 0 {
		stats.duration.Observe(took.Seconds())
	}
}

func (rs *routeStats) counter(status protocol.Status) prometheus.Counter {
	rs.mu.RLock()
	c := rs.byStatus[status]
	rs.mu.RUnlock()
	if c == nil {
		c = rs.metrics.requests.WithLabelValues(rs.typ, strconv.Itoa(int(status)))
		rs.mu.Lock()
		rs.byStatus[status] = c
		rs.mu.Unlock()
	}
	return c
}

// closed counts a connection that we closed with a code, and ended one that the
// peer closed or that broke. A peer's own code makes no label: it can be any.
func (m *metrics) closed(code int) { m.closes.WithLabelValues(strconv.Itoa(code)).Inc() }

func (m *metrics) ended(err error) {
	how := "lost"
	if websocket.CloseStatus(err) != -1 {
		how = "peer"
	}
	m.closes.WithLabelValues(how).Inc()
}
