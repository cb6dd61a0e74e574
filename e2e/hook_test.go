//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hookDir, in the environment, makes this program the hook of a binary with
// fault points instead of a test: the directory has what the hook remembers.
const hookDir = "HARDWAY_E2E_HOOK_DIR"

// The files of a hook's directory.
const (
	hookLock    = "lock"    // held while a hook decides
	hookRule    = "rule"    // kill, restart or hold, and how often: "kill 7 3" is every 7th new point, counted from the 3rd on
	hookCovered = "covered" // the labels that were met before, one a line
	hookActed   = "acted"   // the labels at which something was done, one a line
	hookPoints  = "points"  // one byte a point that was passed
	hookDead    = "dead"    // the processes that were killed, one a line
	hookGo      = "go"      // lets a process go on that is held
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(hookDir); dir != "" && len(os.Args) == 6 {
		if err := hook(dir, os.Args[1], os.Args[2], os.Args[3], os.Args[5]); err != nil {
			fmt.Fprintln(os.Stderr, "hook:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hook is what happens at one point: nothing where its label was met before; at
// some of the new ones, what the rule says.
func hook(dir, where, step, when, pid string) error {
	lock, err := os.OpenFile(filepath.Join(dir, hookLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	rule, every, offset, err := readRule(dir)
	if err != nil {
		return err
	}
	if rule == "hold" {
		return hold(dir, where+" | "+step+" | "+when)
	}
	process, err := processID(pid)
	if err != nil || slices.Contains(readLines(dir, hookDead), process) {
		return nil // another point has killed it, and this one was never passed
	}
	if err := appendTo(dir, hookPoints, "."); err != nil {
		return err
	}
	label := where + " | " + step + " | " + when
	covered := readLines(dir, hookCovered)
	if slices.Contains(covered, label) {
		return nil
	}
	if err := appendTo(dir, hookCovered, label+"\n"); err != nil {
		return err
	}
	if (len(covered)+offset)%every != 0 {
		return nil
	}
	switch rule {
	case "kill":
		if err := errors.Join(appendTo(dir, hookActed, label+"\n"), appendTo(dir, hookDead, process+"\n")); err != nil {
			return err
		}
		n, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		return syscall.Kill(n, syscall.SIGKILL)
	case "restart":
		host := hostName(where)
		if host == "" { // the state's: no host is meant
			return nil
		}
		if err := appendTo(dir, hookActed, label+"\n"); err != nil {
			return err
		}
		return restartHost(host)
	}
	return fmt.Errorf("unknown rule %q", rule)
}

// processID tells a process from all that had its number before: with it goes when
// it was started. It is an error once the process is gone.
func processID(pid string) (string, error) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	const started = 22 - 3 // proc(5) counts from 1, and the first two are cut off
	if len(fields) <= started {
		return "", fmt.Errorf("/proc/%s/stat: %q", pid, b)
	}
	return pid + " " + fields[started], nil
}

// hold keeps the process waiting, once, when it has taken the lock of the last host.
func hold(dir, label string) error {
	if label != `node["n2"] | lock | after` {
		return nil
	}
	if err := appendTo(dir, hookActed, label+"\n"); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, hookGo)); err == nil {
			return nil
		}
	}
	return errors.New("nobody let the process go on")
}

// readRule reads what to do, and at how many of the new points.
func readRule(dir string) (rule string, every, offset int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, hookRule))
	if err != nil {
		return "", 0, 0, err
	}
	_, err = fmt.Sscanf(string(b), "%s %d %d", &rule, &every, &offset)
	return rule, every, offset, err
}

// hostName is the m1 of master["m1"], and empty for what is no host.
func hostName(where string) string {
	_, rest, ok := strings.Cut(where, `["`)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, `"]`)
	return name
}

// restartHost cuts a host's power and gives it back.
func restartHost(name string) error {
	if out, err := exec.Command("docker", "kill", "hardway-"+name).CombinedOutput(); err != nil {
		return fmt.Errorf("docker kill: %w: %s", err, out)
	}
	return startHost(name)
}

// startHost starts a host that is down and waits until its sshd greets.
func startHost(name string) error {
	if out, err := exec.Command("docker", "start", "hardway-"+name).CombinedOutput(); err != nil {
		return fmt.Errorf("docker start: %w: %s", err, out)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if exec.Command("docker", "exec", "hardway-"+name, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3 | grep -q SSH").Run() == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: no sshd a minute after its start", name)
}

// readLines reads a file of the hook's directory; one that is not there has no lines.
func readLines(dir, name string) []string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

func appendTo(dir, name, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
