package report

import (
	"strings"
	"testing"
)

func TestExpectationsAreHeldAgainstTheReport(t *testing.T) {
	for text, want := range map[string]Expectation{
		"p99(users.get)<50ms":           {Got: "38.0 ms", Held: true},
		"p99(users.get)<38ms":           {Got: "38.0 ms"},
		" p50 ( users.get ) <= 0.31 ms": {Got: "306 µs", Held: true},
		"p50(users.get)>300us":          {Got: "306 µs", Held: true},
		"p99.9(storm)>=1.4s":            {Got: "1,470 ms", Held: true},
		"p100(storm)<1.4s":              {Got: "1,500 ms"},
		"max(users.update)<=1m":         {Got: "60.0 ms", Held: true},
		"mean(users.get)<5ms":           {Got: "3.15 ms", Held: true},
		"rate(users.get)>=5000":         {Got: "4,998/s"},
		"rate(users.get)>=4997/s":       {Got: "4,998/s", Held: true},
		"done(users.get)=99950":         {Got: "99,950", Held: true},
		"errors=0":                      {Got: "52"},
		"errors<=52":                    {Got: "52", Held: true},
		"errors<0.1%":                   {Got: "0.051% (52 of 102,000)", Held: true},
		"errors(users.get)<0.05%":       {Got: "0.050% (50 of 100,000)"},
		"errors(users.get)<=0.05%":      {Got: "0.050% (50 of 100,000)", Held: true},
		"errors(users.update)=0":        {Got: "0", Held: true},
		"errors(users.update)=0%":       {Got: "0% (0 of 1,000)", Held: true},
		"missed=0":                      {Got: "12"},
		"missed(users.get)<0.1%":        {Got: "0.012% (12 of 100,012)", Held: true},
		"lost=0":                        {Got: "0", Held: true},
		"doubled=0":                     {Got: "0", Held: true},
		"disorder=0":                    {Got: "0", Held: true},
		"connections>=1000":             {Got: "1,000", Held: true},
		"connections>1000":              {Got: "1,000"},
		"back=100%":                     {Got: "99.8% (998 of 1,000)"},
		"back>=998":                     {Got: "998", Held: true},
		"back>99%":                      {Got: "99.8% (998 of 1,000)", Held: true},
		"storm<3s":                      {Got: "never over: 998 of 1,000 came back"},
		"wrong=0":                       {Got: "1"},
		"memory(server)<41KB":           {Got: "40.7 KB", Held: true},
		"memory(server)<40KiB":          {Got: "40.7 KB"},
		"growth(server)<=10240B":        {Got: "10.0 KB", Held: true},
		"cpu(server)<140s":              {Got: "137 s", Held: true},
		"cpu(worker)<1000ms":            {Got: "78.5 s"},

		// What is not there holds nothing.
		"p99(users.login)<1s":   {Got: "users.login was never done"},
		"p99(connect)<1s":       {Got: "connect was never done"},
		"max(nothing)>0s":       {Got: "nothing was never done"},
		"rate(connect)<=5":      {Got: "connect was never done"},
		"errors(connect)=0":     {Got: "connect was never done"},
		"errors(users.login)=0": {Got: "users.login was never done"},
		"missed(users.login)=0": {Got: "users.login was never done"},
		"growth(worker)<1GB":    {Got: "not known of every worker"},
	} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Error(err)
			continue
		}
		want.Text = strings.TrimSpace(text)
		if got := e.Check(exampleReport()); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestNoExpectationHoldsOfARunThatDidNothing(t *testing.T) {
	for _, text := range []string{
		"p99(users.get)<1m", "mean(users.get)<1m", "max(users.get)<1m", "rate(users.get)>=0", "done(users.get)>=0", "errors=0", "errors<100%", "errors(users.get)=0",
		"missed=0", "missed(users.get)=0", "connections>=0", "connections<1", "lost=0", "doubled=0", "disorder=0", "storm<1m", "back>=0", "back=100%", "wrong=0",
		"memory(server)<1GB", "growth(server)<1GB", "cpu(server)<9999s", "memory(worker)<1GB",
	} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Error(err)
			continue
		}
		for name, r := range map[string]*Report{
			"empty":      {},
			"no numbers": {Operations: []Operation{{Name: "users.get"}}, Feed: &Feed{}, Storm: &Storm{}, Processes: []Process{{Kind: KindServer}, {Kind: KindWorker}}},
			"no logins":  {Feed: &Feed{Watchers: 2}},
			"no end":     {Partial: "interrupted"},
		} {
			if got := e.Check(r); got.Held || got.Got == "" {
				t.Errorf("%s of a run with %s: %+v", text, name, got)
			}
		}
	}
}

func TestAMistakeInAnExpectationIsExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "want a quantity, one of",
		"p99(users.get)":                      "want a quantity, one of",
		"p99(users.get)<":                     "want a quantity, one of",
		"<20ms":                               "want a quantity, one of",
		"errors\n=0":                          "a text has a character that can't be shown",
		"errors=" + strings.Repeat("0", 2000): "a text is too long",
		"errors==0":                           `"=0" is no number`,
		"errors!=0":                           "want a quantity, one of",
		"p99(users.get))<1s":                  "want a quantity, one of",
		"P99(users.get)<1s":                   "want a quantity, one of",
		"p99(users.get)<1s, lost=0":           `is no number`,
		"speed(users.get)<20ms":               "there is no speed; there are p50 and other percentiles, back, connections,",
		"p0(users.get)<20ms":                  "there is no p0;",
		"p101(users.get)<20ms":                "there is no p101;",
		"p99<20ms":                            "p99 of what? Write an operation, such as p99(users.get)",
		"rate>=5":                             "rate of what?",
		"p99()<20ms":                          `"" is no name of an operation`,
		"p99(a b)<20ms":                       `"a b" is no name of an operation`,
		"errors()=0":                          `"" is no name of an operation`,
		"lost(users.get)=0":                   "lost takes nothing in parentheses",
		"memory<12KB":                         "want memory(server) or memory(worker)",
		"memory(redis)<12KB":                  "want memory(server) or memory(worker)",
		"p99(users.get)<20":                   "want a time such as 20ms, not 20",
		"p99(users.get)<20%":                  "want a time such as 20ms, not 20%",
		"p99(users.get)<20sec":                "want a time such as 20ms, not 20sec",
		"p99(users.get)<-1ms":                 `"-1ms" is no number`,
		"p99(users.get)<1e3ms":                `"1e3ms" is no number`,
		"p99(users.get)=20ms":                 "= is for counts and percentages",
		"rate(users.get)=5000":                "= is for counts and percentages",
		"rate(users.get)<5%":                  "want a rate such as 5000 or 5000/s, not 5%",
		"errors<5ms":                          "want a number or a percentage such as 0.1%, not 5ms",
		"lost<1%":                             "want a number, not 1%",
		"memory(server)<12":                   "want a size such as 12KB, not 12",
		"memory(server)<12kb":                 "want a size such as 12KB, not 12kb",
		"cpu(server)<25":                      "want a time such as 25s, not 25",
	} {
		_, err := ParseExpectation(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestEveryQuantityIsInTheDocumentation(t *testing.T) {
	text := sourceOf(t, "expect.go")
	for _, name := range quantityNames() {
		if !strings.Contains(text, "\n//\t"+name) {
			t.Errorf("%s is not in the comment of Expected", name)
		}
	}
}

func FuzzParseExpectation(f *testing.F) {
	for _, text := range []string{"p99.9(users.get)<20ms", "errors(a)<=0.1%", "memory(server) < 12KB", "back = 100%", "cpu(worker)>1s", "rate(x)>=5000/s", "lost=0"} {
		f.Add(text)
	}
	r := exampleReport()
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpectation(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		got := e.Check(r)
		if got.Got == "" || got.Text != e.String() {
			t.Errorf("%q: %+v", text, got)
		}
		again, err := ParseExpectation(got.Text)
		if err != nil || again.Check(r) != got {
			t.Errorf("%q is read again as %+v, %v", got.Text, again, err)
		}
	})
}
