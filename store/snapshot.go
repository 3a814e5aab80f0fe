package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// save writes a snapshot if there is a data file and anything changed since the
// last one. The file is replaced in one step, so that a crash leaves either the
// old or the new one.
func (e *embeddedServer) save() error {
	writes := e.writes.Load()
	if e.path == "" || writes == e.saved {
		return nil
	}
	records, writes, err := e.dump(time.Now())
	if err != nil {
		return err
	}
	if err := writeFile(e.path, func(w io.Writer) error { return encode(w, records) }); err != nil {
		return err
	}
	e.saved = writes
	return nil
}

// load fills the empty server from the data file. Without a file it stays
// empty. A file that cannot be read whole is ErrDataFileCorrupt and loads
// nothing.
func (e *embeddedServer) load() error {
	if e.path == "" {
		return nil
	}
	data, err := os.ReadFile(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	records, err := decode(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataFileCorrupt, err)
	}
	now := time.Now()
	for _, r := range records {
		if err := e.put(r, now); err != nil {
			return fmt.Errorf("%w: key of type %s: %w", ErrDataFileCorrupt, kinds[r.kind], err)
		}
	}
	return nil
}

// dump reads every key while no command runs, and returns the count of writes
// that it includes.
func (e *embeddedServer) dump(now time.Time) ([]record, uint64, error) {
	e.quiet.Lock()
	defer e.quiet.Unlock()
	e.elapse(now)
	db := e.server.DB(0)
	keys := db.Keys()
	records := make([]record, 0, len(keys))
	for _, key := range keys {
		r := record{key: key}
		var err error
		switch t := db.Type(key); t {
		case "string":
			var v string
			v, err = db.Get(key)
			r.kind, r.values = 's', []string{v}
		case "hash":
			var fields []string
			fields, err = db.HKeys(key)
			r.kind = 'h'
			for _, f := range fields {
				r.values = append(r.values, f, db.HGet(key, f))
			}
		case "list":
			r.kind = 'l'
			r.values, err = db.List(key)
			r.values = slices.Clone(r.values)
		case "set":
			r.kind = 'e'
			r.values, err = db.Members(key)
		case "zset":
			var scores map[string]float64
			scores, err = db.SortedSet(key)
			r.kind = 'z'
			for m, score := range scores {
				r.values = append(r.values, m, string(binary.BigEndian.AppendUint64(nil, math.Float64bits(score))))
			}
		case "stream":
			var entries []miniredis.StreamEntry
			entries, err = db.Stream(key)
			r.kind = 'x'
			for _, entry := range entries {
				r.values = append(r.values, entry.ID, string(binary.AppendUvarint(nil, uint64(len(entry.Values)))))
				r.values = append(r.values, entry.Values...)
			}
		default:
			err = fmt.Errorf("keys of type %q cannot be kept in a snapshot", t)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read embedded storage: %w", err)
		}
		if ttl := db.TTL(key); ttl > 0 {
			r.expiry = now.Add(ttl).UnixMilli()
		}
		records = append(records, r)
	}
	return records, e.writes.Load(), nil
}

// put sets one key of the server, unless it has expired.
func (e *embeddedServer) put(r record, now time.Time) error {
	var ttl time.Duration
	if r.expiry != 0 {
		if ttl = time.UnixMilli(r.expiry).Sub(now); ttl <= 0 {
			return nil
		}
	}
	db, v := e.server.DB(0), r.values
	odd := errors.New("wrong number of values")
	var err error
	switch r.kind {
	case 's':
		if len(v) != 1 {
			return odd
		}
		err = db.Set(r.key, v[0])
	case 'h':
		if len(v)%2 != 0 {
			return odd
		}
		db.HSet(r.key, v...)
	case 'l':
		_, err = db.Push(r.key, v...)
	case 'e':
		_, err = db.SetAdd(r.key, v...)
	case 'z':
		for ; len(v) > 0 && err == nil; v = v[2:] {
			if len(v) < 2 || len(v[1]) != 8 {
				return odd
			}
			_, err = db.ZAdd(r.key, math.Float64frombits(binary.BigEndian.Uint64([]byte(v[1]))), v[0])
		}
	case 'x':
		for len(v) > 0 && err == nil {
			if len(v) < 2 {
				return odd
			}
			n, used := binary.Uvarint([]byte(v[1]))
			if used <= 0 || n > uint64(len(v)-2) {
				return odd
			}
			_, err = db.XAdd(r.key, v[0], v[2:2+n])
			v = v[2+n:]
		}
	}
	if err == nil && ttl > 0 {
		db.SetTTL(r.key, ttl)
	}
	return err
}
