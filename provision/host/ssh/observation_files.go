package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"hardway/provision/facts"
)

// readingError is a file that was not the same throughout one observation. It
// says nothing about the host; another observation may well succeed.
type readingError struct{ path string }

func (e *readingError) Error() string { return e.path + " changed while it was read; try again" }

// split cuts the joined contents into those of the files, by the sizes that the
// file records have. The digest, which was taken in between, tells whether a
// piece is the file's.
func (p *observationParser) split() error {
	wanted := map[string]bool{}
	for _, f := range p.req.Files {
		if f.Content && !f.Certificates {
			wanted[f.Path] = true
		}
	}
	rest, last := p.joined, "a file"
	for _, path := range p.order {
		f := p.obs.Files[path]
		if !wanted[path] || f.Type != facts.Regular || f.Size == 0 || f.Size > facts.MaxContent {
			continue
		}
		if int64(len(rest)) < f.Size {
			return &readingError{path}
		}
		content := rest[:f.Size:f.Size]
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != p.sums[path] {
			return &readingError{path}
		}
		p.contents[path], rest, last = content, rest[f.Size:], path
	}
	if len(rest) > 0 {
		return &readingError{last}
	}
	return nil
}

// certificates takes the lines that sed chose: a file's name, then its lines,
// each behind a colon.
func (p *observationParser) certificates(text string) error {
	path := ""
	for line := range strings.Lines(text) {
		content, ok := strings.CutPrefix(line, ":")
		switch {
		case !ok:
			if path = strings.TrimSuffix(line, "\n"); !p.asked[path] {
				return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(path, 80))
			}
		case path == "":
			return errProtocol
		default:
			p.pems[path] = append(p.pems[path], strings.TrimSuffix(content, "\n")+"\n"...)
		}
	}
	return nil
}
