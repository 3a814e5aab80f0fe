package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rollcall/protocol"
)

const (
	maxDebugCalls   = 32  // calls of the debug endpoint at a time
	maxDebugWaiting = 256 // verifications that may wait for one of them
)

// A debugEndpoint bounds the calls of Facebook's, one for each proof: an access
// token carries no signature that could be checked here.
type debugEndpoint struct {
	slots chan struct{} // taken by each call

	mu      sync.Mutex // guards what follows
	waiting int
	backoff backoff // after calls that got no answer
}

// enter takes a slot, to be given back by leave.
func (d *debugEndpoint) enter(ctx context.Context, now time.Time) *protocol.Error {
	d.mu.Lock()
	if wait := d.backoff.wait(now); wait > 0 {
		d.mu.Unlock()
		return unavailable(wait)
	}
	if d.waiting >= maxDebugWaiting {
		d.mu.Unlock()
		return unavailable(0)
	}
	d.waiting++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.waiting--
		d.mu.Unlock()
	}()
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unavailable(0)
	}
}

func (d *debugEndpoint) leave() { <-d.slots }

// note remembers whether the endpoint answered. Calls that fail together count once.
func (d *debugEndpoint) note(now time.Time, answered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if answered {
		d.backoff.succeeded()
	} else if d.backoff.wait(now) <= 0 {
		d.backoff.failed(now)
	}
}

// verifyFacebook asks the Graph API's debug_token about an access token. The
// first client_id is the app's id.
func (v *Verifier) verifyFacebook(ctx context.Context, cfg protocol.ProviderConfig, p Proof) *protocol.Error {
	if len(p.AccessToken) > protocol.MaxTokenBytes {
		return rejected(fmt.Sprintf("the access_token is longer than %d bytes", protocol.MaxTokenBytes))
	}
	app := audiences(cfg)[0]
	if err := v.debug.enter(ctx, v.clock()); err != nil {
		return err
	}
	defer v.debug.leave()
	status, body, ok := v.debugToken(ctx, app, cfg.AppSecret, p.AccessToken)
	if !ok {
		return unavailable(backoffFirst)
	}
	return judgeDebug(status, body, app, p.ClientID, v.clock())
}

// debugToken asks the endpoint. The token and the app's secret are in the URL,
// and net/http puts URLs into its errors: so no error leaves here, and what is
// logged says what kind it was and no more.
func (v *Verifier) debugToken(ctx context.Context, app, secret, token string) (status int, body []byte, ok bool) {
	query := url.Values{"input_token": {token}, "access_token": {app + "|" + secret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(v.facebook, "/")+"/debug_token?"+query.Encode(), nil)
	if err != nil {
		v.log.Error("Facebook's address is not a URL")
		return 0, nil, false
	}
	resp, err := v.graph.Do(req)
	if err == nil {
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body) // bounded by the transport
	}
	if err != nil {
		if ctx.Err() == context.Canceled {
			return 0, nil, false // the client went; that says nothing about Facebook
		}
		v.debug.note(v.clock(), false)
		kind := "no connection"
		if timeout, is := err.(interface{ Timeout() bool }); is && timeout.Timeout() {
			kind = "timeout"
		}
		v.log.Warn("can't ask Facebook about a token", "error", kind)
		return 0, nil, false
	}
	v.debug.note(v.clock(), true)
	if resp.StatusCode != http.StatusOK {
		// Among others: the app's id or secret is wrong.
		v.log.Warn("Facebook did not debug a token", "app", app, "http_status", resp.StatusCode)
	}
	return resp.StatusCode, body, true
}

// A debugAnswer is what debug_token returns (Graph API reference, debug_token).
type debugAnswer struct {
	Data struct {
		AppID     flexible `json:"app_id"`
		UserID    flexible `json:"user_id"`
		Type      string   `json:"type"`
		IsValid   bool     `json:"is_valid"`
		ExpiresAt int64    `json:"expires_at"` // UNIX seconds; 0: never
	} `json:"data"`
	Error *struct {
		Code      int  `json:"code"`
		Transient bool `json:"is_transient"`
	} `json:"error"`
}

// A flexible is an id that is a string, or a number in older versions of the API.
type flexible string

func (f *flexible) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(f))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*f = flexible(n)
	return nil
}

// judgeDebug decides by the endpoint's answer.
func judgeDebug(status int, body []byte, app, clientID string, now time.Time) *protocol.Error {
	var answer debugAnswer
	malformed := json.Unmarshal(body, &answer) != nil
	switch {
	case status == http.StatusTooManyRequests, status >= 500, status < 400 && status != http.StatusOK,
		status == http.StatusOK && malformed, transient(answer):
		return unavailable(backoffFirst)
	case status != http.StatusOK, answer.Error != nil:
		return rejected("Facebook did not accept the question about the access_token")
	}
	d := answer.Data
	switch {
	case d.ExpiresAt < 0, d.ExpiresAt != 0 && d.ExpiresAt <= now.Unix():
		return rejected("the access_token is expired")
	case !d.IsValid:
		return rejected("Facebook calls the access_token invalid")
	case string(d.AppID) != app:
		return rejected("the access_token is for another app")
	case d.Type != "" && d.Type != "USER":
		return rejected("the access_token is not a user's")
	case d.UserID == "":
		return rejected("the access_token names no user")
	case string(d.UserID) != clientID:
		return rejected("the access_token's user is not the client_id")
	}
	return nil
}

// transient reports an error that is the API's own and passes: unknown, service,
// and the limits of calls for app, user and page (Graph API, error codes 1, 2,
// 4, 17, 32, 613).
func transient(a debugAnswer) bool {
	if a.Error == nil {
		return false
	}
	switch a.Error.Code {
	case 1, 2, 4, 17, 32, 613:
		return true
	}
	return a.Error.Transient
}
