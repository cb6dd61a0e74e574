package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"hardway/provision/addr"
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
	// Resources stand in place of the snapshot's: without the long texts that
	// several of them have, which are in Texts by digest.
	Resources map[addr.Address]storedRecord `json:"resources,omitempty"`
	Texts     map[string]string             `json:"texts,omitempty"`
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
	doc := document{Format: Format, SHA256: sumZeros, Snapshot: s}
	doc.Resources, doc.Texts = share(s.Resources)
	if err := e.Encode(doc); err != nil {
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
	var doc document
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a field we do not know would be lost at the next write
	err := d.Decode(&doc)
	if err != nil || doc.Format != Format {
		return Snapshot{}, wrongFormat(data, err)
	}
	if doc.Snapshot.Resources, err = join(doc.Resources, doc.Texts); err == nil {
		err = doc.Snapshot.check()
	}
	if err != nil {
		return Snapshot{}, &DamagedError{What: "snapshot", Reason: err.Error()}
	}
	for _, r := range doc.Snapshot.Resources {
		compact(r.Spec)
	}
	return doc.Snapshot, nil
}

// wrongFormat says whether a newer hardway wrote what could not be decoded, or
// whether it is damaged.
func wrongFormat(data []byte, decoding error) error {
	var head struct {
		Format int    `json:"format"`
		Tool   string `json:"tool"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return &DamagedError{What: "snapshot", Reason: err.Error()}
	}
	switch {
	case head.Format != Format:
		return &NewerError{What: "snapshot", Format: head.Format, Tool: head.Tool}
	case strings.Contains(decoding.Error(), "unknown field"):
		return &NewerError{What: "snapshot", Format: head.Format, Tool: head.Tool, Reason: decoding.Error()}
	}
	return &DamagedError{What: "snapshot", Reason: decoding.Error()}
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
	sum := sha256.New()
	sum.Write(data[:end-len(sumZeros)])
	_, _ = io.WriteString(sum, sumZeros)
	sum.Write(data[end:])
	if got := hex.EncodeToString(sum.Sum(nil)); got != string(data[end-len(sumZeros):end]) {
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
