package passwords

import (
	"io"
	"net/rpc"
)

// ServeHelper is the hashing helper: it hashes what a pool asks for on in, and
// answers on out, until in ends, as it does with the process that the pool is
// in. Its process must do nothing else; it is the one that goes first where the
// machine's memory runs out.
//
// A process of its own keeps the storm away from everybody else. All its threads
// have the lowest priority there is, where in one process only the pool's own could: most
// of Argon2id's work is on goroutines that its package starts. No garbage
// collection and no lock of the server waits for a thread of low priority. And
// 19 MiB of garbage a hash are no matter of the server's heap.
//
// The conversation is that of net/rpc. Secrets are in it, and it is a pipe
// between the two processes, which nobody else has. They are in no argument,
// variable or file.
func ServeHelper(in io.Reader, out io.Writer) error {
	volunteer()
	server := rpc.NewServer()
	if err := server.RegisterName("Hashing", hashingService{}); err != nil {
		return err
	}
	server.ServeConn(struct {
		io.Reader
		io.Writer
		io.Closer
	}{in, out, io.NopCloser(in)})
	return nil
}

// hashingService is what net/rpc serves: a request runs on a goroutine of its
// own, and the pool asks for as many at once as it has workers.
type hashingService struct{}

// An Argon2idTask asks for a hash of Length bytes.
type Argon2idTask struct {
	Params Params
	Secret string
	Salt   []byte
	Length int
}

// Argon2id makes the hash.
func (hashingService) Argon2id(t Argon2idTask, key *[]byte) (err error) {
	*key, err = inProcess{}.argon2id(t.Params, t.Secret, t.Salt, t.Length)
	return err
}

// A BcryptTask holds a password against a hash.
type BcryptTask struct {
	Hash     []byte
	Password string
}

// Bcrypt reports whether it fits.
func (hashingService) Bcrypt(t BcryptTask, ok *bool) (err error) {
	*ok, err = inProcess{}.bcrypt(t.Hash, t.Password)
	return err
}
