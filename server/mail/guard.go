package mail

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Bounds of templates, in bytes.
const (
	maxTemplate = 64 << 10 // a file
	maxOutput   = 64 << 10 // what it renders to
)

var errTooLong = fmt.Errorf("renders to more than %d KiB", maxOutput>>10)

// functions are all that a template may call. They read no file and no network,
// and nothing here makes a long string of a short one: print and the escapers
// are bounded, and printf is left out because of its widths.
var functions = template.FuncMap{
	"print":    bounded(fmt.Sprint),
	"println":  bounded(fmt.Sprintln),
	"html":     bounded(template.HTMLEscaper),
	"js":       bounded(template.JSEscaper),
	"urlquery": bounded(template.URLQueryEscaper),
}

var allowed = []string{
	"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice",
	"print", "println", "html", "js", "urlquery",
}

func bounded(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		n := 0
		for _, a := range args {
			if n += len(fmt.Sprint(a)); n > maxOutput {
				return "", errTooLong
			}
		}
		return f(args...), nil
	}
}

// parseTemplate parses src and holds it against the bounds: its running time is
// at most its length times the number of keys. So nothing in it calls itself,
// and a range goes over .Keys alone and not within another.
func parseTemplate(name, src string) (*template.Template, error) {
	converted, err := convert(src)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Funcs(functions).Option("missingkey=zero").Parse(converted)
	if err != nil {
		return nil, err
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not supported")
	}
	if t.Tree == nil || t.Root == nil {
		return nil, errors.New("empty")
	}
	return t, guard(t.Root, false)
}

// guard walks what a template does.
func guard(node parse.Node, inRange bool) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := guard(child, inRange); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return guard(n.Pipe, inRange)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, cmd := range n.Cmds {
			for _, arg := range cmd.Args {
				if err := guard(arg, inRange); err != nil {
					return err
				}
			}
		}
	case *parse.ChainNode:
		return guard(n.Node, inRange)
	case *parse.IdentifierNode:
		if !slices.Contains(allowed, n.Ident) {
			return fmt.Errorf("function %s is not supported", n.Ident)
		}
	case *parse.IfNode:
		return guardBranch(&n.BranchNode, inRange)
	case *parse.WithNode:
		return guardBranch(&n.BranchNode, inRange)
	case *parse.RangeNode:
		if inRange || !overKeys(n.Pipe) {
			return errors.New("range goes over .Keys only, and not within another range")
		}
		return guardBranch(&n.BranchNode, true)
	case *parse.TemplateNode:
		return errors.New("template is not supported")
	}
	return nil
}

func guardBranch(n *parse.BranchNode, inRange bool) error {
	for _, child := range []parse.Node{n.Pipe, n.List, n.ElseList} {
		if err := guard(child, inRange); err != nil {
			return err
		}
	}
	return nil
}

func overKeys(pipe *parse.PipeNode) bool {
	if len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return false
	}
	switch over := pipe.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return slices.Equal(over.Ident, []string{"Keys"})
	case *parse.VariableNode:
		return slices.Equal(over.Ident, []string{"$", "Keys"})
	}
	return false
}

// execute renders t, but no more than maxOutput bytes.
func execute(t *template.Template, v view) (string, error) {
	var out cappedBuffer
	if err := t.Execute(&out, v); err != nil {
		return "", err
	}
	return out.String(), nil
}

type cappedBuffer struct{ strings.Builder }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}

var _ io.Writer = (*cappedBuffer)(nil)
