package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"unicode/utf8"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
)

// digests returns the hash functions, by name, as functions to lower-case hex.
func digests() map[string]func([]byte) string {
	return map[string]func([]byte) string{
		"md5":    func(b []byte) string { s := md5.Sum(b); return hex.EncodeToString(s[:]) },
		"sha1":   func(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) },
		"sha256": func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) },
		"sha512": func(b []byte) string { s := sha512.Sum512(b); return hex.EncodeToString(s[:]) },
	}
}

func digestFunctions() map[string]function.Function {
	table := map[string]function.Function{
		"base64encode": textFunc(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"base64decode": textFunc(func(s string) (string, error) {
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil || !utf8.Valid(b) {
				return "", fmt.Errorf("not the base64 form of a text")
			}
			return string(b), nil
		}),
	}
	for name, sum := range digests() {
		table[name] = textFunc(func(s string) (string, error) { return sum([]byte(s)), nil })
	}
	return table
}

func textFunc(impl func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: stringParams("str"),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := impl(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

// cidrFunctions calculate with addresses, as in Terraform.
func cidrFunctions() map[string]function.Function {
	prefix := function.Parameter{Name: "prefix", Type: cty.String}
	number := func(name string) function.Parameter { return function.Parameter{Name: name, Type: cty.Number} }
	newbits := number("newbits")
	build := func(params []function.Parameter, rest *function.Parameter, ty cty.Type, impl func(*net.IPNet, []cty.Value) (cty.Value, error)) function.Function {
		return function.New(&function.Spec{Params: params, VarParam: rest, Type: function.StaticReturnType(ty),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				network, err := parseNetwork(args[0].AsString())
				if err != nil {
					return cty.NilVal, function.NewArgError(0, err)
				}
				return impl(network, args[1:])
			}})
	}
	return map[string]function.Function{
		"cidrhost": build([]function.Parameter{prefix, number("hostnum")}, nil, cty.String, func(n *net.IPNet, args []cty.Value) (cty.Value, error) {
			num, err := wholeNumber(args[0])
			if err != nil {
				return cty.NilVal, err
			}
			ip, err := cidr.HostBig(n, num)
			return cty.StringVal(ip.String()), err
		}),
		"cidrnetmask": build([]function.Parameter{prefix}, nil, cty.String, func(n *net.IPNet, _ []cty.Value) (cty.Value, error) {
			if n.IP.To4() == nil {
				return cty.NilVal, fmt.Errorf("only IPv4 networks have a netmask")
			}
			return cty.StringVal(net.IP(n.Mask).String()), nil
		}),
		"cidrsubnet": build([]function.Parameter{prefix, newbits, number("netnum")}, nil, cty.String, func(n *net.IPNet, args []cty.Value) (cty.Value, error) {
			var bits int
			if err := gocty.FromCtyValue(args[0], &bits); err != nil {
				return cty.NilVal, err
			}
			num, err := wholeNumber(args[1])
			if err != nil {
				return cty.NilVal, err
			}
			sub, err := cidr.SubnetBig(n, bits, num)
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(sub.String()), nil
		}),
		"cidrsubnets": build([]function.Parameter{prefix}, &newbits, cty.List(cty.String), cidrSubnets),
		"cidrcontains": build([]function.Parameter{prefix, {Name: "address", Type: cty.String}}, nil, cty.Bool, func(n *net.IPNet, args []cty.Value) (cty.Value, error) {
			ip, err := netip.ParseAddr(args[0].AsString())
			if err != nil {
				return cty.NilVal, fmt.Errorf("%s is not an address", quote(args[0].AsString()))
			}
			return cty.BoolVal(n.Contains(ip.AsSlice())), nil
		}),
	}
}

// cidrSubnets cuts consecutive networks of the given sizes out of one.
func cidrSubnets(n *net.IPNet, args []cty.Value) (cty.Value, error) {
	if len(args) == 0 {
		return cty.ListValEmpty(cty.String), nil
	}
	base, total := n.Mask.Size()
	var out []cty.Value
	var current *net.IPNet
	for i, arg := range args {
		var bits int
		if err := gocty.FromCtyValue(arg, &bits); err != nil {
			return cty.NilVal, function.NewArgError(i+1, err)
		}
		length := base + bits
		if bits < 1 || bits > 32 || length > total {
			return cty.NilVal, function.NewArgErrorf(i+1, "%d more bits than /%d is not possible", bits, base)
		}
		if current == nil {
			current, _ = cidr.PreviousSubnet(n, length)
		}
		next, overflow := cidr.NextSubnet(current, length)
		if overflow || !n.Contains(next.IP) {
			return cty.NilVal, function.NewArgErrorf(i+1, "there is no room left in %s for a /%d", n, length)
		}
		current = next
		out = append(out, cty.StringVal(next.String()))
	}
	return cty.ListVal(out), nil
}

func parseNetwork(s string) (*net.IPNet, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("%s is not a network such as 10.0.0.0/16", quote(s))
	}
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}, nil
}

func wholeNumber(v cty.Value) (*big.Int, error) {
	f := v.AsBigFloat()
	if e := exponent(f); e > 256 {
		return nil, fmt.Errorf("the number is too large for an address")
	}
	n, accuracy := f.Int(nil)
	if accuracy != big.Exact {
		return nil, fmt.Errorf("a whole number is wanted")
	}
	return n, nil
}
