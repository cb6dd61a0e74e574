// Package unitfile reads and writes the text of systemd units: settings, and
// command lines that systemd passes on word by word.
//
// It knows systemd's syntax (systemd.syntax(7), systemd.service(5)). It must
// never know components, flags or versions.
package unitfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// continuation puts a flag on a line of its own.
const continuation = " \\\n    "

// ErrExpansion says that a command line relies on systemd to expand a
// specifier or a variable. hardway never writes one, so that a reader who gets
// this error has an edited unit before him and should show its text instead.
var ErrExpansion = errors.New("the command line uses a specifier or variable of systemd")

// RenderExec writes an argument vector so that systemd passes exactly these
// arguments: no word splitting, no specifier, no variable, no comment.
func RenderExec(argv []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("there is no command")
	}
	if err := checkExecutable(argv[0]); err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(argv[0])
	for _, arg := range argv[1:] {
		if err := CheckValue(arg); err != nil {
			return "", err
		}
		if strings.HasPrefix(arg, "--") {
			out.WriteString(continuation)
		} else {
			out.WriteByte(' ')
		}
		out.WriteString(Quote(escapeExpansion.Replace(arg)))
	}
	return out.String(), nil
}

// escapeExpansion doubles what systemd would expand, in quotes or out.
var escapeExpansion = strings.NewReplacer("%", "%%", "$", "$$")

// checkExecutable allows only plain absolute paths: systemd reads prefixes such
// as "-" and "@" there, and expands specifiers but not variables.
func checkExecutable(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("the executable %q is not an absolute path", path)
	}
	for _, r := range path {
		if !IsPlain(r) {
			return fmt.Errorf("the path of the executable %q contains %q; use letters, digits and /._+- only", path, r)
		}
	}
	return nil
}

// IsPlain reports whether systemd reads the character as itself everywhere in a command line.
func IsPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._:=,@+-", r)
}

// Quote writes a word in double quotes unless all of it is harmless. A word
// that starts with # or ; has to be quoted even though it has no blanks: after
// a continuation systemd would take it for a comment.
func Quote(word string) string {
	harmless := word != ""
	for _, r := range word {
		if !IsPlain(r) && !strings.ContainsRune("%$*[]{}", r) {
			harmless = false
			break
		}
	}
	if harmless {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// ParseExec returns the argument vector of the main process of a unit file, as
// systemd would pass it. It is the inverse of Unit.Render. A unit with no or
// with more than one ExecStart is an error, as is one that relies on expansion
// (ErrExpansion).
//
// A program section of supervisord is read too, as RenderProgramExec wrote it.
func ParseExec(unitText string) ([]string, error) {
	if argv, program, err := parseProgramExec(unitText); program {
		return argv, err
	}
	options, err := ParseUnit(unitText)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, o := range options {
		if o.Section != "Service" || o.Name != "ExecStart" {
			continue
		}
		if o.Value == "" { // an empty setting forgets the ones before
			lines = nil
			continue
		}
		lines = append(lines, o.Value)
	}
	if len(lines) != 1 {
		return nil, fmt.Errorf("reading the command line: the unit has %d ExecStart settings, not one", len(lines))
	}
	argv, err := splitExec(lines[0])
	if err != nil {
		return nil, fmt.Errorf("reading the command line: %w", err)
	}
	if err := checkExecutable(argv[0]); err != nil {
		return nil, fmt.Errorf("reading the command line: %w", err)
	}
	return argv, nil
}

// SplitFlags divides an argument vector into the program, its flags and what is
// no flag. "--name" alone counts as "--name=true", which is what it means for a
// bool; a value in a word of its own is left in rest. Of a repeated flag the
// values are joined by a newline, which no single value can contain.
func SplitFlags(argv []string) (program string, flags map[string]string, rest []string) {
	flags = map[string]string{}
	for i, arg := range argv {
		if i == 0 {
			program = arg
			continue
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		if !isFlag || name == "" {
			rest = append(rest, arg)
			continue
		}
		name, value, hasValue := strings.Cut(name, "=")
		if !hasValue {
			value = "true"
		}
		if before, twice := flags[name]; twice {
			value = before + "\n" + value
		}
		flags[name] = value
	}
	return program, flags, rest
}

// splitExec follows systemd.service(5), section "Command lines": words, quotes,
// C escapes, then the doubled signs.
func splitExec(line string) ([]string, error) {
	var argv []string
	for rest := strings.TrimLeft(line, " \t\n"); rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		if tail, ok := strings.CutPrefix(rest, `\;`); ok && (tail == "" || strings.ContainsRune(" \t\n", rune(tail[0]))) {
			argv, rest = append(argv, ";"), tail // how a lone semicolon is written without quotes
			continue
		}
		raw, word, tail, err := nextWord(rest)
		if err != nil {
			return nil, err
		}
		if raw == ";" {
			return nil, errors.New("the line holds more than one command")
		}
		if word, err = unescapeExpansion(word); err != nil {
			return nil, err
		}
		argv = append(argv, word)
		rest = tail
	}
	if len(argv) == 0 {
		return nil, errors.New("there is no command")
	}
	return argv, nil
}

// nextWord cuts one word off, as written (raw) and as meant.
func nextWord(s string) (raw, word, tail string, err error) {
	var out strings.Builder
	var open byte // the quote we are in
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			text, size, err := cEscape(s[i+1:])
			if err != nil {
				return "", "", "", err
			}
			out.WriteString(text)
			i += size
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case open == 0 && (c == ' ' || c == '\t' || c == '\n'):
			return s[:i], out.String(), s[i:], nil
		default:
			out.WriteByte(c)
		}
	}
	if open != 0 {
		return "", "", "", errors.New("a quote is not closed")
	}
	return s, out.String(), "", nil
}

