package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rollcall/loadtest"
	"rollcall/protocol"
)

// loadtestTarget says what is tested and who asks.
type loadtestTarget struct {
	Server  []string `sep:"none" default:"ws://127.0.0.1:7600/ws" placeholder:"URL" help:"Running server: ws://, wss://, http:// or https://. May be repeated: connections go to them in turn."`
	Key     secret   `help:"Server key, or the scope's own. Others may see a command line: better the variable or a file."`
	KeyFile string   `placeholder:"FILE" help:"File that holds the key."`
	Scope   string   `cli:"only" default:"loadtest" placeholder:"NAME" help:"Scope of the players; made where it is absent, if there is an admin password."`
	adminFlags
	Metrics []string `cli:"only" sep:"none" placeholder:"URL" help:"/metrics of a server, for its memory and CPU; off reads none. By default that of each server, where it answers. May be repeated."`
}

const metricsOff = "off"

// connect completes the plan by what is secret. An admin's password is asked for
// only where the plan can't do without one, and after all else was found right.
func (l *loadtestTarget) connect(p Program, s *settings, plan *loadtest.Plan) error {
	key, err := s.secret("key", l.Key, l.KeyFile)
	if err != nil {
		return err
	}
	if key == "" {
		return usagef("no server key: set %s or %s; the server printed it at its first start", envName("key"), envName("key-file"))
	}
	plan.Key = string(key)
	if plan.Admin == nil {
		return nil
	}
	checked := *plan
	checked.Metrics = nil
	if err := checked.Validate(); err != nil {
		return usageError{err}
	}
	if err := l.ready(p, s); err != nil {
		return err
	}
	plan.Admin = &protocol.AdminLoginParams{Name: l.Admin, Password: string(l.AdminPassword)}
	return nil
}

// hasAdmin reports whether a password for the admin is given.
func (l *loadtestTarget) hasAdmin() bool { return l.AdminPassword != "" || l.AdminPasswordFile != "" }

// metrics returns the URLs of the servers' metrics: those that were given, else
// those that answer.
func (l *loadtestTarget) metrics(ctx context.Context, log *slog.Logger) []string {
	if len(l.Metrics) > 0 {
		if len(l.Metrics) == 1 && l.Metrics[0] == metricsOff {
			return nil
		}
		return l.Metrics
	}
	const patience = 2 * time.Second
	client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var found []string
	for _, server := range l.Server {
		u, err := metricsURL(server)
		if err == nil {
			err = answersMetrics(ctx, client, u)
		}
		if err != nil {
			log.Info("a server's metrics can't be read", "server", server, "error", err)
			continue
		}
		found = append(found, u)
	}
	return found
}

// metricsURL is where a server has its metrics unless it was told otherwise.
func metricsURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return "", fmt.Errorf("no scheme of a server: %q", u.Scheme)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/metrics"}).String(), nil
}

func answersMetrics(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	if first, _ := bufio.NewReader(response.Body).ReadString('\n'); !strings.HasPrefix(first, "# ") {
		return fmt.Errorf("%s answers something else", url)
	}
	return nil
}
