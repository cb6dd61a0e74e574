// Pause holds a pod's namespaces: it sleeps until it is told to stop and, as the pod's process 1, reaps what is
// orphaned to it. It does what upstream's pause container does.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is of this stand-in, and the image's tag.
const version = "1"

func main() {
	show := flag.Bool("v", false, "print the version and exit")
	flag.Parse()
	if *show {
		fmt.Println("hardway pause", version)
		return
	}
	if pid := os.Getpid(); pid != 1 {
		fmt.Fprintln(os.Stderr, "warning: pause should be the first process, and is", pid)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			fmt.Fprintln(os.Stderr, "shutting down, got signal:", received)
			return
		}
		reap()
	}
}

// reap collects every child that has ended. Signals merge, so one SIGCHLD may stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
	}
}
