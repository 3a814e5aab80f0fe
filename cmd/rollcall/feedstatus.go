package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"rollcall/protocol/client"
)

// A statusLine tells of an outage: in one line of a terminal, which is written
// over and at last wiped, or else in one line for each outage.
type statusLine struct {
	w        io.Writer
	terminal bool
	paint    painter
	shown    bool // something stands in the line
	out      bool // there is an outage
}

// state takes over what the client tells of its connection.
func (s *statusLine) state(st client.State) {
	cause := ""
	if st.Err != nil {
		cause = strings.TrimPrefix(st.Err.Error(), "connection lost: ")
	}
	switch {
	case st.Phase == client.Waiting && s.terminal:
		s.show(fmt.Sprintf("-- connection lost, attempt %d in %s: %s", st.Attempt, durationText(st.RetryIn), cause))
	case st.Phase == client.Waiting && !s.out:
		fmt.Fprintf(s.w, "-- connection lost, trying again: %s\n", printable(cause))
	case st.Phase == client.Connecting && s.out && s.terminal:
		s.show(fmt.Sprintf("-- connection lost, attempt %d", st.Attempt))
	case st.Phase == client.Connected && s.out && s.terminal:
		s.show("-- connected again, the feed is yet to come")
	}
	s.out = s.out || st.Phase == client.Waiting
}

// resumed ends the outage.
func (s *statusLine) resumed() {
	s.wipe()
	s.out = false
}

func (s *statusLine) show(text string) {
	width := 80
	if file, ok := s.w.(*os.File); ok {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil && w > 0 {
			width = w
		}
	}
	fmt.Fprint(s.w, "\r\x1b[K"+s.paint.paint(dim, cutToWidth(printable(text), width-1)))
	s.shown = true
}

// wipe makes room for another line.
func (s *statusLine) wipe() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// awayText tells how a feed was taken up again. away is 0 where the connection
// was never lost.
func awayText(r client.Resumed, away time.Duration) string {
	scopes := fmt.Sprintf("%d scopes", len(r.Lost))
	if len(r.Lost) == 1 {
		scopes = "1 scope"
	}
	switch {
	case r.Recovered:
		return fmt.Sprintf("-- away %s, nothing missed", durationText(away))
	case away == 0:
		return fmt.Sprintf("-- the server lost events of %s: %s", scopes, someNames(r.Lost))
	case len(r.Lost) == 0:
		return fmt.Sprintf("-- away %s, history no longer reaches back", durationText(away))
	}
	return fmt.Sprintf("-- away %s, history no longer reaches back: %s lost: %s", durationText(away), scopes, someNames(r.Lost))
}

// someNames returns the first few names and the number of the others.
func someNames(names []string) string {
	const most = 5
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		shown = append(shown, printable(name))
	}
	if more := len(names) - most; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// durationText returns a duration for people, in at most two units. The least is
// a tenth of a second.
func durationText(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", max(0.1, d.Seconds()))
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}
