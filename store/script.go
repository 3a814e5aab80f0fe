package store

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua scripts/parts/*.lua
var scriptFiles embed.FS

// A script is a Lua program that runs inside Redis, on keys of one slot.
type script struct {
	name string
	text string
	sha  string // by which Redis knows it; SHA-1 is Redis' choice
}

// newScript reads scripts/<name>.lua, with those of scripts/parts before it that
// are named. It is for package variables, so a name without a file panics at start.
func newScript(name string, parts ...string) *script {
	var text []byte
	for _, part := range parts {
		text = append(text, mustRead("scripts/parts/"+part+".lua")...)
	}
	return scriptOf(name, string(append(text, mustRead("scripts/"+name+".lua")...)))
}

func mustRead(file string) []byte {
	text, err := scriptFiles.ReadFile(file)
	if err != nil {
		panic("store: no file " + file)
	}
	return text
}

func scriptOf(name, text string) *script {
	sum := sha1.Sum([]byte(text))
	return &script{name: name, text: text, sha: hex.EncodeToString(sum[:])}
}

// run executes a script in a shared round trip and returns its raw reply: nil,
// int64, string or []any. A server that does not know the script yet (it was
// restarted, or is new in the cluster) gets its text. Errors are those of do; a
// reply of nil is redis.Nil.
func (s *Store) run(ctx context.Context, sc *script, keys []string, args ...any) (any, error) {
	cmd := scriptCmd(ctx, "evalsha", sc.sha, keys, args)
	err := s.do(ctx, cmd)
	if err != nil && isNoScript(err) {
		cmd = scriptCmd(ctx, "eval", sc.text, keys, args)
		err = s.do(ctx, cmd)
	}
	if err != nil {
		return nil, err
	}
	return cmd.Val(), nil
}

func scriptCmd(ctx context.Context, command, which string, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, command, which, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return redis.NewCmd(ctx, append(all, args...)...)
}

func isNoScript(err error) bool {
	return strings.HasPrefix(err.Error(), "NOSCRIPT")
}
