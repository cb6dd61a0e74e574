package provision_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// allFaults takes some minutes: every way of going wrong at every operation,
// instead of two ways that change from one operation to the next.
var allFaults = flag.Bool("faults", false, "inject every fault at every operation")

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // thousands of small worlds that are gone at once
	os.Exit(m.Run())
}
