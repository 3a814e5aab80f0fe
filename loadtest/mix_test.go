package loadtest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest"
	"rollcall/protocol"
)

func TestTheMixOfADayIsAPlan(t *testing.T) {
	text, err := os.ReadFile("testdata/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mix, err := loadtest.ParseMix(text)
	if err != nil {
		t.Fatal(err)
	}
	p := loadtest.Plan{
		Servers: []string{"ws://127.0.0.1:7600"}, Scope: "load", Key: "k", Admin: &protocol.AdminLoginParams{Token: "t"},
		Ramp: loadtest.DefaultRamp, Duration: time.Minute,
	}
	mix.Apply(&p)
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if p.Connections != 5000 || p.Duration != 10*time.Minute || p.Ramp != 500 || p.Hold != 20*time.Second ||
		p.Weights[loadtest.Watch] != 2 || p.Rates.Update != 50 {
		t.Errorf("%+v", p)
	}
}

func TestWhatAMixLeavesOutStays(t *testing.T) {
	mix, err := loadtest.ParseMix([]byte("connections: 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := loadtest.Plan{Connections: 1, Ramp: 3, Duration: time.Minute, Weights: map[loadtest.Scenario]int{loadtest.Idle: 1}}
	mix.Apply(&p)
	if p.Connections != 7 || p.Ramp != 3 || p.Duration != time.Minute || p.Weights[loadtest.Idle] != 1 {
		t.Errorf("%+v", p)
	}
}

func TestAMistakeInAMixIsToldWithItsLine(t *testing.T) {
	for text, want := range map[string][]string{
		"connections: 1\nweight: {idle: 1}\n":      {"weight", "[2:"},
		"connections: 1\nrates:\n  gets: 3\n":      {"gets", "[3:"},
		"weights:\n  idel: 3\n":                    {"idel", "[2:"},
		"connections: many\n":                      {"[1:"},
		"connections: 1\nduration: 90\n":           {"90", "1m30s"},
		"connections: 1\nconnections: 2\n":         {"connections", "[2:"},
		"":                                         {"empty"},
		"- connections\n":                          {"[1:"},
		"weights:\n  idle: 1\n rates:\n  get: 1\n": {"3"},
	} {
		_, err := loadtest.ParseMix([]byte(text))
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: no %q in %v", text, w, err)
			}
		}
	}
}
