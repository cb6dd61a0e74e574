package render

import (
	"crypto/tls"
	"encoding/pem"
	"time"

	"hardway/certs"
)

// Kept returns a certificate and its key as an earlier render left them, when
// they still are what is asked for; a combined file is given as both. It is
// pure, but for the clock that it is told.
func Kept(cert, key []byte, req certs.Request, authorityPEM []byte, now time.Time, renewBefore time.Duration) (Leaf, bool) {
	info, err := certs.Inspect(cert)
	if err != nil || len(certs.Matches(info, req, authorityPEM, now, renewBefore)) > 0 {
		return Leaf{}, false
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil { // not of each other
		return Leaf{}, false
	}
	leaf := Leaf{}
	for _, text := range [][]byte{cert, key} {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			switch {
			case block.Type == "CERTIFICATE" && leaf.CertPEM == nil:
				leaf.CertPEM = pem.EncodeToMemory(block)
			case block.Type != "CERTIFICATE" && !leaf.Key.IsSet():
				leaf.Key = certs.NewSecret(pem.EncodeToMemory(block))
			}
		}
	}
	return leaf, true
}
