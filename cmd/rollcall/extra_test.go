package main

import (
	"reflect"
	"testing"

	"rollcall/protocol"
)

func TestExtraDataIsAStringUnlessItIsGivenAsJSON(t *testing.T) {
	for _, c := range []struct {
		args []string
		want protocol.Extra
	}{
		{nil, nil},
		{[]string{"color=red", "level=3", "pro=true", "none=", "eq=a=b"}, protocol.Extra{
			"color": protocol.String("red"), "level": protocol.String("3"), "pro": protocol.String("true"),
			"none": protocol.String(""), "eq": protocol.String("a=b"),
		}},
		{[]string{"level:=3", "pro:=true", "text:=\"a\"", "gone:=null"}, protocol.Extra{
			"level": protocol.Int(3), "pro": protocol.Bool(true), "text": protocol.String("a"), "gone": protocol.Null,
		}},
		{[]string{"a:b=c", "a:b:=1"}, nil},
		{[]string{"=a"}, nil},
		{[]string{"a:=red"}, nil},
		{[]string{"a:={}"}, nil},
		{[]string{"a:="}, nil},
		{[]string{"a"}, nil},
	} {
		got, err := parseExtra(c.args)
		if (err != nil) != (c.want == nil && len(c.args) > 0) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, %v", c.args, got, err)
		}
		if err != nil && ExitCode(err) != 2 {
			t.Errorf("%q: exit code %d", c.args, ExitCode(err))
		}
	}
}
