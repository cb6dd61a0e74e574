// Agnhost is a small stand-in for the Kubernetes end-to-end test image of that name: its `netexec` command, with the
// endpoints that a network smoke test needs, on the same command line and with the same answers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if len(os.Args) < 2 || os.Args[1] != "netexec" {
		fmt.Fprintln(os.Stderr, "usage: agnhost netexec [--http-port=8080]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet("netexec", flag.ExitOnError)
	port := flags.Int("http-port", 8080, "port of the HTTP server")
	if err := flags.Parse(os.Args[2:]); err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *port); err != nil {
		log.Fatal(err)
	}
}

// serve answers until ctx ends. A pod's process 1 gets no default signal handlers, so without this a pod would take
// its whole grace period to stop.
func serve(ctx context.Context, port int) error {
	hostname, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("reading the hostname: %w", err)
	}
	server := &http.Server{
		Addr: fmt.Sprintf(":%d", port), Handler: newHandler(hostname), ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	log.Printf("Started HTTP server on port %d as %s", port, hostname)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on port %d: %w", port, err)
	}
	return nil
}
