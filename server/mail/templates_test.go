package mail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/protocol"
)

const (
	confirmLink = "https://game.example/confirm?code=abc_DEF-123"
	resetLink   = "https://game.example/reset?code=abc_DEF-123"
)

// folder makes a folder of templates: path, text, path, text …
func folder(t *testing.T, files ...string) *Templates {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	templates, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func someData() Data {
	return Data{
		ConfirmLink: confirmLink, Username: "tiny", Scope: "Space Race", Email: "tina@home.example",
		Keys: map[string]string{"app_name": "FunRun", "n": "7"},
	}
}

func TestTheBuiltinTemplatesRender(t *testing.T) {
	templates, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "default", "default.tpl"} {
		r, err := templates.Render(Registration, name, someData())
		if err != nil {
			t.Fatal(err)
		}
		if r.Subject != "Confirm your registration for Space Race" || !strings.Contains(r.Text, "Hello tiny,") ||
			!strings.Contains(r.Text, "signed up for Space Race with") || !strings.Contains(r.Text, "\n"+confirmLink+"\n") {
			t.Errorf("%+v", r)
		}
		r, err = templates.Render(Password, name, Data{ResetLink: resetLink, Username: "tiny"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Subject != "Reset your password" || !strings.Contains(r.Text, "set a new password.\n") || !strings.Contains(r.Text, "\n"+resetLink+"\n") {
			t.Errorf("%+v", r)
		}
	}
	if err := templates.Check(); err != nil {
		t.Error(err)
	}
}

func TestTemplatesRender(t *testing.T) {
	for _, tt := range []struct{ name, tpl, subject, text string }{
		{"Go's syntax", "{{ .Username }} {{ .Scope }} {{ .Email }} {{ .Keys.app_name }} {{ .ConfirmLink }}", "", "tiny Space Race tina@home.example FunRun " + confirmLink},
		{"Coronium Core's", "Hello {{ username }}, this is {{ app_name }}.\n\n{* confirm_link *}\n", "", "Hello tiny, this is FunRun.\n\n" + confirmLink},
		{"its escaped link", "{{ confirm_link }} {{ scope }} {{ email }}", "", confirmLink + " Space Race tina@home.example"},
		{"both", "{{ if .Keys.n }}{{ n }}{{ end }} {* app_name *} {{ .ConfirmLink }}", "", "7 FunRun " + confirmLink},
		{"in a with", "{{ with .Keys }}{{ .n }} {{ app_name }}{{ end }} {{ .ConfirmLink }}", "", "7 FunRun " + confirmLink},
		{"in a range", "{{ range $k, $v := .Keys }}{{ $k }}={{ $v }} {{ end }}{{ .ConfirmLink }}", "", "app_name=FunRun n=7 " + confirmLink},
		{"unknown names", "[{{ nobody }}{* nothing *}{{ .Keys.none }}] {{ .ConfirmLink }}", "", "[] " + confirmLink},
		{"a subject", "Subject:  Welcome to {{ app_name }}, {{ .Username }}\n\n{{ .ConfirmLink }}", "Welcome to FunRun, tiny", confirmLink},
		{"a subject with CRLF and a BOM", "\ufeffsubject: Hi\r\n \r\nA\r\n{{ .ConfirmLink }}\r\n", "Hi", "A\n" + confirmLink},
		{"an empty subject", "Subject: {{ nobody }}\n\n{{ .ConfirmLink }}", "", confirmLink},
		{"no link in a subject", "Subject: {{ .ConfirmLink }}{* confirm_link *}!\n\n{{ .ConfirmLink }}", "!", confirmLink},
		{"not a subject", "Subject: Hi\n{{ .ConfirmLink }}", "", "Subject: Hi\n" + confirmLink},
		{"functions", `{{ print "a" 1 | html }}{{ len .Username }}{{ index .Keys "n" }} {{ .ConfirmLink }}`, "", "a147 " + confirmLink},
		{"control characters", "a\x00\x1b\u202eb {{ .ConfirmLink }}", "", "ab " + confirmLink},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := folder(t, "registration/x.tpl", tt.tpl).Render(Registration, "x", someData())
			if err != nil {
				t.Fatal(err)
			}
			if tt.subject == "" {
				tt.subject = "Confirm your registration for Space Race"
			}
			if r.Subject != tt.subject || r.Text != tt.text+"\n" {
				t.Errorf("subject %q, text %q; want %q, %q", r.Subject, r.Text, tt.subject, tt.text)
			}
		})
	}
}

