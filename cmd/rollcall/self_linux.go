package main

// self returns the path of the program that runs, and still does so after an
// upgrade put another one in its place.
func self() string { return "/proc/self/exe" }
