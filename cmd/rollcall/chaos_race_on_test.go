//go:build race

package main

// raceDetector says that the players of the chaos tests run under the race
// detector, and cost a multiple of what they cost without.
const raceDetector = true
