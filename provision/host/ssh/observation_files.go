package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"hardway/provision/facts"
)

// readingError is a file that was not the same throughout one observation. It
// says nothing about the host; another observation may well succeed.
type readingError struct{ path string }

func (e *readingError) Error() string { return e.path + " changed while it was read; try again" }

// known are the contents that need not travel, by path. sha256sum writes a path
// with a backslash in another way than find does, and what is asked for twice
// may be asked for in two ways: those travel.
func known(req facts.Request) map[string]*facts.Known {
	out := make(map[string]*facts.Known, len(req.Files))
	for _, f := range req.Files {
		_, twice := out[f.Path]
		if twice || !f.Content || f.Certificates || f.Known == nil || len(f.Known.Content) > facts.MaxContent || strings.Contains(f.Path, `\`) {
			out[f.Path] = nil
			continue
		}
		out[f.Path] = f.Known
	}
	return out
}

// file takes path, type, octal mode, owner, group, size and link target, as find
// prints them.
func (p *observationParser) file(f []string) error {
	path, asked := p.asked[f[0]]
	if !asked {
		return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(f[0], 80))
	}
	mode, err := strconv.ParseUint(f[2], 8, 12)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(f[5], 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("%w: size %q", errProtocol, printable(f[5], 20))
	}
	file := facts.File{Type: facts.Other, Mode: uint32(mode), Owner: own(f[3]), Group: own(f[4]), Size: size}
	switch f[1] {
	case "f":
		file.Type = facts.Regular
	case "d":
		file.Type = facts.Directory
	case "l":
		file.Type, file.Target = facts.Symlink, own(f[6])
	}
	p.obs.Files[path] = file
	p.order = append(p.order, path)
	return nil
}

// digests takes what sha256sum prints: digest, two blanks, path. Where the path
// has a backslash, each stands twice and one more before the line.
func (p *observationParser) digests(text string) {
	for line := range strings.Lines(text) {
		line, escaped := strings.CutPrefix(strings.TrimSuffix(line, "\n"), `\`)
		if len(line) <= 66 || line[64:66] != "  " {
			continue
		}
		path := line[66:]
		if escaped {
			path = strings.ReplaceAll(path, `\\`, `\`)
		}
		p.sums[path] = line[:64]
	}
}

// finishFiles joins what the records say of each file.
func (p *observationParser) finishFiles() error {
	had := known(p.req)
	if err := p.split(had); err != nil {
		return err
	}
	for _, asked := range p.req.Files {
		path := asked.Path
		f, ok := p.obs.Files[path]
		if !ok {
			f.Type = facts.Absent
		}
		f.Mount = p.mounts[path]
		if f.Type == facts.Regular {
			sum := p.sums[path]
			if len(sum) != 64 {
				return &readingError{path}
			}
			f = p.withContent(f, asked, sum, had[path])
		}
		if b, ok := p.pems[path]; ok && asked.Certificates && len(b) <= facts.MaxContent {
			f.Content = b
		}
		f.Empty = f.Type == facts.Directory && p.empty[path]
		p.obs.Files[path] = f
	}
	return nil
}

// withContent adds the digest of a regular file and its content, if that was
// asked for: what is known already, or what came.
func (p *observationParser) withContent(f facts.File, asked facts.FileRequest, sum string, had *facts.Known) facts.File {
	if had.Is(sum) {
		f.Content, f.Size, f.SHA256 = had.Content, int64(len(had.Content)), had.SHA256
		return f
	}
	f.SHA256 = own(sum)
	if !asked.Content || asked.Certificates {
		return f
	}
	if b, ok := p.pieces[asked.Path]; ok {
		f.Content = b
	} else if b, ok := p.contents[asked.Path]; ok && len(b) <= facts.MaxContent {
		// The content is the later reading. What was read whole speaks for itself.
		sum := sha256.Sum256(b)
		f.Content, f.Size, f.SHA256 = b, int64(len(b)), hex.EncodeToString(sum[:])
	}
	return f
}

// split cuts the joined contents into those of the files, by the sizes that the
// file records have. The digest, which was taken in between, tells whether a
// piece is the file's, and which files were left out because they are known.
func (p *observationParser) split(had map[string]*facts.Known) error {
	wanted := map[string]bool{}
	for _, f := range p.req.Files {
		if f.Content && !f.Certificates {
			wanted[f.Path] = true
		}
	}
	rest, last := p.joined, "a file"
	for _, path := range p.order {
		f := p.obs.Files[path]
		if !wanted[path] || f.Type != facts.Regular || f.Size == 0 || f.Size > facts.MaxContent || had[path].Is(p.sums[path]) {
			continue
		}
		if int64(len(rest)) < f.Size {
			return &readingError{path}
		}
		content := rest[:f.Size:f.Size]
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != p.sums[path] {
			return &readingError{path}
		}
		p.pieces[path], rest, last = content, rest[f.Size:], path
	}
	if len(rest) > 0 {
		return &readingError{last}
	}
	return nil
}

// tagged goes through lines that sed chose: a file's name, then its lines, each
// behind a colon.
func tagged(text string, each func(path, line string) error) error {
	path := ""
	for line := range strings.Lines(text) {
		content, ok := strings.CutPrefix(line, ":")
		switch {
		case !ok:
			path, content = strings.TrimSuffix(line, "\n"), ""
		case path == "":
			return errProtocol
		default:
			content = strings.TrimSuffix(content, "\n") + "\n"
		}
		if err := each(path, content); err != nil {
			return err
		}
	}
	return nil
}

// certificates takes the CERTIFICATE blocks of files.
func (p *observationParser) certificates(text string) error {
	return tagged(text, func(path, line string) error {
		asked, ok := p.asked[path]
		if !ok {
			return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(path, 80))
		}
		if line != "" {
			p.pems[asked] = append(p.pems[asked], line...)
		}
		return nil
	})
}
