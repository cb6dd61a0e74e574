package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hardway": func() {
		if socket := os.Getenv(socketVariable); socket != "" {
			os.Exit(ask(socket))
		}
		version = "0.0.0-test"
		os.Exit(run())
	}})
}

// The scripts drive the real main, each command in a process of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
	})
}
