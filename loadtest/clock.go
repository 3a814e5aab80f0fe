package loadtest

import "time"

// A clock tells moments as nanoseconds since it was made, by the monotonic
// clock: eight bytes a moment, and no setting of the system's time moves them.
// Between processes, which share a machine, moments go as UNIX nanoseconds.
type clock struct{ base time.Time }

// A moment is a clock's reading.
type moment int64

func newClock() clock { return clock{time.Now()} }

func (c clock) now() moment { return moment(time.Since(c.base)) }

// at returns the moment of a time told by another process.
func (c clock) at(unixNano int64) moment { return moment(unixNano - c.base.UnixNano()) }

// until returns how long it is until m; negative when it is over.
func (c clock) until(m moment) time.Duration { return time.Duration(m - c.now()) }

func (m moment) add(d time.Duration) moment      { return m + moment(d) }
func (m moment) since(from moment) time.Duration { return time.Duration(m - from) }
