package provision_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// allFaults takes some minutes: everything that can go wrong at each operation,
// and a death before and after each, instead of a choice of them.
var allFaults = flag.Bool("faults", false, "inject every fault at every operation")

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // thousands of small worlds that are gone at once
	os.Exit(m.Run())
}
