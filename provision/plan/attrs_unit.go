package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"hardway/units/unitfile"
)

// unitText is a unit file taken apart, so that two of them are compared setting
// by setting rather than line by line.
type unitText struct {
	raw     string
	options []unitfile.Option // nil where the text is no unit file
	argv    []string          // of the main process; nil where it cannot be read
	// program and flags are the command line, nil where it cannot be divided: an
	// edited line with specifiers, several commands, a value in a word of its own.
	program []string // and its positional arguments
	flags   map[string]string
	// inputs is the digest that the unit hands to its process.
	inputs string
}

// readUnit takes a unit file apart. Whatever the text is, the answer can be shown.
func readUnit(text string) unitText {
	u := unitText{raw: text}
	var err error
	if u.options, err = unitfile.ParseUnit(text); err != nil {
		u.options = nil
		return u
	}
	for _, o := range u.options {
		if v, ok := inputsIn(o.Name, o.Value); ok && o.Section == "Service" {
			u.inputs = v
		}
	}
	if u.argv, err = unitfile.ParseExec(text); err != nil {
		u.argv = nil
		return u
	}
	program, flags, rest := unitfile.SplitFlags(u.argv)
	for i, word := range rest { // words before the first flag are positional
		if u.argv[1+i] != word {
			return u // whose value the others are is the program's to say
		}
	}
	u.program, u.flags = append([]string{program}, rest...), flags
	return u
}

// sameSettings reports whether two unit files mean the same to systemd.
func sameSettings(a, b unitText) bool {
	return a.options != nil && b.options != nil && a.canonical() == b.canonical()
}

// canonical is equal for two units with equal settings: flags in any order,
// comments and white space left out. The order of different settings says
// nothing, that of one setting's values does.
func (u unitText) canonical() string {
	line := u.argv
	if u.flags != nil {
		line = slices.Clone(u.program)
		for _, name := range slices.Sorted(maps.Keys(u.flags)) {
			line = append(line, "--"+name+"="+u.flags[name])
		}
	}
	values := map[string][]string{}
	for _, o := range u.options {
		key := o.Section + "\x00" + o.Name
		if line != nil && key == execStart {
			values[key] = line
			continue
		}
		values[key] = append(values[key], o.Value)
	}
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out.WriteString(key + "\x00" + strings.Join(values[key], "\x00") + "\n")
	}
	return out.String()
}

// execStart is the setting with the command line of the main process.
const execStart = "Service\x00ExecStart"

// attrs are the unit's attributes: a `--flag` for each flag, exec, and the rest
// of the text. Of a repeated flag the values are joined by ", "; one without a
// value has "true", as a bool takes it.
func (u unitText) attrs() Attrs {
	if u.flags == nil {
		return Attrs{"unit": {Text: u.raw, Block: true}}
	}
	out := make(Attrs, len(u.flags)+8)
	for name, v := range u.flags {
		v = strings.ReplaceAll(v, "\n", ", ")
		out["--"+name] = value(v)
		if secretFlag(name, v) {
			out["--"+name] = secretText(v)
		}
	}
	out["exec"] = value(strings.Join(u.program, " "))
	out["unit"] = Value{Text: withoutExec(u.raw), Block: true}
	return out
}

// compareTexts are the attributes of a unit file on a host beside those of ours.
// Flag by flag where both can be divided; as whole texts where one cannot, or
// where nothing else would show what differs: their order, a comment.
func compareTexts(before, after unitText) (was, is Attrs) {
	whole := before.flags == nil || after.flags == nil
	if !whole {
		was, is = before.attrs(), after.attrs()
		whole = before.inputs == after.inputs && maps.Equal(was, is)
	}
	if whole {
		was, is = Attrs{}, Attrs{}
		was["unit"], is["unit"] = Value{Text: before.raw, Block: true}, Value{Text: after.raw, Block: true}
	}
	for _, name := range []string{"exec", "unit"} { // what somebody wrote may hold a credential
		if v, ok := was[name]; ok && secretUnit(v.Text) {
			was[name] = secretText(v.Text)
		}
	}
	return was, is
}

// withoutExec leaves out of a unit's text what has attributes of its own: the
// command line of the main process, and the line with the inputs.
func withoutExec(text string) string {
	var out strings.Builder
	section, continued, drop := "", false, false
	for line := range strings.Lines(text) {
		body := strings.TrimSpace(line)
		comment := strings.HasPrefix(body, "#") || strings.HasPrefix(body, ";")
		if !continued && !comment {
			drop = false
			if strings.HasPrefix(body, "[") {
				section = body
			} else if name, v, ok := strings.Cut(body, "="); ok && section == "[Service]" {
				name = strings.TrimSpace(name)
				_, inputs := inputsIn(name, strings.TrimSpace(v))
				drop = name == "ExecStart" || inputs
			}
		}
		if !comment {
			end := strings.TrimRight(line, "\r\n")
			continued = (len(end)-len(strings.TrimRight(end, `\`)))%2 == 1
		}
		if !drop || comment && !continued {
			out.WriteString(line)
		}
	}
	return out.String()
}

// inputsIn finds the digest of the inputs in a setting that holds nothing else.
func inputsIn(name, v string) (string, bool) {
	if name != "Environment" {
		return "", false
	}
	v, ok := strings.CutPrefix(strings.Trim(v, `"'`), unitfile.InputsVariable+"=")
	return v, ok && !strings.ContainsAny(v, " \t\"'\\")
}

// secretWords promise a credential in the name of a flag.
var secretWords = [...]string{"token", "passw", "secret", "credential", "api-key", "apikey"}

// plainFlags have such a name and no secret: they name a path, they are about
// tokens, or everybody on the network sees them.
var plainFlags = regexp.MustCompile(`-(file|files|dir|path|config)$|-token-webhook-version$|^(initial-cluster-token$|auth-token)`)

// plainValue is no credential, whatever the name: a bool, a number, a time.
var plainValue = regexp.MustCompile(`^(true|false|[0-9]{0,6}|([0-9.]+(ns|us|ms|s|m|h))+)$`)

// withLogin is an address with a password in it.
var withLogin = regexp.MustCompile(`://[^/@\s:]*:[^/@\s]+@`)

// secretVariable is a setting of the environment that may hold a credential.
var secretVariable = regexp.MustCompile(`(?im)^\s*Environment\s*=.*(passw|secret|token|credential|api_?key)[a-z0-9_]*=` +
	`|(?-i:\b[A-Z0-9_]*(PASSW|SECRET|TOKEN|CREDENTIAL|API_?KEY)[A-Z0-9_]*=)`)

// secretFlag reports whether the value of a flag has to stay out of the plan.
func secretFlag(name, v string) bool {
	if strings.Contains(v, "@") && withLogin.MatchString(v) {
		return true
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords[:], func(w string) bool { return strings.Contains(name, w) }) &&
		!plainFlags.MatchString(name) && !plainValue.MatchString(v)
}

// secretUnit reports whether the text of a unit may hold a credential anywhere.
func secretUnit(text string) bool {
	if secretive.MatchString(text) || secretVariable.MatchString(text) || withLogin.MatchString(text) {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'\\", r) })
	for i, w := range words {
		if !strings.HasPrefix(w, "-") {
			continue
		}
		name, v, joined := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if !joined && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			v = words[i+1] // in a word of its own
		}
		if secretFlag(name, v) {
			return true
		}
	}
	return false
}
