package state

import (
	"fmt"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// sharedSize is from how many bytes on a text that stands in several resources is
// stored once: those that name every host of the cluster stand on every host, and
// a thousand of them would cost the square.
const sharedSize = 4 << 10

// storedRecord is a record whose text may stand elsewhere in the document.
type storedRecord struct {
	Record
	// Text is the digest of the record's text among the document's texts; empty
	// where the record has it itself.
	Text string `json:"text,omitempty"`
}

// textOf points at the text of a spec that may be large; nil for other kinds.
func textOf(s *resource.Spec) *string {
	switch {
	case s.File != nil:
		return &s.File.Content
	case s.Block != nil:
		return &s.Block.Content
	case s.Unit != nil:
		return &s.Unit.Content
	}
	return nil
}

// withText returns the spec with another text, and leaves the given one alone.
func withText(s resource.Spec, text string) resource.Spec {
	switch {
	case s.File != nil:
		c := *s.File
		s.File = &c
	case s.Block != nil:
		c := *s.Block
		s.Block = &c
	case s.Unit != nil:
		c := *s.Unit
		s.Unit = &c
	default:
		return s
	}
	*textOf(&s) = text
	return s
}

// share moves long texts that several records have out of them.
func share(records map[addr.Address]Record) (map[addr.Address]storedRecord, map[string]string) {
	count := map[string]int{}
	for _, r := range records {
		if t := textOf(&r.Spec); t != nil && len(*t) >= sharedSize {
			count[*t]++
		}
	}
	stored := make(map[addr.Address]storedRecord, len(records))
	texts, digests := map[string]string{}, map[string]string{}
	for a, r := range records {
		s := storedRecord{Record: r}
		if t := textOf(&r.Spec); t != nil && count[*t] > 1 {
			if digests[*t] == "" {
				digests[*t] = resource.SHA256([]byte(*t))
				texts[digests[*t]] = *t
			}
			s.Text, s.Spec = digests[*t], withText(r.Spec, "")
		}
		stored[a] = s
	}
	return stored, texts
}

// join puts the texts back; all records with one text have it in one place of
// the memory.
func join(stored map[addr.Address]storedRecord, texts map[string]string) (map[addr.Address]Record, error) {
	for digest, text := range texts {
		if digest != resource.SHA256([]byte(text)) {
			return nil, fmt.Errorf("text %.12s is another one", digest)
		}
	}
	if stored == nil {
		return nil, nil
	}
	records := make(map[addr.Address]Record, len(stored))
	for a, s := range stored {
		if s.Text != "" {
			text, ok := texts[s.Text]
			into := textOf(&s.Spec)
			if !ok || into == nil || *into != "" {
				return nil, fmt.Errorf("%s has no text %.12s", a, s.Text)
			}
			*into = text
		}
		records[a] = s.Record
	}
	return records, nil
}
