package mail

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"rollcall/protocol"
)

// A Kind of mail is also the folder of its templates.
type Kind string

const (
	Registration Kind = "registration" // needs a ConfirmLink
	Password     Kind = "password"     // needs a ResetLink
)

// Data is what a template may show. Username and Keys come from clients: they
// are put in as text, and what looks like a link is taken apart.
type Data struct {
	ConfirmLink string            // {{ .ConfirmLink }} or {* confirm_link *}
	ResetLink   string            // {{ .ResetLink }} or {* reset_link *}
	Username    string            // {{ .Username }} or {{ username }}
	Scope       string            // {{ .Scope }} or {{ scope }}
	AnyScope    bool              // clients name scopes: Scope is put in as Username is
	Email       string            // {{ .Email }} or {{ email }}
	Keys        map[string]string // tpl_keys: {{ .Keys.name }} or {{ name }}
	// Subject, when not empty, takes the place of the template's.
	Subject string
}

// Rendered is a mail's content, ready for a Message.
type Rendered struct {
	Subject, Text, HTML string
}

// Templates renders mails from the files of a folder:
//
//	registration/NAME.tpl
//	password/NAME.tpl
//
// A file is read at each use, so a change counts from the next mail on. Where no
// name is given, default.tpl is taken, or else email.tpl (Coronium Core's name
// for it), or else a built-in one.
//
// A file is a text/template of at most 64 KiB, in UTF-8, or one in Coronium
// Core's syntax, or a mixture. Its first line may be "Subject: " and the mail's
// subject, in the same syntax but without the links; then a blank line follows.
// The functions of text/template are there but for printf and call; define,
// block and template are not; range goes over .Keys. What a key does not name
// renders to nothing.
//
// All methods may be called concurrently.
type Templates struct {
	dir string // empty: the built-in ones alone
}

//go:embed builtin
var builtin embed.FS

// Load returns the templates of the folder dir, or, where dir is empty, the
// built-in ones alone. It fails when dir isn't a folder; what is in it is for
// Check.
func Load(dir string) (*Templates, error) {
	if dir != "" {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("load mail templates: %w", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("load mail templates: %s is not a folder", dir)
		}
	}
	return &Templates{dir: dir}, nil
}

