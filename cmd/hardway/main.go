// Command hardway builds Kubernetes clusters the hard way: HCL in, plan, apply
// over SSH, verify.
//
// It knows the process it runs in: streams, terminals, signals, the exit code.
// Everything else is package command's.
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"hardway/cmd/internal/command"
)

// version is set by the linker in releases.
var version string

func main() { os.Exit(run()) }

func run() int {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	return command.Run(command.Env{
		Args:       os.Args[1:],
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Environ:    os.Environ(),
		Terminal:   terminal,
		Now:        time.Now,
		Version:    versionText(),
		Interrupts: interrupts,
		Exit:       os.Exit,
		Secret:     secret,
		Open:       command.Open,
		Lines:      lines,
	})
}

// terminal returns the width of the terminal that a stream is, if it is one.
func terminal(stream any) (columns int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		columns = 0 // a terminal that does not tell its size
	}
	return columns, true
}

// versionText is the linker's version, else the module's, else "dev" with the
// commit that the build was made from.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case !ok:
		return "dev"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev+" + s.Value[:12]
		}
	}
	return "dev"
}
