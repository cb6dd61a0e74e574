package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tooBusy is how many processors others may keep busy while figures are taken.
const tooBusy = 0.5

// foreignLoad watches the machine for a while in which this process does
// nothing, and returns how many processors others keep busy. The load average
// would still hold what the compiler did a minute ago.
func foreignLoad(watch time.Duration) (float64, error) {
	before, err := busyTime()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	time.Sleep(watch)
	after, err := busyTime()
	return (after - before).Seconds() / time.Since(begun).Seconds(), err
}

// busyTime is the processor time that all of the machine has spent, from
// /proc/stat, which counts in hundredths of a second.
func busyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text))
}

func parseBusy(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 8 || f[0] != "cpu" {
		return 0, fmt.Errorf("reading /proc/stat: %q", line)
	}
	var ticks int64
	for i, v := range f[1:8] { // user nice system idle iowait irq softirq; what follows is in user already
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading /proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func TestParseBusy(t *testing.T) {
	got, err := parseBusy("cpu  100 20 3 99999 5000 0 7 0 50 0\ncpu0 1 1 1 1\n")
	if err != nil || got != 1300*time.Millisecond {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseBusy("intr 1 2"); err == nil {
		t.Error("no error for what is no line of a processor")
	}
}

// loadAverage is the first of /proc/loadavg, for the table's head.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// machine describes what the figures were taken on.
func machineLine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(text), "\n") {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), model, runtime.Version())
}
