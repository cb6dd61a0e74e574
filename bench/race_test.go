//go:build race

package bench

// racing: the race detector allocates for itself and is slow, so that counts of
// allocations say nothing.
const racing = true
