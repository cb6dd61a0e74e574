package view

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// columns counts the columns that a text without escape sequences takes.
func columns(s string) int { return utf8.RuneCountInString(s) }

// wrap breaks prose at spaces so that no line is wider than width, when a line
// has a space to break at. Continuation lines start with indent; width 0 keeps
// the text on one line.
func wrap(text string, width int, indent string) string {
	if width <= 0 {
		return text
	}
	return strings.Join(fill(strings.Fields(text), " ", width, indent), "\n")
}

// fill lays pieces out on as few lines as fit into width, sep between them.
func fill(pieces []string, sep string, width int, indent string) []string {
	var lines []string
	line := ""
	for _, p := range pieces {
		switch {
		case line == "" && len(lines) == 0:
			line = p
		case line == "":
			line = indent + p
		case width > 0 && columns(line)+columns(sep)+columns(p) > width:
			lines = append(lines, strings.TrimRight(line, " "))
			line = indent + p
		default:
			line += sep + p
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// cell is one field of a table; paint, when set, colours it after padding.
type cell struct {
	text  string
	paint func(string) string
}

// table lays rows out in columns of their own width, three spaces apart as
// kubectl does. The last column is not padded; with width > 0 it is cut there.
func table(header []string, rows [][]cell, width int) string {
	widths := make([]int, len(header))
	for i, h := range header {
		widths[i] = columns(h)
	}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	var b strings.Builder
	line := func(row []cell) {
		var l strings.Builder
		used := 0
		for i, c := range row {
			text := c.text
			if i < len(row)-1 {
				text += strings.Repeat(" ", widths[i]-columns(text)+3)
			} else if width > 0 {
				text = cut(text, max(width-used, 10))
			}
			used += columns(text)
			if c.paint != nil && c.text != "" {
				// padding stays unpainted, so that trailing space can be trimmed
				word := strings.TrimRight(text, " ")
				text = c.paint(word) + text[len(word):]
			}
			l.WriteString(text)
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	head := make([]cell, len(header))
	for i, h := range header {
		head[i] = cell{text: h}
	}
	line(head)
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// cut shortens a text to width columns and marks that it did.
func cut(s string, width int) string {
	if columns(s) <= width {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max(width-1, 0)]), " ") + "…"
}

// number writes "1 file" or "3 files".
func number(n int, singular string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %ss", n, singular)
}

// conjoined joins clauses: "a", "a, and b", "a, b, and c".
func conjoined(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + ", and " + parts[len(parts)-1]
}

// size writes a number of bytes in decimal units, as download pages do.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// seconds writes a duration as Terraform does: whole seconds, "1m5s".
func seconds(d time.Duration) string { return d.Truncate(time.Second).String() }

// Brief writes a duration with the precision that a person can use.
func Brief(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