// cEscape reads what follows a backslash: its text, and how many bytes it took.
func cEscape(s string) (text string, size int, err error) {
	if s == "" {
		return "", 0, errors.New("a backslash ends the line")
	}
	const simple, meaning = `abfnrtv\"'s`, "\a\b\f\n\r\t\v\\\"' "
	if i := strings.IndexByte(simple, s[0]); i >= 0 {
		return meaning[i : i+1], 1, nil
	}
	number := func(digits string, base, want int) (uint64, error) {
		if len(digits) < want {
			return 0, fmt.Errorf(`the escape \%s is cut short`, s)
		}
		n, err := strconv.ParseUint(digits[:want], base, 32)
		if err != nil || n == 0 {
			return 0, fmt.Errorf(`unknown escape \%s`, s[:1]+digits[:want])
		}
		return n, nil
	}
	var n uint64
	switch {
	case s[0] == 'x':
		n, err = number(s[1:], 16, 2)
		return string([]byte{byte(n)}), 3, err
	case s[0] >= '0' && s[0] <= '7':
		n, err = number(s, 8, 3)
		if n > 0xff {
			err = fmt.Errorf(`the escape \%s is larger than a byte`, s[:3])
		}
		return string([]byte{byte(n)}), 3, err
	case s[0] == 'u':
		n, err = number(s[1:], 16, 4)
		size = 5
	case s[0] == 'U':
		n, err = number(s[1:], 16, 8)
		size = 9
	default:
		return "", 0, fmt.Errorf(`unknown escape \%c`, s[0])
	}
	if err == nil && (n > utf8.MaxRune || !utf8.ValidRune(rune(n))) {
		err = fmt.Errorf(`the escape \%s is no character`, s[:size])
	}
	return string(rune(n)), size, err
}

// unescapeExpansion undoes the doubling of % and $.
func unescapeExpansion(word string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(word); i++ {
		if c := word[i]; c == '%' || c == '$' {
			if i+1 == len(word) || word[i+1] != c {
				return "", fmt.Errorf("%w: %q", ErrExpansion, word)
			}
			i++
		}
		out.WriteByte(word[i])
	}
	return out.String(), nil
}

// CheckValue refuses what cannot be one argument of a command line or has no
// business in one: systemd drops a line that is not UTF-8, a newline ends it,
// and no flag of any component takes a control character.
func CheckValue(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("the value %q is not valid UTF-8", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("the value %q contains the control character %U", s, r)
		}
	}
	return nil
}
