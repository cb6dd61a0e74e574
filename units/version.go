package units

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"
)

// minorOf returns the minor of a version such as "1.37.1" or "v1.37" as semver
// writes it: "v1.37".
func minorOf(version string) (string, error) {
	v := "v" + strings.TrimPrefix(version, "v")
	if !semver.IsValid(v) {
		return "", fmt.Errorf("%q is not a version such as 1.37.1", version)
	}
	return semver.MajorMinor(v), nil
}

// atLeast reports whether the minor of version is since or newer; an empty since
// means always. Both are trusted to be versions: tables are checked when they
// are loaded, a version when it is given to this package.
func atLeast(version, since string) bool {
	if since == "" {
		return true
	}
	have, err := minorOf(version)
	if err != nil {
		return false
	}
	return semver.Compare(have, "v"+since) >= 0
}
