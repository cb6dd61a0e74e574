//go:build !faultpoints

package provision

// faultPoints are the moments at which a test can make something go wrong. This
// build, which is the product, has none of them; faultpoints_on.go has.
type faultPoints struct{}

func newFaultPoints(func(string) string) faultPoints { return faultPoints{} }

// step is called around each durable step of the state's store; here, nothing is.
func (faultPoints) step() func(step, when string) error { return nil }

// dialer returns dial as it is.
func (faultPoints) dialer(dial dialFunc) dialFunc { return dial }
