package ssh

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// request is one frame to the loop; see templates/scripts/loop.sh.
type request struct {
	script     string
	body       string // the script's text, the first time it is used on a channel
	args       []string
	generation int64 // that the host must have, or 0
	max        int   // bytes of output per stream, or 0 for little by construction
	stdin      io.Reader
	size       int64 // of stdin
}

// answer is one frame back.
type answer struct {
	status         int
	stdout, stderr []byte
	cut            bool // there was more output than max
}

// smallOutput bounds what a script may print that prints little by construction.
const smallOutput = 1 << 20

// errProtocol is an answer that is not one: something else writes on the
// channel, or the host lies.
var errProtocol = errors.New("the host answered something that is not in the protocol")

// check refuses what a frame cannot carry.
func (r request) check() error {
	for _, a := range r.args {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("an argument of script %s holds a NUL byte", r.script)
		}
	}
	return nil
}

// writeHead writes the frame up to, not including, the standard input.
func (r request) writeHead(w *bufio.Writer, id uint64) {
	_, _ = fmt.Fprintf(w, "Q %d %d %s %d %d %d %d\n", id, r.generation, r.script, r.max, len(r.body), len(r.args), r.size)
	_, _ = w.WriteString(r.body)
	for _, a := range r.args {
		escape(w, a)
		_ = w.WriteByte('\n')
	}
}

// escape writes an argument so that it is one line and means itself to printf %b.
// It could travel by length like everything else, at the price of a process on
// the host for every argument.
func escape(b *bufio.Writer, s string) {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/.,:=_@%+-", c) >= 0:
			_ = b.WriteByte(c)
		default:
			_, _ = fmt.Fprintf(b, `\0%03o`, c)
		}
	}
}

// readAnswer reads the answer to request id. It never holds more than limit
// bytes a stream, whatever lengths are announced.
func readAnswer(r *bufio.Reader, id uint64, limit int) (answer, error) {
	line, err := readLine(r, 128)
	if err != nil {
		return answer{}, err
	}
	var got uint64
	var status, out, errs int
	f := strings.Split(line, " ")
	if len(f) != 5 || f[0] != "A" {
		return answer{}, fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
	}
	for i, to := range []*int{nil, &status, &out, &errs} {
		if to == nil {
			got, err = strconv.ParseUint(f[1], 10, 64)
		} else {
			*to, err = strconv.Atoi(f[i+1])
		}
		if err != nil {
			return answer{}, fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
		}
	}
	if got != id || status < 0 || status > 255 || out < 0 || errs < 0 || out > limit+1 || errs > limit+1 {
		return answer{}, fmt.Errorf("%w: %q to request %d", errProtocol, line, id)
	}
	a := answer{status: status}
	if a.stdout, err = readN(r, out); err != nil {
		return answer{}, err
	}
	if a.stderr, err = readN(r, errs); err != nil {
		return answer{}, err
	}
	a.cut = out > limit || errs > limit
	a.stdout = a.stdout[:min(out, limit)]
	a.stderr = a.stderr[:min(errs, limit)]
	return a, nil
}

// readLine reads up to a newline, and no more than limit bytes.
func readLine(r *bufio.Reader, limit int) (string, error) {
	var line []byte
	for len(line) <= limit {
		c, err := r.ReadByte()
		if err != nil {
			return string(line), err
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
	return string(line), fmt.Errorf("%w: %q", errProtocol, printable(string(line), 80))
}

// readN reads n bytes, taking memory only as they arrive.
func readN(r io.Reader, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	b.Grow(min(n, 64<<10) + bytes.MinRead) // ReadFrom looks for the end behind it
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
