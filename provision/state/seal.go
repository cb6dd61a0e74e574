package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"hardway/provision/resource"
)

// sealed is the plaintext of the sealed part. Lineage and cluster are inside,
// so that the sealed part of another cluster is refused.
type sealed struct {
	Format  int               `json:"format"`
	Lineage string            `json:"lineage"`
	Cluster string            `json:"cluster"`
	Keys    map[string]string `json:"keys"`
}

// maxSealed bounds what a sealed part may unfold to.
const maxSealed = 16 << 20

// Seal encrypts secrets for the recipients (age1…) and binds them to the
// lineage and the cluster's name. No identity is needed for it.
func (p Public) Seal(recipients []string, secrets Secrets) ([]byte, error) {
	to, err := parseRecipients(recipients)
	if err != nil {
		return nil, err
	}
	plain := sealed{Format: Format, Lineage: p.Lineage, Cluster: p.Cluster, Keys: make(map[string]string, len(secrets.Keys))}
	for name, key := range secrets.Keys {
		plain.Keys[name] = key.Reveal()
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("sealing the state's keys: %w", err)
	}
	out, err := encrypt(to, text)
	if err != nil {
		return nil, fmt.Errorf("sealing the state's keys: %w", err)
	}
	return out, nil
}

func encrypt(to []age.Recipient, text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// errNoMatch says that none of the identities opens a ciphertext.
var errNoMatch = errors.New("no identity matches")

// decrypt returns the plaintext as a reader, whose errors mean damage too.
func decrypt(sealed []byte, ids Identities) (io.Reader, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), ids.list...)
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) || len(ids.list) == 0 {
		return nil, errNoMatch
	}
	return r, err
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	if len(texts) == 0 {
		return nil, errors.New("the state has no recipient to seal its keys to: " +
			"set recipients in the state block, or let `hardway init` make an identity")
	}
	var out []age.Recipient
	for _, t := range texts {
		r, err := age.ParseRecipients(strings.NewReader(t))
		if err != nil || len(r) != 1 {
			return nil, fmt.Errorf("recipient %q is not an age public key (age1…)", t)
		}
		out = append(out, r...)
	}
	return out, nil
}

// Open decrypts the sealed part and checks that it belongs to this snapshot:
// the lineage, the cluster's name and the digest of each key must agree. A
// snapshot without a sealed part opens to no keys.
func (s Snapshot) Open(ids Identities) (Secrets, error) {
	if len(s.Sealed) == 0 {
		return Secrets{Keys: map[string]Secret{}}, s.checkKeys(nil)
	}
	r, err := decrypt(s.Sealed, ids)
	if errors.Is(err, errNoMatch) {
		return Secrets{}, &WrongIdentityError{Cluster: s.Cluster, SealedTo: s.Recipients, Tried: ids}
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("opening the sealed keys of cluster %q: %w: the sealed part is damaged; %s", s.Cluster, err, Recover)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSealed))
	if err != nil {
		return Secrets{}, fmt.Errorf("opening the sealed keys of cluster %q: %w: the sealed part is damaged; %s", s.Cluster, err, Recover)
	}
	var plain sealed
	if err := json.Unmarshal(text, &plain); err != nil { // its text may quote a key: not shown
		return Secrets{}, fmt.Errorf("opening the sealed keys of cluster %q: what was sealed is not in hardway's form", s.Cluster)
	}
	switch {
	case plain.Format > Format:
		return Secrets{}, fmt.Errorf("the sealed keys of cluster %q have format %d, and this hardway knows %d: use a newer hardway", s.Cluster, plain.Format, Format)
	case plain.Lineage != s.Lineage || plain.Cluster != s.Cluster:
		return Secrets{}, fmt.Errorf("the sealed keys belong to cluster %q with lineage %s, and the state to %q with lineage %s: "+
			"two states were mixed; %s", plain.Cluster, plain.Lineage, s.Cluster, s.Lineage, Recover)
	}
	if err := s.checkKeys(plain.Keys); err != nil {
		return Secrets{}, err
	}
	out := Secrets{Keys: make(map[string]Secret, len(plain.Keys))}
	for name, key := range plain.Keys {
		out.Keys[name] = NewSecret(key)
	}
	return out, nil
}

// checkKeys holds every private key that the public part promises against what
// was sealed, which finds a sealed part of an older snapshot.
func (p Public) checkKeys(keys map[string]string) error {
	check := func(name, digest string) error {
		if key, ok := keys[name]; !ok || resource.SHA256([]byte(key)) != digest {
			return fmt.Errorf("the sealed keys of cluster %q do not hold the %q that the state describes: "+
				"the sealed part is of another snapshot; %s", p.Cluster, name, Recover)
		}
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(p.Authorities)) {
		if err := check(resource.MaterialKey(n), p.Authorities[n].KeySHA256); err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.KeyPairs)) {
		if err := check(resource.MaterialPrivate(n), p.KeyPairs[n].PrivateSHA256); err != nil {
			return err
		}
	}
	return nil
}
