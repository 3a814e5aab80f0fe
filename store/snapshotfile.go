package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// A snapshot file holds every key of the embedded store, in no order:
//
//	file    = magic record* end
//	record  = type key expiry count string*     type: one byte, see kinds
//	end     = 0 crc                             crc: CRC-32C of all before it, 4 bytes big endian
//	expiry  = uvarint, UNIX milliseconds, 0 for never
//	count   = uvarint, number of strings
//	key     = string = uvarint length, bytes
//
// A string holds its value; a hash field, value, …; a list and a set their
// members; a sorted set member, score, … (the score as the 8 bytes of its
// IEEE 754 form); a stream for each entry its id, the number of its values as
// text of one uvarint, and these.
//
// The magic names the version. A file of another version is refused.
const snapshotMagic = "rollcall snapshot 1\n"

// kinds are the types of keys by their byte in the file.
var kinds = map[byte]string{'s': "string", 'h': "hash", 'l': "list", 'e': "set", 'z': "zset", 'x': "stream"}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// A record is one key.
type record struct {
	kind   byte
	key    string
	expiry int64 // UNIX ms, 0 for never
	values []string
}

func encode(w io.Writer, records []record) error {
	sum := crc32.New(crcTable)
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	var scratch []byte
	out.WriteString(snapshotMagic)
	for _, r := range records {
		scratch = append(scratch[:0], r.kind)
		scratch = appendString(scratch, r.key)
		scratch = binary.AppendUvarint(scratch, uint64(r.expiry))
		scratch = binary.AppendUvarint(scratch, uint64(len(r.values)))
		for _, v := range r.values {
			scratch = appendString(scratch, v)
		}
		out.Write(scratch) // a failure comes back from Flush
	}
	out.WriteByte(0)
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads a whole file. It trusts no length before it knows that so much
// is there.
func decode(data []byte) ([]record, error) {
	if !bytes.HasPrefix(data, []byte(snapshotMagic)) {
		return nil, errors.New("made by another program or version")
	}
	body := len(data) - crc32.Size
	if body <= len(snapshotMagic) || binary.BigEndian.Uint32(data[body:]) != crc32.Checksum(data[:body], crcTable) {
		return nil, errors.New("damaged or cut off")
	}
	in := reader{rest: data[len(snapshotMagic):body]}
	var records []record
	for {
		kind := in.byte()
		if kind == 0 {
			break
		}
		if _, ok := kinds[kind]; !ok {
			return nil, errors.New("unknown type of key")
		}
		r := record{kind: kind, key: in.string(), expiry: int64(in.uvarint())}
		count := in.uvarint()
		if count > uint64(len(in.rest)) {
			in.bad = true
		}
		if in.bad {
			break
		}
		r.values = make([]string, count)
		for i := range r.values {
			r.values[i] = in.string()
		}
		records = append(records, r)
	}
	if in.bad || len(in.rest) > 0 {
		return nil, errors.New("malformed")
	}
	return records, nil
}

// A reader takes values off a slice. After the first that is not there, bad is
// set and all that follow are zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) string() string { return string(r.take(r.uvarint())) }

// writeFile replaces path by what write writes, in one step that survives a
// crash. Only the owner may read the file.
//
// What a crash leaves under the temporary name is overwritten the next time;
// the lock of the data file keeps others from it.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