func TestAKeyGoesBeforeTheUsersDataButNeverBeforeALink(t *testing.T) {
	templates := folder(t, "registration/x.tpl", "{{ username }} {{ .Username }} {* confirm_link *} {{ reset_link }}")
	data := someData()
	data.Keys = map[string]string{"username": "Timmy", "confirm_link": "nowhere", "reset_link": "nowhere"}
	r, err := templates.Render(Registration, "x", data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Timmy tiny " + confirmLink + "\n"; r.Text != want {
		t.Errorf("%q, want %q", r.Text, want)
	}
}

func TestAClientsSubjectTakesTheTemplatesPlace(t *testing.T) {
	templates := folder(t, "registration/x.tpl", "Subject: template's\n\n{{ .ConfirmLink }}")
	data := someData()
	data.Subject = "Please confirm your registration."
	if r, err := templates.Render(Registration, "x", data); err != nil || r.Subject != data.Subject {
		t.Errorf("%q, %v", r.Subject, err)
	}
	data.Subject = ""
	data.Keys = map[string]string{"app_name": strings.Repeat("é", 100)}
	long := folder(t, "registration/x.tpl", "Subject: {{ app_name }}{{ app_name }}\n\n{{ .ConfirmLink }}")
	r, err := long.Render(Registration, "x", data)
	if err != nil || len(r.Subject) != 256 || strings.Trim(r.Subject, "é") != "" {
		t.Errorf("%d bytes, %v", len(r.Subject), err)
	}
}

