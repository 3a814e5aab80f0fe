// Package comments reads the doc comments of package protocol, which no
// reflection shows, for the documents that are written from its types.
package comments

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// Comments are the doc comments of a package's types, and the line comments of
// their fields, each on one line.
type Comments struct {
	types  map[string]string // by type
	fields map[string]string // by type and the field's Go name: "Session.Token"
}

// Read parses the Go files of a folder.
func Read(folder string) (Comments, error) {
	c := Comments{map[string]string{}, map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return c, fmt.Errorf("list source files: %w", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return c, fmt.Errorf("read comments: %w", err)
		}
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				c.read(decl)
			}
		}
	}
	return c, nil
}

func (c Comments) read(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		ts := spec.(*ast.TypeSpec)
		doc := ts.Doc
		if doc == nil {
			doc = decl.Doc
		}
		c.types[ts.Name.Name] = oneLine(doc)
		st, ok := ts.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range st.Fields.List {
			for _, name := range f.Names {
				c.fields[ts.Name.Name+"."+name.Name] = oneLine(f.Comment)
			}
		}
	}
}

// Type returns the doc comment of a type.
func (c Comments) Type(t reflect.Type) string { return c.types[t.Name()] }

// Field returns the line comment of the member that the wire calls name.
func (c Comments) Field(t reflect.Type, name string) string {
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("json"); tag == name || tag == name+",omitzero" {
			return c.fields[t.Name()+"."+t.Field(i).Name]
		}
	}
	return ""
}

// oneLine joins a comment's lines and strips the brackets of its doc links.
func oneLine(g *ast.CommentGroup) string {
	text := strings.Join(strings.Fields(g.Text()), " ")
	return strings.NewReplacer("[", "", "]", "").Replace(text)
}
