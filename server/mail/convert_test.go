package mail

import (
	"strings"
	"testing"
)

func TestTheTwoSyntaxesAreToldApart(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		// Coronium Core's
		{"{{ name }}", "{{$.Names.name}}"},
		{"{{name}}", "{{$.Names.name}}"},
		{"{{\tname\n}}", "{{$.Names.name}}"},
		{"{* confirm_link *}", "{{$.Names.confirm_link}}"},
		{"{*confirm_link*}", "{{$.Names.confirm_link}}"},
		{"{*\n a1_B *}", "{{$.Names.a1_B}}"},
		{"a {{ x }}{* y *} b {{ .Keys.z }}", "a {{$.Names.x}}{{$.Names.y}} b {{ .Keys.z }}"},
		{"{{- name -}}", "{{- $.Names.name -}}"},
		{"{* len *}", "{{$.Names.len}}"},
		{"{{ ended }}{{ iffy }}", "{{$.Names.ended}}{{$.Names.iffy}}"},
		{"{ {{ x }} }", "{ {{$.Names.x}} }"},
		// Go's
		{"{{ .Username }}", "{{ .Username }}"},
		{"{{ if .Scope }}a{{ else }}b{{ end }}", "{{ if .Scope }}a{{ else }}b{{ end }}"},
		{"{{ range .Keys }}{{ break }}{{ continue }}{{ end }}", "{{ range .Keys }}{{ break }}{{ continue }}{{ end }}"},
		{"{{ true }}{{ nil }}{{ len }}{{ print }}", "{{ true }}{{ nil }}{{ len }}{{ print }}"},
		{"{{ len .Username }}", "{{ len .Username }}"},
		{"{{ $x }}", "{{ $x }}"},
		{"{{/* {{ name }} {* name *} */}}", "{{/* {{ name }} {* name *} */}}"},
		{"{{- /* {* name *} */ -}}", "{{- /* {* name *} */ -}}"},
		{`{{ print "}} {* x *}" }}`, `{{ print "}} {* x *}" }}`},
		{`{{ print "\"}} {* x *}" }}{* y *}`, `{{ print "\"}} {* x *}" }}{{$.Names.y}}`},
		{"{{ print `}}\\` }}{* y *}", "{{ print `}}\\` }}{{$.Names.y}}"},
		{"{{ print '}' }}{* y *}", "{{ print '}' }}{{$.Names.y}}"},
		// neither
		{"", ""},
		{"{", "{"},
		{"{{", "{{"},
		{"{*", "{*"},
		{"{* two words *}", "{* two words *}"},
		{"{* a.b *}", "{* a.b *}"},
		{"{ name }", "{ name }"},
		{"{% 50 percent", "{% 50 percent"},
		{"}} *}", "}} *}"},
	} {
		got, err := convert(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"{% if x then %}a{% end %}", "{(header.tpl)}", "{-raw-}{{ x }}{-raw-}", "a {%\nprint(1)\n%}"} {
		if got, err := convert(in); err == nil {
			t.Errorf("%q: %q, want an error", in, got)
		}
	}
}

// TestConvertingTakesTimeInProportion fails by the test's time limit: what is
// quadratic takes minutes here.
func TestConvertingTakesTimeInProportion(t *testing.T) {
	for _, part := range []string{"{%", "{(", "{*", "{* ", "{{", "{{ ", "{{a", "{{/*", "{{\"", "{", "{-raw", "{{ x }}"} {
		if _, err := convert(strings.Repeat(part, 1<<20/len(part))); err != nil {
			t.Errorf("%q: %v", part, err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range []string{
		"Hello {{ username }},\n\n{* confirm_link *}\n", "{{ .Keys.a }}{{- b -}}", "{{/* c */}}{{ print \"}}\" }}", "{{{* x *}}}", "{% x %}", "{{ '", "{{`",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		once, err := convert(src)
		if err != nil {
			return
		}
		twice, err := convert(once)
		if err != nil || twice != once {
			t.Errorf("%q becomes %q, then %q, %v", src, once, twice, err)
		}
		if !strings.Contains(src, "{") && once != src {
			t.Errorf("%q became %q", src, once)
		}
	})
}
