package units

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// wrongType returns what a flag of the type takes when the value is not that,
// else "". Types that it does not know accept everything: the component itself
// has the last word.
func wrongType(flagType, value string) string {
	ok, want := true, ""
	switch flagType {
	case "bool", "tristate":
		_, err := strconv.ParseBool(value)
		ok, want = err == nil, "true or false"
	case "int", "int32", "int64", "count":
		ok, want = isInt(value, flagType), "a whole number"
	case "uint", "uint16", "uint32", "uint64":
		_, err := strconv.ParseUint(value, 0, bits(flagType))
		ok, want = err == nil, "a whole number that is not negative"
	case "float", "float32", "float64":
		_, err := strconv.ParseFloat(value, 64)
		ok, want = err == nil, "a number"
	case "duration":
		_, err := time.ParseDuration(value)
		ok, want = err == nil, "a duration such as 30s or 2h"
	case "ip":
		_, err := netip.ParseAddr(value)
		ok, want = err == nil || value == "", "an IP address"
	case "ipport":
		_, err := netip.ParseAddrPort(value)
		_, addrErr := netip.ParseAddr(value)
		ok, want = err == nil || addrErr == nil || value == "", "an IP address with a port"
	case "ipNet":
		_, err := netip.ParsePrefix(value)
		ok, want = err == nil, "a CIDR such as 10.0.0.0/16"
	case "int32Slice", "intSlice":
		for _, v := range strings.Split(value, ",") {
			ok = ok && isInt(strings.TrimSpace(v), "int32")
		}
		want = "whole numbers with commas between"
	case "portRange":
		ok, want = isPortRange(value), "a range of ports such as 30000-32767"
	case "mapStringBool":
		ok = everyPair(value, func(v string) bool { _, err := strconv.ParseBool(v); return err == nil })
		want = "pairs such as Name=true with commas between"
	case "mapStringString", "stringToString", "colonSeparatedMultimapStringString":
		ok = everyPair(value, func(string) bool { return true })
		want = "pairs such as name=value with commas between"
	}
	if ok {
		return ""
	}
	return want
}

func bits(flagType string) int {
	switch {
	case strings.HasSuffix(flagType, "16"):
		return 16
	case strings.HasSuffix(flagType, "32"):
		return 32
	}
	return 64
}

func isInt(value, flagType string) bool {
	_, err := strconv.ParseInt(value, 0, bits(flagType))
	return err == nil
}

func isPortRange(value string) bool {
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == '-' || r == '+' }) {
		if _, err := strconv.ParseUint(part, 10, 16); err != nil {
			return false
		}
	}
	return strings.Trim(value, "-+ ") != ""
}

func everyPair(list string, value func(string) bool) bool {
	for _, pair := range strings.Split(list, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, v, ok := strings.Cut(pair, "=")
		if !ok || name == "" || !value(v) {
			return false
		}
	}
	return true
}
