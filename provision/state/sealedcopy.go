package state

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// A sealed copy is a whole snapshot in its stored form, compressed and encrypted
// to the recipients. Masters keep one, for the day when the laptop that had the
// state is gone. Its lineage, serial and checksum are inside, so a copy is what
// it says or it does not open.

// SealSnapshot returns the sealed copy of a snapshot for the recipients (age1…).
// No identity is needed for it. Two copies of one snapshot differ.
func SealSnapshot(s Snapshot, recipients []string) ([]byte, error) {
	to, err := parseRecipients(recipients)
	if err != nil {
		return nil, err
	}
	data, err := Encode(s)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compressing a copy of the state: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing a copy of the state: %w", err)
	}
	out, err := encrypt(to, packed.Bytes())
	if err != nil {
		return nil, fmt.Errorf("sealing a copy of the state: %w", err)
	}
	return out, nil
}

// OpenSnapshot decrypts a sealed copy and checks all of it. The error is a
// *WrongIdentityError when none of the identities opens it, a *NewerError when a
// newer hardway made it, and otherwise a *DamagedError.
func OpenSnapshot(copied []byte, ids Identities) (Snapshot, error) {
	damaged := func(reason string) error { return &DamagedError{What: "sealed copy", Reason: reason} }
	if len(copied) == 0 {
		return Snapshot{}, damaged("it is empty")
	}
	r, err := decrypt(copied, ids)
	switch {
	case errors.Is(err, errNoMatch):
		return Snapshot{}, &WrongIdentityError{What: "the sealed copy of the state", Tried: ids}
	case err != nil:
		return Snapshot{}, damaged(err.Error())
	}
	packed, err := gzip.NewReader(r)
	if err != nil {
		return Snapshot{}, damaged(err.Error())
	}
	data, err := io.ReadAll(io.LimitReader(packed, MaxSize+1))
	if err != nil {
		return Snapshot{}, damaged(err.Error())
	}
	s, err := Decode(data)
	if d, ok := errors.AsType[*DamagedError](err); ok {
		d.What = "sealed copy"
	}
	return s, err
}
