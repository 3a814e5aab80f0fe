package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// A scripted server plays a feed, so that the admins' way of keeping a record
// is held against what the contract lets a server do.

// feedScript is one connection: what the admin must ask for, and what it gets.
type feedScript struct {
	since string // of admin.subscribe, as JSON
	reply string // its result, or an error's status
	then  []string
}

func TestAnAdminsRecordGoesOnOverReconnects(t *testing.T) {
	push := func(epoch, seq, id string) string {
		return `{"event":"user.login","scope":"Space Race","seq":` + seq + `,"epoch":"` + epoch + `","event_id":"` + id +
			`","time":"2026-01-02T03:04:05.678Z","data":{"user_id":"289bc36e-0df7-44df-99b1-a6543c6f45eb","username":"p1"}}`
	}
	script := []feedScript{
		{``, `{"subscription":"s1","recovered":true,"heads":{"Space Race":{"seq":7,"epoch":"A"}}}`,
			[]string{push("A", "8", "e8"), "[" + push("A", "9", "e9") + "," + push("A", "10", "e10") + "]"}},
		{`{"Space Race":{"seq":10,"epoch":"A","event_id":"e10"}}`, `815`, nil},
		{`{"Space Race":{"seq":10,"epoch":"A","event_id":"e10"}}`, `{"subscription":"s1","recovered":true,"heads":{"Space Race":{"seq":11,"epoch":"A","event_id":"e11"}}}`,
			[]string{push("A", "11", "e11"), `{"event":"feed.head","scope":"Space Race","seq":11,"epoch":"A"}`,
				`{"event":"feed.lost","scope":"Space Race","seq":30,"epoch":"B"}`, push("B", "31", "e31"),
				`{"event":"bye","code":4001,"reason":"draining","reconnect":true}`}},
		{`{"Space Race":{"seq":31,"epoch":"B","event_id":"e31"}}`, `{"subscription":"s1","recovered":false,"lost":["Space Race"],"heads":{"Space Race":{"seq":40,"epoch":"C"}}}`, nil},
		{`{"Space Race":{"seq":40,"epoch":"C"}}`, `{"subscription":"s1","recovered":true,"heads":{"Space Race":{"seq":40,"epoch":"C"}}}`, []string{push("C", "41", "e41")}},
	}
	want := []string{"sub A:7 true", "A:8", "A:9", "A:10", "sub A:11 true", "A:11", "lost B:30", "B:31", "sub C:40 false", "sub C:40 true", "C:41"}

	nodes := []*chaosNode{{name: "n1"}, {name: "n2"}}
	step := make(chan feedScript, len(script))
	for _, s := range script {
		step <- s
	}
	over := make(chan struct{})
	mistakes := make(chan string, 100)
	logins := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ask := func(typ string) (id string, data map[string]json.RawMessage) {
			_, text, _ := ws.Read(r.Context())
			var req struct {
				ID   json.Number
				Type string
				Data map[string]json.RawMessage
			}
			if err := json.Unmarshal(text, &req); err != nil || req.Type != typ {
				mistakes <- "want " + typ + ", got " + string(text)
			}
			return req.ID.String(), req.Data
		}
		answer := func(text string) { _ = ws.Write(r.Context(), websocket.MessageText, []byte(text)) }

		id, in := ask("admin.login")
		if logins++; (logins == 1) == (in["token"] != nil) {
			mistakes <- "a login by password at first, by token then"
		}
		answer(`{"id":` + id + `,"type":"admin.login","result":{"name":"admin","role":"owner","token":"T","expires_at":"2036-01-02T03:04:05.678Z"}}`)
		id, in = ask("admin.subscribe")
		select {
		case s := <-step:
			if string(in["since"]) != s.since {
				mistakes <- "since " + string(in["since"]) + ", want " + s.since
			}
			if strings.HasPrefix(s.reply, "{") {
				answer(`{"id":` + id + `,"type":"admin.subscribe","result":` + s.reply + `}`)
			} else {
				answer(`{"id":` + id + `,"type":"admin.subscribe","error":"no","status":` + s.reply + `,"temporary":true}`)
			}
			for _, text := range s.then {
				answer(text)
			}
			_ = ws.Close(4001, "draining")
		default:
			close(over)
			_, _, _ = ws.Read(r.Context()) // until the admin goes
		}
	}))
	defer server.Close()
	for _, n := range nodes {
		n.address = server.Listener.Addr().String()
	}

	a := newChaosAdmin(&chaosRun{t: t, nodes: nodes, began: time.Now()}, 1)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.watch(ctx); close(ended) }()
	select {
	case <-over:
	case m := <-mistakes:
		t.Error(m)
	case <-time.After(20 * time.Second):
		t.Error("the admin does not come back")
	}
	stop()
	<-ended

	var got []string
	for _, e := range a.record.entries {
		switch e.kind {
		case entrySubscribed:
			got = append(got, "sub "+posText(e.pos)+map[bool]string{true: " true", false: " false"}[e.recovered])
		case entryLost:
			got = append(got, "lost "+posText(e.pos))
		default:
			got = append(got, posText(e.pos))
			if e.event != protocol.EventUserLogin || e.player != "p1" {
				t.Errorf("%+v", e)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the record is %q, want %q", got, want)
	}
	if n, l := a.record.announcements(); n != 1 || l != 1 {
		t.Errorf("%d and %d announcements", n, l)
	}
	wantProblem(t, checkContinuity(a.record), "")
	if want := (protocol.FeedPosition{Seq: 41, Epoch: "C", EventID: "e41"}); !reflect.DeepEqual(a.position(), want) {
		t.Errorf("it stands at %+v", a.position())
	}
	for len(mistakes) > 0 {
		t.Error(<-mistakes)
	}
}
