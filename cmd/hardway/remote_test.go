package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"hardway/cmd/internal/command"
)

// Machines in memory live in the process of the test. So that a shell can run
// hardway against them, as a program among others in a pipe, the program passes
// its command line on to the test, and what comes back on to the shell.

// socketVariable is the environment variable with the path of the test's socket.
const socketVariable = "HARDWAY_TEST_SOCKET"

// request is one command line.
type request struct {
	Args  []string
	Dir   string
	Home  string
	Typed bool   // nothing is piped in: somebody sits at a terminal and says yes
	Stdin []byte // what is piped in
}

// response is what came of it.
type response struct {
	Stdout, Stderr []byte
	Code           int
}

// ask is the program's side; it returns the exit code.
func ask(socket string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "asking the test:", err)
		return 125
	}
	dir, err := os.Getwd()
	if err != nil {
		return fail(err)
	}
	q := request{Args: os.Args[1:], Dir: dir, Home: os.Getenv("HOME")}
	info, err := os.Stdin.Stat()
	if err != nil {
		return fail(err)
	}
	if q.Typed = info.Mode()&os.ModeCharDevice != 0; !q.Typed { // /dev/null stands for the terminal
		if q.Stdin, err = io.ReadAll(os.Stdin); err != nil {
			return fail(err)
		}
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return fail(err)
	}
	var r response
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		return fail(err)
	}
	_, _ = os.Stderr.Write(r.Stderr)
	if _, err := os.Stdout.Write(r.Stdout); err != nil {
		return fail(err)
	}
	return r.Code
}

// answer is the test's side: it runs what is asked, one after the other, since
// the working directory is the process's, until the test ends.
func answer(t *testing.T, socket string, c *cluster) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			var q request
			if err := json.NewDecoder(conn).Decode(&q); err == nil {
				_ = json.NewEncoder(conn).Encode(c.answer(q)) // the other side says that nothing came
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
}

func (c *cluster) answer(q request) response {
	if err := os.Chdir(q.Dir); err != nil {
		return response{Stderr: []byte(err.Error()), Code: 125}
	}
	var out, errs bytes.Buffer
	stdin := bytes.NewReader(q.Stdin)
	if q.Typed {
		stdin = bytes.NewReader([]byte("yes\n"))
	}
	code := c.run(command.Env{
		Args: q.Args, Stdin: stdin, Stdout: &out, Stderr: &errs, Environ: []string{"HOME=" + q.Home},
		Terminal: func(stream any) (int, bool) { return 80, q.Typed && stream == any(stdin) },
		Lines:    func([]string) command.Lines { return nobody{} },
	})
	return response{out.Bytes(), errs.Bytes(), code}
}

// nobody types nothing at a prompt.
type nobody struct{}

func (nobody) ReadLine(string) (string, error) { return "", io.EOF }
