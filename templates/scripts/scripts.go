// Package scripts holds the constant shell scripts that hardway runs on hosts.
//
// Each is POSIX sh for dash, coreutils, findutils and util-linux, and says in its
// head what it takes, does and answers. They never change at run time: values
// reach them as arguments and standard input. The package must never know what a
// script is used for, or how it gets to a host.
package scripts

import (
	"embed"
	"slices"
	"strings"
	"sync"
)

//go:embed *.sh
var files embed.FS

// Those that are not run by name.
const (
	prelude = "prelude"
	loop    = "loop"
	doas    = "doas"
)

// Lookup returns the whole text of a script, its prelude included, by its file's
// name without ".sh".
func Lookup(name string) (string, bool) {
	if name == loop {
		return "", false
	}
	text, ok := texts()[name]
	return text, ok
}

// texts are the loop, and the scripts with the prelude, put together once.
var texts = sync.OnceValue(func() map[string]string {
	all := map[string]string{loop: text(loop)}
	for _, name := range Names() {
		all[name] = text(prelude) + text(name)
	}
	return all
})

// Loop returns the text of the framed loop, which the bootstrap on a channel
// reads and evaluates.
func Loop() string { return texts()[loop] }

// Doas returns the text that becomes root with doas and a password, which the same
// bootstrap evaluates before the loop.
func Doas() string { return text(doas) }

// Names returns the names that Lookup knows, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil { // an embedded directory can always be read
		panic(err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".sh"); ok && name != prelude && name != loop && name != doas {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func text(name string) string {
	body, err := files.ReadFile(name + ".sh")
	if err != nil { // the constants above name embedded files
		panic(err)
	}
	return string(body)
}
