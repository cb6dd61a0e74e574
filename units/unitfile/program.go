package unitfile

import (
	"errors"
	"fmt"
	"strings"
)

// ProgramName is what stands as $0 of the shell that prepares a program of
// supervisord, so that its command line can be told from the program's own.
const ProgramName = "hardway"

// RenderProgramExec writes an argument vector as the value of command= in a
// program section of supervisord, which takes it apart with Python's shlex after
// expanding "%" (supervisor/options.py). Flags stand on lines of their own.
func RenderProgramExec(argv []string) (string, error) {
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
			out.WriteString("\n    ")
		} else {
			out.WriteByte(' ')
		}
		out.WriteString(quoteProgram(arg))
	}
	return out.String(), nil
}

// quoteProgram writes a word for shlex. A blank before ";" or "#" would begin a
// comment even inside quotes, because the file is read line by line first.
func quoteProgram(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	harmless := word != ""
	for _, r := range word {
		if !IsPlain(r) && r != '%' {
			harmless = false
		}
	}
	if harmless {
		return word
	}
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word)
	for _, mark := range []string{";", "#"} {
		for _, blank := range []string{" ", "\t"} {
			word = strings.ReplaceAll(word, blank+mark, blank+`""`+mark)
		}
	}
	return `"` + word + `"`
}

// RenderProgramVariable writes one NAME="value" of environment=, whose values
// supervisord can carry neither quotes nor backslashes in.
func RenderProgramVariable(name, value string) (string, error) {
	if err := CheckValue(value); err != nil {
		return "", err
	}
	if strings.ContainsAny(value, "\"\\'") || strings.Contains(value, " ;") || strings.Contains(value, " #") {
		return "", fmt.Errorf("the value %q of %s cannot stand in a program of supervisord", value, name)
	}
	return name + `="` + strings.ReplaceAll(value, "%", "%%") + `"`, nil
}

// parseProgramExec returns the argument vector of a program section, without the
// shell that prepares it; false when the text is no such section.
func parseProgramExec(text string) ([]string, bool, error) {
	if !strings.Contains("\n"+text, "\n[program:") {
		return nil, false, nil
	}
	command, inside := "", false
	for line := range strings.SplitSeq(text, "\n") {
		value, begins := strings.CutPrefix(line, "command=")
		switch {
		case begins:
			command, inside = value, true
		case inside && strings.HasPrefix(line, " "):
			command += "\n" + line
		default:
			inside = false
		}
	}
	var argv []string
	for rest := strings.TrimLeft(command, " \t\n"); rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		word, tail, err := shlexWord(rest)
		if err != nil {
			return nil, true, fmt.Errorf("reading the command line: %w", err)
		}
		argv, rest = append(argv, strings.ReplaceAll(word, "%%", "%")), tail
	}
	if len(argv) > 4 && argv[1] == "-c" && argv[3] == ProgramName {
		argv = argv[4:]
	}
	if len(argv) == 0 {
		return nil, true, errors.New("reading the command line: the program has no command")
	}
	return argv, true, nil
}

// shlexWord cuts one word off as Python's shlex does in its POSIX mode.
func shlexWord(s string) (word, tail string, err error) {
	var out strings.Builder
	var open byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case open != '\'' && c == '\\':
			if i++; i == len(s) {
				return "", "", errors.New("it ends in a backslash")
			}
			if open == '"' && s[i] != '"' && s[i] != '\\' {
				out.WriteByte('\\')
			}
			out.WriteByte(s[i])
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case open == 0 && (c == ' ' || c == '\t' || c == '\n'):
			return out.String(), s[i:], nil
		default:
			out.WriteByte(c)
		}
	}
	if open != 0 {
		return "", "", errors.New("a quote is not closed")
	}
	return out.String(), "", nil
}
