package units

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// KeyPair is where a certificate and its key lie on the host.
type KeyPair struct{ Cert, Key string }

// Cipher suites for TLS 1.2 that the CIS benchmark accepts; those of TLS 1.3
// cannot be chosen.
const (
	gcmSuites    = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
	chachaSuites = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
)

// flagSet gathers the command line of one component and keeps the first error.
type flagSet struct {
	component, version string
	values             map[string]string
	err                error
}

func newFlagSet(component, version string) *flagSet {
	f := &flagSet{component: component, version: version, values: map[string]string{}}
	if _, err := minorOf(version); err != nil {
		f.fail("%w", err)
	}
	return f
}

func (f *flagSet) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("building the command line of "+f.component+": "+format, args...)
	}
}

// set gives a flag its value.
func (f *flagSet) set(name, value string) { f.values[name] = value }

// setIfKnown gives the first of the flags that the version knows its value; the
// later ones are older spellings.
func (f *flagSet) setIfKnown(value string, names ...string) {
	for _, name := range names {
		if row, ok := Flags(f.component).Lookup(name); ok && row.In(f.version) {
			f.set(name, value)
			return
		}
	}
}

// fieldFlag is a flag that says what a field of the config object says.
type fieldFlag struct{ field, flag, value string }

// instead sets the flags whose field the version does not have.
func (f *flagSet) instead(version string, flags []fieldFlag) {
	for _, ff := range flags {
		if ff.value != "" && !hasField(f.component, version, ff.field) {
			f.setIfKnown(ff.value, ff.flag)
		}
	}
}

// text sets a value that must not be empty.
func (f *flagSet) text(name, value string) {
	if value == "" {
		f.fail("no value for --%s was given", name)
	}
	f.set(name, value)
}

// path sets a file that has to be named absolutely: a unit has no directory of its own.
func (f *flagSet) path(name, file string) {
	if !path.IsAbs(file) {
		f.fail("--%s: %q is not an absolute path", name, file)
	}
	f.set(name, file)
}

func (f *flagSet) pair(certFlag, keyFlag string, p KeyPair) {
	f.path(certFlag, p.Cert)
	f.path(keyFlag, p.Key)
}

func (f *flagSet) addr(name string, a netip.Addr) {
	if !a.IsValid() {
		f.fail("no address for --%s was given", name)
		return
	}
	f.set(name, a.String())
}

func (f *flagSet) bool(name string, v bool) { f.set(name, strconv.FormatBool(v)) }

// user lays the user's flags over ours. Those that hardway owns are refused, as
// Check refuses them with more words.
func (f *flagSet) user(flags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if owned, ok := ownedFlags()[ownedKey{f.component, name}]; ok {
			f.fail("--%s belongs to hardway: %s", name, owned.reason)
			continue
		}
		f.set(name, flags[name])
	}
}

// argv returns the executable and the flags in order of name, so that a change
// of order is no change.
func (f *flagSet) argv(bin, binary string) ([]string, error) {
	if f.err != nil {
		return nil, f.err
	}
	if !path.IsAbs(bin) {
		return nil, fmt.Errorf("building the command line of %s: the directory of binaries %q is not absolute", f.component, bin)
	}
	argv := []string{path.Join(bin, binary)}
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if name == "" || strings.ContainsAny(name, "= ") || strings.HasPrefix(name, "-") {
			return nil, fmt.Errorf("building the command line of %s: %q is not the name of a flag", f.component, name)
		}
		argv = append(argv, "--"+name+"="+f.values[name])
	}
	return argv, nil
}

// service is what the units of all long-running components share.
func service(component string) Unit {
	return Unit{
		Name:                  component + ".service",
		StartLimitIntervalSec: "0",
		Restart:               "always",
		RestartSec:            "5s",
		Wants:                 []string{"network-online.target"},
		After:                 []string{"network-online.target"},
		WantedBy:              []string{"multi-user.target"},
	}
}
