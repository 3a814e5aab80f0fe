//go:build !unix

package server

// maxOpenFiles returns a careful guess where there is no such limit to ask for.
func maxOpenFiles() int { return 16384 }
