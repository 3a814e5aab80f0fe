package loadtest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

// The conversation of a coordinator with a worker: one JSON object a line, in
// both directions. The coordinator says in turn
//
//	share              what the worker is to simulate
//	prepare            make the accounts             → progress…, ready "prepare"
//	watch              subscribe the admins          → ready "watch"
//	ramp at            open the connections          → progress…, ready "ramp"
//	begin at, …        the moments of the phases     → ready "drain", once all is answered
//	tally              what admins saw               → tally; asked again until all is seen
//	finish             leave                         → result, the last line
//
// From prepare on the worker says second once a second. Where it can't go on it says
// error, as its last line. When its input ends the worker ends.

// An order is a line from the coordinator; one member is set.
type order struct {
	Share   *share `json:"share,omitempty"`
	Prepare bool   `json:"prepare,omitempty"`
	Watch   bool   `json:"watch,omitempty"`
	Ramp    *ramp  `json:"ramp,omitempty"`
	Begin   *begin `json:"begin,omitempty"`
	Tally   bool   `json:"tally,omitempty"`
	Finish  bool   `json:"finish,omitempty"`
}

// A ramp says when connections begin to be opened, in UNIX nanoseconds.
type ramp struct {
	At int64 `json:"at"`
}

// A begin says when the phases begin and the last one ends, in UNIX nanoseconds.
type begin struct {
	Warmup  int64 `json:"warmup"`
	Measure int64 `json:"measure"`
	Drain   int64 `json:"drain"`
}

// A word is a line from a worker; one member is set.
type word struct {
	Progress *progress `json:"progress,omitempty"`
	Ready    string    `json:"ready,omitempty"`
	Second   *second   `json:"second,omitempty"`
	Tally    *tally    `json:"tally,omitempty"`
	Result   *result   `json:"result,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// What a worker can be ready with.
const (
	readyPrepare = "prepare"
	readyWatch   = "watch"
	readyRamp    = "ramp"
	readyDrain   = "drain"
)

// progress is how far a phase is.
type progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// A second is what a worker measured since its last one.
type second struct {
	Connections int64               `json:"connections"`
	Operations  map[string]*tallied `json:"operations,omitempty"`
	Acked       int64               `json:"acked"`          // logins and resumes acknowledged so far
	Seen        []int64             `json:"seen,omitempty"` // by each of its admins so far
	Usage       usage               `json:"usage"`
}

// A tally is what has to be in the feed, of the worker's accounts, and what its
// admins saw of it, of all accounts.
type tally struct {
	Accounts []accountTally `json:"accounts"`
	Watchers []watcherTally `json:"watchers,omitempty"`
}

// An accountTally is of a range of accounts, from the first index on. Those with
// a password are counted behind all players.
type accountTally struct {
	First   int      `json:"first"`
	Acked   counters `json:"acked"`
	Unknown counters `json:"unknown"`
}

// A watcherTally is what one admin saw.
type watcherTally struct {
	Seen     counters `json:"seen"` // by index of account
	Doubled  int64    `json:"doubled"`
	Disorder int64    `json:"disorder"`
	Rejoined int64    `json:"rejoined"`
}

// A result is a worker's part of the report.
type result struct {
	Operations map[string]*tallied `json:"operations"`
	Storm      *stormResult        `json:"storm,omitempty"`
}

// A stormResult is a worker's part of a storm.
type stormResult struct {
	Connections int     `json:"connections"`
	Back        int     `json:"back"`
	Seconds     float64 `json:"seconds"`
	WrongOnline int     `json:"wrong_online"`
}

// counters are many small numbers. As JSON they are varints in base64.
type counters []uint32

// MarshalJSON writes the short form.
func (c counters) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(c)+8)
	for _, n := range c {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return json.Marshal(b)
}

// UnmarshalJSON reads the short form.
func (c *counters) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	*c = (*c)[:0]
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > 1<<32-1 {
			return errors.New("not a list of small numbers")
		}
		*c = append(*c, uint32(n))
		b = b[size:]
	}
	return nil
}

// A teller writes lines. It is safe for concurrent use.
type teller struct {
	mu  sync.Mutex
	out io.Writer
}

func (t *teller) tell(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err = t.out.Write(append(text, '\n'))
	return err
}
