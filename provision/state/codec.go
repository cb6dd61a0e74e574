package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"hardway/provision/resource"
)

// Format is the version of the snapshot's and the journal's encoding.
const Format = 1

// MaxSize bounds a snapshot file and a journal, in bytes: 1,000 hosts have some 150 MB.
const MaxSize = 512 << 20

// document is a snapshot as it is stored: indented JSON whose first lines,
// format and sha256, keep their place in every format to come. The checksum
// covers every byte of the file, itself taken as zeros: a change of any byte is
// found before anything is decoded.
type document struct {
	Format int    `json:"format"`
	SHA256 string `json:"sha256"`
	Snapshot
}

var (
	sumPrefix = []byte(`"sha256": "`)
	sumZeros  = strings.Repeat("0", 64)
)

// Encode returns the stored form of a snapshot: the same bytes for the same snapshot.
func Encode(s Snapshot) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document{Format: Format, SHA256: sumZeros, Snapshot: s}); err != nil {
		return nil, fmt.Errorf("encoding the state: %w", err)
	}
	data := b.Bytes()
	if len(data) > MaxSize { // rather than something that could not be read back
		return nil, fmt.Errorf("encoding the state: it is larger than %d MiB; fewer hosts in one directory make a smaller one", MaxSize>>20)
	}
	at := bytes.Index(data, sumPrefix) + len(sumPrefix)
	copy(data[at:], resource.SHA256(data))
	return data, nil
}

// Decode reads a snapshot and checks all of it. The errors are *DamagedError
// and *NewerError, without a path: the store that read the bytes adds its own.
func Decode(data []byte) (Snapshot, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: "it is empty"}
	}
	if len(data) > MaxSize {
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: fmt.Sprintf("it is larger than %d MiB", MaxSize>>20)}
	}
	if err := checkSum(data); err != nil {
		return Snapshot{}, err
	}
	var head struct {
		Format int    `json:"format"`
		Tool   string `json:"tool"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: err.Error()}
	}
	if head.Format != Format {
		return Snapshot{}, &NewerError{What: "snapshot", Format: head.Format, Tool: head.Tool}
	}
	var doc document
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a field we do not know would be lost at the next write
	if err := d.Decode(&doc); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return Snapshot{}, &NewerError{What: "snapshot", Format: head.Format, Tool: head.Tool, Reason: err.Error()}
		}
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: err.Error()}
	}
	if err := doc.Snapshot.check(); err != nil {
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: err.Error()}
	}
	for _, r := range doc.Resources {
		compact(r.Spec)
	}
	return doc.Snapshot, nil
}

// compact undoes the indentation that storing gave to a manifest.
func compact(s resource.Spec) {
	if s.Object == nil {
		return
	}
	var b bytes.Buffer
	if json.Compact(&b, s.Object.Manifest) == nil {
		s.Object.Manifest = b.Bytes()
	}
}

func checkSum(data []byte) error {
	at := bytes.Index(data, sumPrefix)
	end := at + len(sumPrefix) + len(sumZeros)
	if at < 0 || end > len(data) {
		return &DamagedError{What: "snapshot", Reason: "it has no checksum"}
	}
	zeroed := bytes.Clone(data)
	copy(zeroed[end-len(sumZeros):end], sumZeros)
	if got := resource.SHA256(zeroed); got != string(data[end-len(sumZeros):end]) {
		return &DamagedError{What: "snapshot", Reason: "its checksum does not match its content"}
	}
	return nil
}

// check holds what every snapshot must be, whoever wrote it.
func (s Snapshot) check() error {
	if s.Lineage == "" || s.Cluster == "" {
		return errors.New("it has no lineage or no cluster name")
	}
	for _, a := range s.Addresses() {
		if r := s.Resources[a]; string(r.Spec.Kind()) != a.Kind {
			return fmt.Errorf("%s holds a resource of the kind %q", a, r.Spec.Kind())
		}
	}
	return nil
}
