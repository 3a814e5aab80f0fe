package main

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// eventColors are the colours of the feed's events; others have none.
var eventColors = map[string]color{
	protocol.EventUserCreated:     green,
	protocol.EventUserLogin:       green,
	protocol.EventUserLoginFailed: red,
	protocol.EventUserResumed:     green,
	protocol.EventUserDeleted:     magenta,
	protocol.EventUserBanned:      magenta,
	protocol.EventUserUnbanned:    magenta,
	protocol.EventUserOnline:      cyan,
	protocol.EventUserOffline:     dim,
	protocol.EventAdminAction:     yellow,
}

// A column is padded to the widest cell so far, between these bounds. A cell
// beyond the upper one is not cut: it moves the rest of its line.
type column struct{ width, most int }

func (c *column) fit(cell string) string {
	c.width = max(c.width, min(c.most, textWidth(cell)))
	return pad(cell, c.width)
}

// A feedTable turns events into aligned lines.
type feedTable struct {
	painter
	zone *time.Location
	day  string // of the line before

	scope                      *column // nil when it is not shown
	event, who, what, node, ip column
}

// newFeedTable returns a table that begins at a moment, whose day need not be told.
func newFeedTable(p painter, now time.Time, scopes bool) *feedTable {
	t := &feedTable{
		painter: p,
		zone:    now.Location(),
		day:     now.Format(time.DateOnly),
		event:   column{len(protocol.EventUserLoginFailed), 24},
		who:     column{12, 24},
		what:    column{8, 24},
		node:    column{4, 16},
		ip:      column{len("255.255.255.255"), 39},
	}
	if scopes {
		t.scope = &column{8, 24}
	}
	return t
}

// lines returns an event's line, with one before it that tells the day where
// that is another one than before.
func (t *feedTable) lines(p *protocol.Push, data *protocol.EventData) string {
	var b strings.Builder
	at := p.Time.In(t.zone)
	if day := at.Format(time.DateOnly); day != t.day {
		t.day = day
		b.WriteString(t.paint(dim, "-- "+day) + "\n")
	}
	b.WriteString(t.paint(dim, at.Format("15:04:05.000")))
	if t.scope != nil {
		b.WriteString("  " + t.scope.fit(printable(p.Scope)))
	}
	name := printable(p.Event)
	b.WriteString("  " + t.paint(eventColors[p.Event], name) + strings.TrimPrefix(t.event.fit(name), name))
	columns := []*column{&t.who, &t.what, &t.node, &t.ip, new(column)}
	cells := []string{who(data), what(data), data.Node, data.IP, clientText(data.Client)}
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	for i, cell := range cells {
		cell = printable(orDash(cell))
		if i < len(cells)-1 {
			cell = columns[i].fit(cell)
		}
		b.WriteString("  " + cell)
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// who names whom an event is about: the admin who did something, or the user.
func who(d *protocol.EventData) string {
	switch {
	case d.Admin != "":
		return d.Admin
	case d.Username != "":
		return d.Username
	case d.UserID != uuid.Nil:
		return shortID(d.UserID)
	}
	return ""
}

func shortID(id uuid.UUID) string { return id.String()[:8] }

// what tells an event's particulars: the method or reason, what was changed, or
// what an admin did and to whom.
func what(d *protocol.EventData) string {
	var words []string
	add := func(word string) {
		if word != "" {
			words = append(words, word)
		}
	}
	add(d.Action)
	add(d.Target)
	if d.Action != "" && d.Target == "" && d.UserID != uuid.Nil {
		add(shortID(d.UserID))
	}
	add(d.Reason)
	if d.Reason == "" || d.Method != protocol.MethodPassword {
		add(d.Method)
	}
	add(strings.Join(d.Fields, ","))
	if !d.Until.IsZero() {
		add("until " + timeText(d.Until))
	}
	return strings.Join(words, " ")
}

func clientText(c *protocol.ClientInfo) string {
	switch {
	case c == nil:
		return ""
	case c.Version == "":
		return c.Name
	}
	return c.Name + "/" + c.Version
}
