//go:build !linux

package main

import "os"

// self returns the path of the program, or "" if it is not known.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
