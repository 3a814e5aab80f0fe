//go:build !linux

package passwords

// lowerPriority does nothing where a thread has no priority of its own.
func lowerPriority() {}
