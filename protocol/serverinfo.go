package protocol

// ServerInfo answers admin.server: what the process is that this connection
// leads to, how it is set up, and what about that is unsafe. Others on the same
// store may be set up differently.
type ServerInfo struct {
	Node     string    `json:"node"`
	Version  string    `json:"version"`
	Go       string    `json:"go"`    // the Go version that it was built with
	Store    string    `json:"store"` // StoreEmbedded or StoreRedis
	Settings []Setting `json:"settings"`
	Warnings []Warning `json:"warnings"`
}

// What a server stores in.
const (
	StoreEmbedded = "embedded"
	StoreRedis    = "redis"
)

// Setting is one setting of a server, by the name that it has in the
// configuration file. Value is as it would stand there, in YAML on one line,
// and never shows a secret. Source says where it came from: "default", "flag",
// "environment" and the variable, or the file and line. Note says what a setting
// means that has no value of its own.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
	Note   string `json:"note,omitzero"`
}

// Warning is something about a server's settings or its scopes that is unsafe,
// or does not do what it seems to. Code names it for programs and never changes;
// Text says what is wrong and what to set.
type Warning struct {
	Code string `json:"code"`
	Text string `json:"text"`
}
