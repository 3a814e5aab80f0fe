package mail

import (
	"html"
	"strings"
)

// htmlPart makes a page of the text: blank lines part paragraphs, the link is a
// link whose text is itself, so that the reader sees where it goes, and all else
// is escaped. It loads nothing from anywhere.
func htmlPart(subject, text, link string) string {
	href := html.EscapeString(link)
	anchor := `<a href="` + href + `">` + href + `</a>`
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>")
	b.WriteString(html.EscapeString(subject))
	b.WriteString("</title>\n</head>\n<body>\n")
	for _, paragraph := range paragraphs(text) {
		b.WriteString("<p>")
		for i, line := range paragraph {
			if i > 0 {
				b.WriteString("<br>\n")
			}
			for j, plain := range strings.Split(line, link) {
				if j > 0 {
					b.WriteString(anchor)
				}
				b.WriteString(html.EscapeString(plain))
			}
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

// paragraphs returns the lines of text, grouped at blank ones.
func paragraphs(text string) [][]string {
	var all [][]string
	var lines []string
	for line := range strings.SplitSeq(text+"\n", "\n") {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
			continue
		}
		if lines != nil {
			all = append(all, lines)
			lines = nil
		}
	}
	if lines != nil {
		all = append(all, lines)
	}
	return all
}
