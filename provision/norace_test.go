//go:build !race

package provision_test

const racing = false
