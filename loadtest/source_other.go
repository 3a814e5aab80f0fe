//go:build !unix

package loadtest

import "net"

func newSource(nc net.Conn) source { return &bufferedSource{nc: nc} }