// Check renders every template of the folder with made-up data and returns what
// is wrong with them, joined, for an operator to see at start. Each error names
// its file and wraps ErrTemplate.
func (t *Templates) Check() error {
	if t.dir == "" {
		return nil
	}
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	defer root.Close()
	var errs []error
	for _, kind := range []Kind{Registration, Password} {
		names, err := fs.Glob(root.FS(), string(kind)+"/*.tpl")
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range names {
			_, err := t.Render(kind, strings.TrimPrefix(name, string(kind)+"/"), Data{
				ConfirmLink: "https://example.com/confirm?code=x", ResetLink: "https://example.com/reset?code=x",
				Username: "tiny", Scope: "Space Race", Email: "tina@example.com",
			})
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// A view is Data as templates see it. It has no methods.
type view struct {
	ConfirmLink, ResetLink, Username, Scope, Email string
	Keys                                           map[string]string
	Names                                          map[string]string // by Coronium Core's names; see convert
}

// Render makes a mail of kind from the template of that name; an empty name is
// the default. The name is bare (protocol's rule "template"), with or without
// .tpl, and never leads out of the folder, by symbolic links neither.
//
// Errors: ErrTemplate when the template is missing, broken, too long, or its
// text lacks the kind's link; a *protocol.Error of status 802 when Keys or
// Subject are out of bounds, as CheckKeys says.
func (t *Templates) Render(kind Kind, name string, data Data) (Rendered, error) {
	link := data.ConfirmLink
	subject := "Confirm your registration"
	switch kind {
	case Registration:
	case Password:
		link = data.ResetLink
		subject = "Reset your password"
	default:
		return Rendered{}, fmt.Errorf("unknown kind of mail %q", kind)
	}
	if !isWebLink(link) {
		return Rendered{}, errors.New("the link of a mail must be a web address") // not shown: it holds a code
	}
	if err := CheckKeys(data.Keys, data.Subject); err != nil {
		return Rendered{}, err
	}
	if data.AnyScope {
		data.Scope = unlink(data.Scope)
	}
	path, src, err := t.source(kind, name)
	if err != nil {
		return Rendered{}, err
	}
	r, err := render(path, src, newView(data), link)
	if err != nil {
		return Rendered{}, fmt.Errorf("%w: %s: %w", ErrTemplate, path, err)
	}
	if data.Scope != "" {
		subject += " for " + data.Scope
	}
	for _, s := range []string{data.Subject, r.Subject, subject} {
		if r.Subject = oneLine(s); r.Subject != "" {
			break
		}
	}
	r.HTML = htmlPart(r.Subject, r.Text, link)
	return r, nil
}

func newView(data Data) view {
	v := view{
		ConfirmLink: data.ConfirmLink,
		ResetLink:   data.ResetLink,
		Username:    unlink(data.Username),
		Scope:       data.Scope,
		Email:       data.Email,
		Keys:        make(map[string]string, len(data.Keys)),
	}
	for k, s := range data.Keys {
		v.Keys[k] = unlink(s)
	}
	// A key goes before the user's own data, as in the original, whose examples
	// pass a username; never before a link.
	v.Names = map[string]string{"username": v.Username, "scope": v.Scope, "email": v.Email}
	maps.Copy(v.Names, v.Keys)
	v.Names["confirm_link"] = v.ConfirmLink
	v.Names["reset_link"] = v.ResetLink
	return v
}

// render runs one file. The link counts in the text alone.
func render(path, src string, v view, link string) (Rendered, error) {
	subjectSrc, textSrc := cutSubject(src)
	var r Rendered
	if subjectSrc != "" {
		t, err := parseTemplate(path, subjectSrc)
		if err != nil {
			return r, err
		}
		bare := v
		bare.ConfirmLink, bare.ResetLink = "", ""
		bare.Names = maps.Clone(v.Names)
		delete(bare.Names, "confirm_link")
		delete(bare.Names, "reset_link")
		if r.Subject, err = execute(t, bare); err != nil {
			return r, err
		}
	}
	t, err := parseTemplate(path, textSrc)
	if err != nil {
		return r, err
	}
	if r.Text, err = execute(t, v); err != nil {
		return r, err
	}
	r.Text = strings.TrimSpace(strings.Map(printable, r.Text)) + "\n"
	if !strings.Contains(r.Text, link) {
		return r, errors.New("the text lacks its link")
	}
	return r, nil
}

// cutSubject parts a first line "Subject: …" from the text after the blank line.
func cutSubject(src string) (subject, text string) {
	first, rest, _ := strings.Cut(src, "\n")
	blank, text, _ := strings.Cut(rest, "\n")
	const label = "subject:"
	if len(first) < len(label) || !strings.EqualFold(first[:len(label)], label) || strings.TrimSpace(blank) != "" {
		return "", src
	}
	return strings.TrimSpace(first[len(label):]), text
}

// source reads the file of a template, or the built-in one.
func (t *Templates) source(kind Kind, name string) (path, src string, err error) {
	base := strings.TrimSuffix(name, ".tpl")
	files := []string{base + ".tpl"}
	if name == "" {
		files = []string{"default.tpl", "email.tpl"}
	} else if protocol.Check("template", "template", name) != nil || protocol.Check("template", "template", base) != nil {
		return "", "", fmt.Errorf("%w: not a bare name", ErrTemplate)
	}
	if t.dir != "" {
		root, err := os.OpenRoot(t.dir)
		if err != nil {
			return "", "", fmt.Errorf("%w: %w", ErrTemplate, err)
		}
		defer root.Close()
		for _, file := range files {
			path := string(kind) + "/" + file
			src, err := readTemplate(root, path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", "", fmt.Errorf("%w: %s: %w", ErrTemplate, path, err)
			}
			return path, src, nil
		}
	}
	if !slices.Contains(files, "default.tpl") {
		return "", "", fmt.Errorf("%w: %s/%s is not there", ErrTemplate, kind, files[0])
	}
	path = "builtin/" + string(kind) + "/default.tpl"
	b, err := builtin.ReadFile(path)
	return path, string(b), err
}

func readTemplate(root *os.Root, path string) (string, error) {
	info, err := root.Stat(path) // before opening: a pipe would block
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a file")
	}
	f, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxTemplate {
		return "", fmt.Errorf("longer than %d KiB", maxTemplate>>10)
	}
	if !utf8.Valid(b) {
		return "", errors.New("not UTF-8")
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n"), nil
}

// printable drops what must not stand in a mail's text.
func printable(r rune) rune {
	if isControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// oneLine returns s as a subject: one line, at most as long as a subject may be.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > protocol.MaxTextBytes {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:protocol.MaxTextBytes], ""))
	}
	return s
}