func TestATemplateWithoutItsLinkIsRefused(t *testing.T) {
	templates := folder(t,
		"registration/none.tpl", "Hello",
		"registration/other.tpl", "{{ .ResetLink }}",
		"registration/hidden.tpl", "{{ if false }}{{ .ConfirmLink }}{{ end }}x",
		"registration/subject.tpl", "Subject: {{ .ConfirmLink }}\n\nHello",
		"registration/escaped.tpl", "{{ .ConfirmLink | urlquery }}",
		"password/confirm.tpl", "{{ .ConfirmLink }}",
		"password/good.tpl", "{* reset_link *}",
	)
	both := Data{ConfirmLink: confirmLink, ResetLink: resetLink}
	for _, name := range []string{"none", "other", "hidden", "subject", "escaped"} {
		if r, err := templates.Render(Registration, name, both); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
	if _, err := templates.Render(Password, "confirm", both); !errors.Is(err, ErrTemplate) {
		t.Error(err)
	}
	if _, err := templates.Render(Password, "good.tpl", both); err != nil {
		t.Error(err)
	}
	// A link that isn't one is the server's mistake, and is not shown.
	for _, link := range []string{"", "javascript:alert(1)", "/confirm?code=abc_DEF", "https://x.example/ code=abc_DEF", "https://x.example/?code=abc_DEF\"onclick"} {
		_, err := templates.Render(Password, "good", Data{ResetLink: link})
		if err == nil || errors.Is(err, ErrTemplate) || strings.Contains(err.Error(), "abc_DEF") {
			t.Errorf("link %q: %v", link, err)
		}
	}
}

func TestNoPathLeavesTheFolder(t *testing.T) {
	templates := folder(t, "registration/x.tpl", "{{ .ConfirmLink }}", "secret.tpl", "{{ .ConfirmLink }}", "password/y.tpl", "{{ .ConfirmLink }}")
	outside := filepath.Join(t.TempDir(), "outside.tpl")
	write(t, outside, "{{ .ConfirmLink }}")
	at := func(name string) string { return filepath.Join(templates.dir, "registration", name) }
	for link, target := range map[string]string{"abs.tpl": outside, "rel.tpl": "../../../" + filepath.Base(filepath.Dir(outside)) + "/outside.tpl", "dangling.tpl": "nowhere"} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at("folder.tpl"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, at("binary.tpl"), "\xff{{ .ConfirmLink }}")
	write(t, at("long.tpl"), "{{ .ConfirmLink }}"+strings.Repeat("x", maxTemplate))
	for _, name := range []string{
		"../secret", "../secret.tpl", "../password/y", "..", ".", "/etc/passwd", "x/../x", "registration/x", `..\secret`, "x\x00", ".tpl", "", "-x",
		"abs", "rel", "dangling", "folder", "binary", "long", "missing", strings.Repeat("x", 65), "x.tpl.tpl", outside,
	} {
		_, err := templates.Render(Registration, name, someData())
		if name == "" {
			if err != nil {
				t.Errorf("the default: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrTemplate) {
			t.Errorf("%q: %v, want ErrTemplate", name, err)
		}
	}
	if _, err := templates.Render("../registration", "x", someData()); err == nil {
		t.Error("a made-up kind is taken")
	}
	// A link that stays inside is how a mounted configuration looks.
	if err := os.Symlink("x.tpl", at("inside.tpl")); err != nil {
		t.Fatal(err)
	}
	if _, err := templates.Render(Registration, "inside", someData()); err != nil {
		t.Error(err)
	}
}

func TestTheDefaultIsTheFoldersOrTheOriginalsOrBuiltIn(t *testing.T) {
	templates := folder(t, "password/other.tpl", "{{ .ResetLink }}")
	text := func() string {
		t.Helper()
		r, err := templates.Render(Registration, "", someData())
		if err != nil {
			t.Fatal(err)
		}
		return r.Text
	}
	if !strings.Contains(text(), "signed up") {
		t.Error("not the built-in one")
	}
	write(t, filepath.Join(templates.dir, "registration/email.tpl"), "original's {* confirm_link *}")
	if !strings.HasPrefix(text(), "original's") {
		t.Error("not email.tpl")
	}
	write(t, filepath.Join(templates.dir, "registration/default.tpl"), "ours {{ .ConfirmLink }}")
	if !strings.HasPrefix(text(), "ours") {
		t.Error("not default.tpl")
	}
	write(t, filepath.Join(templates.dir, "registration/default.tpl"), "changed {{ .ConfirmLink }}")
	if !strings.HasPrefix(text(), "changed") {
		t.Error("a change does not count")
	}
	write(t, filepath.Join(templates.dir, "registration/default.tpl"), "broken {{")
	if _, err := templates.Render(Registration, "", someData()); !errors.Is(err, ErrTemplate) {
		t.Errorf("a broken default: %v", err)
	}
	if err := templates.Check(); !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), "registration/default.tpl") {
		t.Errorf("Check: %v", err)
	}
	if err := os.RemoveAll(templates.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := templates.Render(Registration, "", someData()); !errors.Is(err, ErrTemplate) {
		t.Errorf("the folder is gone: %v", err)
	}
	if _, err := Load(templates.dir); err == nil {
		t.Error("a missing folder is taken")
	}
}

func TestTemplatesAreBounded(t *testing.T) {
	double := strings.Repeat("{{ $x = print $x $x }}", 100)
	for name, tpl := range map[string]string{
		"endless range":         "{{ range 1000000000 }}{{ end }}",
		"range over a variable": "{{ $n := 1000000000 }}{{ range $n }}{{ end }}",
		"range in a range":      "{{ range .Keys }}{{ range $.Keys }}{{ end }}{{ end }}",
		"recursion":             `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
		"a block":               `{{ block "a" . }}{{ end }}`,
		"itself":                `{{ template "registration/x.tpl" . }}`,
		"a long width":          `{{ printf "%1000000d" 1 }}`,
		"call":                  "{{ call .Username }}",
		"doubling":              `{{ $x := "aaaaaaaa" }}` + double,
		"doubling in a range":   `{{ $x := "aaaaaaaa" }}{{ range .Keys }}` + double + "{{ end }}",
		"doubling by escaping":  `{{ $x := "<<<<<<<<" }}` + strings.Repeat("{{ $x = html $x }}{{ $x = print $x $x }}", 100),
		"long output":           `{{ $x := "0123456789abcdef" }}` + strings.Repeat("{{ $x = print $x $x }}", 8) + strings.Repeat("{{ $x }}", 100),
		"unknown function":      `{{ readFile "/etc/passwd" }}`,
		"unknown field":         "{{ .Secret }}",
		"bad syntax":            "{{ .Username",
		"Lua code":              "{% os.exit() %}",
		"an include":            "{(other.tpl)}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := folder(t, "registration/x.tpl", tpl+" {{ .ConfirmLink }}").Render(Registration, "x", someData())
			if !errors.Is(err, ErrTemplate) {
				t.Errorf("got %v, want ErrTemplate", err)
			}
			noSecrets(t, err)
		})
	}
}

func TestWhatAClientGivesIsBoundedAndNeverALink(t *testing.T) {
	long := map[string]string{}
	for i := range 21 {
		long[fmt.Sprint("k", i)] = ""
	}
	for name, keys := range map[string]map[string]string{
		"21 keys": long, "a long value": {"a": strings.Repeat("x", 201)}, "an empty key": {"": "x"}, "a key with a dot": {"a.b": "x"},
		"a key of a digit": {"1a": "x"}, "a long key": {strings.Repeat("k", 65): "x"}, "a key with braces": {"a}}{{": "x"},
		"a line break": {"a": "x\r\nBcc: y"}, "an escape": {"a": "\x1b[2J"}, "bidirectional": {"a": "\u202ex"}, "not UTF-8": {"a": "\xff"},
		"http": {"a": "see http://evil.example"}, "HTTPS": {"a": "HTTPS://evil"}, "no scheme": {"a": "//evil.example"}, "www": {"a": "WWW.evil"},
		"mailto": {"a": "mailto:eve@evil.example"}, "javascript": {"a": "javascript:alert(1)"}, "a host and a path": {"a": "win at evil.example/now"},
		"a host and a query": {"a": "evil.example?x"}, "a port": {"a": "evil.example:8080"}, "an IP": {"a": "10.0.0.1/x"}, "another dot": {"a": "evil。example/x"},
		"punycode": {"a": "x.xn--p1ai/"}, "a foreign TLD": {"a": "пример.рф/x"},
	} {
		var e *protocol.Error
		if err := CheckKeys(keys, ""); !errors.As(err, &e) || e.Status != protocol.StatusOutOfBounds {
			t.Errorf("%s: %v, want 802", name, err)
		}
		data := someData()
		data.Keys = keys
		if _, err := (&Templates{}).Render(Registration, "", data); !errors.As(err, &e) {
			t.Errorf("%s: Render: %v", name, err)
		}
	}
	for _, subject := range []string{"a\r\nBcc: x", "see http://evil.example", strings.Repeat("x", 257), "\xff", "evil.example/win"} {
		if err := CheckKeys(nil, subject); err == nil {
			t.Errorf("subject %q is taken", subject)
		}
	}
	if err := CheckKeys(map[string]string{"a": "Mr. Smith, 7:30 and 1.5/2 or/and", "_b1": "<b>", "c": "", "d": "St.Louis", "e": "Slither.io"}, "Hello. You?"); err != nil {
		t.Error(err)
	}

	templates := folder(t, "registration/x.tpl", "{{ .Username }}|{{ app }}|{* app *}|{{ .Keys.app }} {{ .ConfirmLink }}")
	for in, want := range map[string]string{
		"tiny": "tiny", "Mr. Smith": "Mr. Smith", "7.5": "7.5", "Slither.io": "Slither io", "eve@evil": "eve evil",
	} {
		r, err := templates.Render(Registration, "x", Data{ConfirmLink: confirmLink, Username: in, Keys: map[string]string{"app": in}})
		if err != nil || r.Text != strings.Join([]string{want, want, want, want}, "|")+" "+confirmLink+"\n" {
			t.Errorf("%q: %q, %v", in, r.Text, err)
		}
	}
	for in, want := range map[string]string{
		"Win at http://evil.example/now": "Win at http evil example now", "www.evil.example": "www evil example", "{{ .ResetLink }}": "{{ .ResetLink }}",
	} {
		r, err := templates.Render(Registration, "x", Data{ConfirmLink: confirmLink, Username: in})
		if err != nil || !strings.HasPrefix(r.Text, want+"|") {
			t.Errorf("%q: %q, %v", in, r.Text, err)
		}
	}
}

func TestTheHTMLPartIsMadeOfTheText(t *testing.T) {
	templates := folder(t, "registration/x.tpl", "Subject: <Hi> & bye\n\nHello {{ username }},\r\nline two <b>bold</b> & {{ k }}\n \n\nOpen {* confirm_link *}, or ({{ .ConfirmLink }}).\n")
	link := confirmLink + "&x=1"
	r, err := templates.Render(Registration, "x", Data{ConfirmLink: link, Username: `<script>"'`, Keys: map[string]string{"k": "<img src=x>"}})
	if err != nil {
		t.Fatal(err)
	}
	anchor := `<a href="` + confirmLink + `&amp;x=1">` + confirmLink + `&amp;x=1</a>`
	want := "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>&lt;Hi&gt; &amp; bye</title>\n</head>\n<body>\n" +
		"<p>Hello &lt;script&gt;&#34;&#39;,<br>\nline two &lt;b&gt;bold&lt;/b&gt; &amp; &lt;img src=x&gt;</p>\n" +
		"<p>Open " + anchor + ", or (" + anchor + ").</p>\n</body>\n</html>\n"
	if r.HTML != want {
		t.Errorf("got\n%s\nwant\n%s", r.HTML, want)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("Hello {{ username }}\n\n{* confirm_link *}", "tiny", "FunRun")
	f.Add("Subject: {{ k }}\n\n{{ .ConfirmLink }}{{ range .Keys }}{{ . }}{{ end }}", "<b>", "x")
	f.Add("{{ with $x := print .Username k }}{{ $x | html }}{{ end }}{{ .ConfirmLink }}", "a.example", "7")
	f.Add("{{ define \"a\" }}{{ end }}{{ if eq .Username \"\" }}{{ else }}{{ index .Keys \"k\" }}{{ end }}{{ .ConfirmLink }}", "", "")
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "registration"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tpl, username, key string) {
		file := filepath.Join(dir, "registration", fmt.Sprintf("f%d.tpl", os.Getpid()))
		if err := os.WriteFile(file, []byte(tpl), 0o600); err != nil {
			t.Fatal(err)
		}
		templates := &Templates{dir: dir}
		r, err := templates.Render(Registration, filepath.Base(file), Data{ConfirmLink: confirmLink, Username: username, Keys: map[string]string{"k": key}})
		if err != nil {
			if strings.Contains(err.Error(), "abc_DEF") && !strings.Contains(tpl, "abc_DEF") {
				t.Errorf("the error shows the link: %v", err)
			}
			return
		}
		if !strings.Contains(r.Text, confirmLink) || !strings.Contains(r.HTML, `<a href="`+confirmLink+`">`) || len(r.Text) > maxOutput+1 {
			t.Errorf("rendered %+v", r)
		}
		// What renders can be sent, and the only tags are ours.
		if _, err := compose(Message{From: "a@x.example", To: "b@y.example", Subject: r.Subject, Text: r.Text, HTML: r.HTML}, false); err != nil {
			t.Errorf("%v for %+v", err, r)
		}
		for tag := range strings.SplitSeq(r.HTML, "<") {
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(tag), "/"), ">")
			name, _, _ = strings.Cut(name, " ")
			if !strings.Contains(" !doctype html head meta title body p br a ", " "+name+" ") && name != "" {
				t.Errorf("a tag %q in %s", name, r.HTML)
			}
		}
	})
}
