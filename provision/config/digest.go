package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// digest is the SHA-256 of the evaluated configuration in a canonical form:
// every exported field by name, in order of the struct, maps by sorted key.
// Places in the source, secrets and sensitive outputs contribute nothing, and
// paths below the configuration directory count from there, so that a copy of
// the directory elsewhere has the same digest.
func digest(c *Cluster) string {
	e := encoder{hash: sha256.New(), dir: c.Dir + "/"}
	copied := *c
	copied.Dir, copied.Digest = "", ""
	copied.Outputs = nil
	for _, o := range c.Outputs {
		if o.Sensitive {
			o.Value = cty.NullVal(cty.DynamicPseudoType)
		}
		copied.Outputs = append(copied.Outputs, o)
	}
	e.value("", reflect.ValueOf(copied))
	return hex.EncodeToString(e.hash.Sum(nil))
}

type encoder struct {
	hash hash.Hash
	dir  string
}

// line writes one value with its path; both are quoted, so no two
// configurations have the same lines.
func (e encoder) line(path, value string) {
	fmt.Fprintf(e.hash, "%q %q\n", path, value)
}

func (e encoder) value(path string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case hcl.Range, map[string]hcl.Range, Secret:
		return
	case cty.Value:
		text, err := ctyjson.Marshal(x, x.Type())
		if err != nil { // a value of no JSON type cannot come from HCL
			text = []byte(x.Type().FriendlyName())
		}
		e.line(path, string(text))
		return
	case fmt.Stringer: // addresses, prefixes, durations
		e.line(path, x.String())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				e.value(path+"."+f.Name, v.Field(i))
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		e.line(path, fmt.Sprintf("map of %d", len(keys)))
		for _, k := range keys {
			e.value(path+"["+k.String()+"]", v.MapIndex(k))
		}
	case reflect.Slice:
		e.line(path, fmt.Sprintf("list of %d", v.Len()))
		for i := range v.Len() {
			e.value(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Interface:
		if v.IsNil() {
			e.line(path, "null")
			return
		}
		e.value(path, v.Elem())
	case reflect.String:
		s := v.String()
		if rel, ok := strings.CutPrefix(s, e.dir); ok {
			s = "./" + rel
		}
		e.line(path, s)
	default:
		text, err := json.Marshal(v.Interface())
		if err != nil {
			text = []byte(v.Kind().String())
		}
		e.line(path, v.Kind().String()+" "+string(text))
	}
}
