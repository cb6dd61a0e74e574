package command

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
)

// ignoreName is the file beside the configuration that lists what is no drift.
const ignoreName = ".hardwayignore"

// readIgnore reads the addresses of an ignore file. Unless it was asked for by
// name, it need not be there.
func readIgnore(path string, must bool) ([]addr.Address, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if must {
			return nil, &view.Problem{Summary: "There is no ignore file " + quoted(path), Next: "Give --ignore-file a file with one address a line.", Err: err}
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ignore file: %w", err)
	}
	return parseIgnore(path, text)
}

// parseIgnore reads one address a line. Errors name the file and the line.
func parseIgnore(path string, text []byte) ([]addr.Address, error) {
	var out []addr.Address
	var errs []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(withoutComment(lines.Text()))
		if line == "" {
			continue
		}
		at, err := addr.Parse(line)
		if err != nil {
			errs = append(errs, &view.Problem{Summary: fmt.Sprintf("%s:%d: not an address", path, n), Detail: err.Error(), Err: err,
				Next: "Name a host, a kind or a resource as \"hardway drift\" shows it, one a line:\n  node[\"n1\"].file[\"containerd\"]"})
			continue
		}
		out = append(out, at)
	}
	return out, errors.Join(append(errs, lines.Err())...)
}

// withoutComment cuts a line at the first # that stands outside of quotes.
func withoutComment(line string) string {
	quotes := false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			quotes = !quotes
		case '\\':
			if quotes {
				i++
			}
		case '#':
			if !quotes {
				return line[:i]
			}
		}
	}
	return line
}
