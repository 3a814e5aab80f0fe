package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A Push is what the server sends of its own accord to a subscriber, as raw JSON.
type Push struct {
	Raw     string
	Members Object

	Event   string
	Scope   string
	Seq     int64
	Epoch   string
	EventID string
	Time    string
	Data    Object // nil when there is none

	// Frame is the number of the frame it came in, from 1; those that came in
	// one array have one number.
	Frame int
}

// OfFeed reports whether the push tells of the feed and is no event of it:
// feed.head or feed.lost.
func (p Push) OfFeed() bool { return strings.HasPrefix(p.Event, "feed.") }

var (
	pushMembers = map[string]bool{"event": true, "scope": true, "seq": true, "epoch": true, "event_id": true, "time": true, "data": true}
	timeForm    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// parsePushes reads a frame that is a push or, with batch, an array of them. A
// frame that is neither has none and is no error.
func parsePushes(frame []byte, batch bool) ([]Push, error) {
	text := bytes.TrimLeft(frame, " \t\r\n")
	if len(text) == 0 || text[0] != '[' {
		var o Object
		if json.Unmarshal(frame, &o) != nil || o.Raw("event") == "" {
			return nil, nil
		}
		p, err := parsePush(frame)
		return []Push{p}, err
	}
	if !batch {
		return nil, fmt.Errorf("an array of pushes for a client that did not ask for batch: %s", frame)
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(frame, &raws); err != nil {
		return nil, fmt.Errorf("an array that is no JSON: %w: %s", err, frame)
	}
	if len(raws) == 0 {
		return nil, fmt.Errorf("an array without a push")
	}
	pushes := make([]Push, 0, len(raws))
	for _, raw := range raws {
		p, err := parsePush(raw)
		if err != nil {
			return nil, err
		}
		pushes = append(pushes, p)
	}
	return pushes, nil
}

// parsePush holds a push against what the contract says of every one.
func parsePush(raw []byte) (Push, error) {
	p := Push{Raw: string(raw)}
	if err := json.Unmarshal(raw, &p.Members); err != nil {
		return p, fmt.Errorf("push is no JSON object: %w: %s", err, raw)
	}
	for name := range p.Members {
		if !pushMembers[name] {
			return p, fmt.Errorf("push has a member %q: %s", name, raw)
		}
	}
	p.Event, p.Scope, p.Epoch = p.Members.Text("event"), p.Members.Text("scope"), p.Members.Text("epoch")
	p.EventID, p.Time, p.Data = p.Members.Text("event_id"), p.Members.Text("time"), p.Members.Object("data")
	if p.Members.Raw("seq") != "" {
		if err := json.Unmarshal(p.Members["seq"], &p.Seq); err != nil {
			return p, fmt.Errorf("seq is no integer: %s", raw)
		}
	}
	switch {
	case p.Event == "" || p.Scope == "" || p.Epoch == "":
		return p, fmt.Errorf("a push without event, scope or epoch: %s", raw)
	case p.OfFeed() && (p.EventID != "" || p.Seq < 0):
		return p, fmt.Errorf("a push that is no event of the feed has an event_id or a bad seq: %s", raw)
	case !p.OfFeed() && (p.Seq < 1 || p.EventID == "" || p.Data == nil || !timeForm.MatchString(p.Time)):
		return p, fmt.Errorf("an event without seq, event_id, data or time: %s", raw)
	}
	return p, nil
}

// Held is how many pushes were read and not yet taken.
func (c *Client) Held() int { return len(c.pushes) }

// AwaitPush takes the next push, in the order in which they came.
func (c *Client) AwaitPush() (Push, error) {
	for len(c.pushes) == 0 {
		r, err := c.step()
		if err != nil {
			return Push{}, fmt.Errorf("wait for a push: %w", err)
		}
		if r != nil {
			c.replies[r.ID()] = *r
		}
	}
	p := c.pushes[0]
	c.pushes = c.pushes[1:]
	return p, nil
}

// AwaitPushes takes pushes up to and including the first that matches.
func (c *Client) AwaitPushes(match func(Push) bool) ([]Push, error) {
	var taken []Push
	for {
		p, err := c.AwaitPush()
		if err != nil {
			return taken, fmt.Errorf("%w (%d others came: %s)", err, len(taken), names(taken))
		}
		if taken = append(taken, p); match(p) {
			return taken, nil
		}
	}
}

// names tells a failed test what came instead.
func names(pushes []Push) string {
	var all []string
	for _, p := range pushes[max(0, len(pushes)-20):] {
		all = append(all, fmt.Sprintf("%s %s/%d %s", p.Event, p.Scope, p.Seq, p.Data.Text("username")))
	}
	return strings.Join(all, ", ")
}

// NextPush is AwaitPush.
func (c *Client) NextPush() Push {
	c.t.Helper()
	p, err := c.AwaitPush()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// WaitPushes is AwaitPushes.
func (c *Client) WaitPushes(match func(Push) bool) []Push {
	c.t.Helper()
	pushes, err := c.AwaitPushes(match)
	if err != nil {
		c.t.Fatal(err)
	}
	return pushes
}

// WaitPush takes pushes up to the first that matches and returns that one.
func (c *Client) WaitPush(match func(Push) bool) Push {
	c.t.Helper()
	pushes := c.WaitPushes(match)
	return pushes[len(pushes)-1]
}
