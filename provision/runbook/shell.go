package runbook

import (
	"fmt"
	"strconv"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// script collects the lines of a block.
type script struct{ strings.Builder }

func (s *script) line(format string, args ...any) {
	fmt.Fprintf(&s.Builder, format+"\n", args...)
}

// block ends a script.
func (s *script) block(where addr.Host) Block { return Block{Where: where, Shell: s.String()} }

// here feeds a text to a command, byte for byte.
func (s *script) here(command, text string) {
	if text != "" && !strings.HasSuffix(text, "\n") { // a here-document always ends in a newline
		s.line("printf %%s %s | %s", quote(text), command)
		return
	}
	mark := "EOF"
	for n := 2; strings.Contains("\n"+text, "\n"+mark+"\n"); n++ {
		mark = "EOF" + strconv.Itoa(n)
	}
	s.line("%s <<'%s'\n%s%s", command, mark, text, mark)
}

// file writes a file with its mode and owner.
func (s *script) file(path string, m resource.Meta, text string) {
	s.here("install "+meta(m)+" /dev/stdin "+quote(path), text)
}

// meta are install's options for mode and owner.
func meta(m resource.Meta) string {
	return fmt.Sprintf("-m %04o -o %s -g %s", m.Mode, quote(m.Owner), quote(m.Group))
}

// harmless are the bytes that mean nothing to a shell anywhere in a word.
const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,"

// quote makes one word of a text.
func quote(text string) string {
	if text != "" && strings.Trim(text, harmless) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func quoted(argv []string) []string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = quote(a)
	}
	return out
}

func words(argv []string) string { return strings.Join(quoted(argv), " ") }

// plainName makes a file name of a name that may hold anything.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", r) {
			return r
		}
		return '-'
	}, name)
}

// workstation begins a block on the workstation: in its directory, where nobody
// else may read.
func (w *writer) workstation() *script {
	s := &script{}
	s.line("cd %s && umask 077", w.dir)
	return s
}

// ssh is the command that runs something on a host as the login user.
func (w *writer) ssh(h addr.Host) string {
	host := w.hosts[h]
	out := "ssh "
	if host.Port != 0 && host.Port != 22 {
		out += "-p " + strconv.Itoa(host.Port) + " "
	}
	if len(host.Jumps) > 0 {
		out += "-J " + quote(strings.Join(host.Jumps, ",")) + " "
	}
	return out + quote(host.User+"@"+host.Address)
}

// home is the login user's home directory on a host, as a word of shell.
func (w *writer) home(h addr.Host) string {
	user := w.hosts[h].User
	if user != "" && strings.Trim(user, "abcdefghijklmnopqrstuvwxyz0123456789_-") == "" && user[0] >= 'a' {
		return "~" + user
	}
	return `"$(getent passwd ` + quote(user) + ` | cut -d: -f6)"`
}
