package binaries

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
)

// maxSums bounds a file of sums, in bytes.
const maxSums = 1 << 20

// published is a sum that a source publishes for a file.
type published struct {
	algorithm string // sha256 or sha512
	digest    string
	where     string // the file of sums
}

// parseSum finds the sum of the file called name in a file of sums. The forms in
// use are the bare digest (dl.k8s.io), "digest  name" for one file or many, with
// "*" before the name of a binary file, and the same inside a clear-signed text
// (runc). A list that names other files only is refused, so that swapped sums
// are found.
func parseSum(text []byte, name string) (algorithm, digest string, err error) {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(text), "?")), "\n")
	if len(lines) == 1 {
		if fields := strings.Fields(lines[0]); len(fields) == 1 {
			if a := algorithmOf(fields[0]); a != "" {
				return a, strings.ToLower(fields[0]), nil
			}
		}
	}
	var others []string
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 2 || algorithmOf(fields[0]) == "" {
			continue
		}
		file := path.Base(strings.TrimPrefix(fields[1], "*"))
		if file != name {
			others = append(others, file)
			continue
		}
		if d := strings.ToLower(fields[0]); digest != "" && digest != d {
			return "", "", fmt.Errorf("it has two sums for %s", name)
		}
		algorithm, digest = algorithmOf(fields[0]), strings.ToLower(fields[0])
	}
	switch {
	case digest != "":
		return algorithm, digest, nil
	case len(others) > 0:
		return "", "", fmt.Errorf("it has a sum for %s, but none for %s", others[0], name)
	}
	return "", "", errors.New("it holds no sha256 or sha512 sum")
}

func algorithmOf(digest string) string {
	switch d := strings.ToLower(digest); {
	case isHex(d, 64):
		return "sha256"
	case isHex(d, 128):
		return "sha512"
	}
	return ""
}

// MismatchError says that bytes are not those that were promised. Nothing of
// them stays.
type MismatchError struct {
	What      string // "kubelet 1.37.1 (amd64)"
	Source    string // where the bytes came from
	Against   string // what promised others: a file of sums, or the lock file's line
	Pinned    bool   // Against is the lock file
	Algorithm string
	Expected  string
	Actual    string
}

// Error says what was expected, what came, from where, and what to do.
func (e *MismatchError) Error() string {
	next := "the file may be incomplete or forged; run `hardway init` again, or use another source"
	if e.Pinned {
		next = "other bytes came under the same version; find out why, and only if they are right accept them with `hardway init --upgrade`"
	}
	return fmt.Sprintf("%s from %s has the %s %s, but %s says %s: nothing was installed; %s",
		e.What, e.Source, e.Algorithm, e.Actual, e.Against, e.Expected, next)
}

// elfHead is how many bytes of a program tell its machine.
const elfHead = 20

// checkMachine refuses a program for another architecture. What is no ELF
// program, such as a script, is none of its business.
func checkMachine(head []byte, arch string) error {
	if len(head) < elfHead || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	if got, want := elf.Machine(order.Uint16(head[18:])), machines()[arch]; got != want {
		return fmt.Errorf("it is a program for %s, not for %s (%s)", got, want, arch)
	}
	return nil
}
