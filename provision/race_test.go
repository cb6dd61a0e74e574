//go:build race

package provision_test

// racing: under the race detector a part of the faults is enough, since it looks
// for other things and takes its time.
const racing = true
