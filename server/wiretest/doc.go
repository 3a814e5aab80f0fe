// Package wiretest is a second implementation of a client, for tests of the
// wire: it speaks HTTP and RFC 6455 by hand over a TCP connection, and looks at
// raw JSON. It shares nothing with the server, so what both agree on is the
// contract and not a library.
//
// Conn is the WebSocket: a handshake, and frames that may be as wrong as a test
// wants them. Client is a conversation on top of it: requests, replies by id,
// pushes, the bye and the close. Both hold every frame of the server against RFC 6455
// and the contract, and report what breaks them.
//
// Nothing here sleeps. Guard is how long a read or a write may take before the
// test is considered hung.
package wiretest
