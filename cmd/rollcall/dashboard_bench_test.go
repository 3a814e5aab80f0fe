package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/heapprofiler"
	cdpmemory "github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/runtime"

	"rollcall/store/storetest"
)

// What the dashboard costs the browser, and how soon it shows a login:
//
//	go test ./cmd/rollcall -run '^$' -bench Dashboard -benchtime 100x
//	go test ./cmd/rollcall -run '^$' -bench DashboardOpenAllDay -benchtime 1x

// quantile is of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// BenchmarkDashboardShowsALogin measures from the moment in which the Go client
// has a login's reply to the one in which its row is in the page's document. It
// may be below zero: the feed's push is not sent after the reply, but beside it.
func BenchmarkDashboardShowsALogin(b *testing.B) {
	d := startDashboard(b, "--redis", storetest.Redis(b).URL())
	d.newUser("tiny")
	c := d.player(theScope)
	p := d.asOwner(wide)
	p.open(d.url("#/live?event=user.login"))
	p.shows("Nothing has happened yet that fits.")
	eval[bool](p, `(() => {
		window.shown = [];
		window.waiting = () => {};
		new MutationObserver((changes) => {
			for (const { addedNodes } of changes) for (const node of addedNodes) if (node.localName === "tr") {
				shown.push(performance.timeOrigin + performance.now());
				waiting();
			}
		}).observe(document.querySelector("table.live tbody"), { childList: true });
		return true;
	})()`)
	// Slower than what the page would tell as a rate.
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	var took []float64
	for n := 1; b.Loop(); n++ {
		<-pace.C
		if err := logIn(b, c, "tiny", thePassword); err != nil {
			b.Fatal(err)
		}
		replied := float64(time.Now().UnixMicro()) / 1000
		shown := eval[float64](p, `new Promise((resolve) => {
			window.waiting = () => { if (shown.length >= %s) resolve(shown[%s]) };
			waiting();
		})`, n, n-1)
		took = append(took, shown-replied)
	}
	slices.Sort(took)
	b.ReportMetric(quantile(took, 0.5), "p50-ms")
	b.ReportMetric(quantile(took, 0.99), "p99-ms")
}

// A pageCost is what a page takes of the browser's memory once all garbage is gone.
type pageCost struct {
	heap  float64 // bytes of script
	nodes int64
}

func (p *browserPage) size() pageCost {
	p.t.Helper()
	command(p, heapprofiler.CollectGarbage, struct{}{})
	heap := command(p, runtime.GetHeapUsage, struct{}{})
	return pageCost{heap.UsedSize, command(p, cdpmemory.GetDOMCounters, struct{}{}).Nodes}
}

// flood fills the feed with logins of many users, as fast as they are served.
func (d *dashboard) flood(events int) {
	d.t.Helper()
	var asked atomic.Int64
	if n := d.logInOften(16, func() bool { return asked.Add(1) > int64(events) }); n != events {
		d.t.Fatalf("%d logins of %d", n, events)
	}
}

// BenchmarkDashboardOpenAllDay sends 100,000 logins through one open page.
func BenchmarkDashboardOpenAllDay(b *testing.B) {
	const events = 100_000
	for b.Loop() {
		d := startDashboard(b, "--redis", storetest.Redis(b).URL())
		p := d.asOwner(wide)
		p.mayLog(lostConnection) // where it was too slow and came back
		p.open(d.url("#/live?event=user.login"))
		before := p.size()
		eval[bool](p, `(() => {
			window.frames_ = [];
			let last = performance.now();
			const frame = (now) => { frames_.push(now - last); last = now; requestAnimationFrame(frame) };
			requestAnimationFrame(frame);
			return true;
		})()`)
		begun := time.Now()
		d.flood(events)
		sent := time.Since(begun)
		await(b, "the page has counted all", func() error {
			found := countText.FindStringSubmatch(p.by("main", "").text())
			if len(found) == 0 || number(b, found[1]) != events {
				return fmt.Errorf("it counts %q", found)
			}
			return nil
		})
		frames := eval[[]float64](p, `frames_`)
		slices.Sort(frames)
		after := p.size()
		b.ReportMetric(events/sent.Seconds(), "events/s")
		b.ReportMetric(before.heap/1e6, "heap-before-MB")
		b.ReportMetric(after.heap/1e6, "heap-after-MB")
		b.ReportMetric(float64(before.nodes), "nodes-before")
		b.ReportMetric(float64(after.nodes), "nodes-after")
		b.ReportMetric(quantile(frames, 0.5), "frame-p50-ms")
		b.ReportMetric(quantile(frames, 0.99), "frame-p99-ms")
	}
}

// A page keeps so much and no more, however many events it has seen.
func TestWhatAPageKeepsIsBounded(t *testing.T) {
	t.Parallel()
	const events = 12_000 // more than is kept of anything
	d := startDashboard(t, "--redis", storetest.Redis(t).URL())
	p := d.asOwner(wide)
	p.mayLog(lostConnection)
	kept := func() map[string]int {
		return eval[map[string]int](p, `(() => {
			const page = document.querySelector("main").firstElementChild;
			return { seen: page.feed.n, events: page.feed.kept.length, rows: document.querySelectorAll("main tbody tr").length,
				items: document.querySelectorAll("main li").length, all: document.querySelectorAll("*").length };
		})()`)
	}
	d.flood(events)
	await(t, "the page has seen all", func() error {
		if k := kept(); k["seen"] < events {
			return fmt.Errorf("%v", k)
		}
		return nil
	})
	k := kept()
	if k["events"] > 10_000 || k["rows"] > 200 || k["items"] > 200 || k["all"] > 200*25 {
		t.Errorf("the page keeps %v", k)
	}
}
