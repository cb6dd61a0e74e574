package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"hardway/units"
)

// unitText is a unit file taken apart, so that two of them are compared setting
// by setting rather than line by line.
type unitText struct {
	raw string
	// canonical is equal for two units with equal settings: flags in any order,
	// comments and white space left out. Empty where the text is no unit file.
	canonical string
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
	options, err := units.ParseUnit(text)
	if err != nil {
		return u
	}
	for _, o := range options {
		if v, ok := inputsIn(o.Name, o.Value); ok && o.Section == "Service" {
			u.inputs = v
		}
	}
	argv, err := units.ParseExec(text)
	if err != nil {
		u.canonical = canonical(options, nil)
		return u
	}
	program, flags, rest := units.SplitFlags(argv)
	positional := 0 // words before the first flag
	for positional < len(rest) && argv[1+positional] == rest[positional] {
		positional++
	}
	if positional < len(rest) { // whose value the others are is the program's to say
		u.canonical = canonical(options, argv)
		return u
	}
	u.program, u.flags = append([]string{program}, rest...), flags
	line := slices.Clone(u.program)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		line = append(line, "--"+name+"="+flags[name])
	}
	u.canonical = canonical(options, line)
	return u
}

// canonical writes settings so that only what systemd can tell apart differs:
// the order of different settings says nothing, that of one setting's values
// does. With a command line given, it stands for the unit's own.
func canonical(options []units.Option, argv []string) string {
	values := map[string][]string{}
	for _, o := range options {
		key := o.Section + "\x00" + o.Name
		if argv != nil && key == "Service\x00ExecStart" {
			continue
		}
		values[key] = append(values[key], o.Value)
	}
	if argv != nil {
		values["Service\x00ExecStart"] = argv
	}
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out.WriteString(key + "\x00" + strings.Join(values[key], "\x00") + "\n")
	}
	return out.String()
}

// sameSettings reports whether two unit files mean the same to systemd.
func sameSettings(a, b unitText) bool { return a.canonical != "" && a.canonical == b.canonical }

// attrs are the unit's attributes: a `--flag` for each flag, exec, and the rest
// of the text. Of a repeated flag the values are joined by ", "; one without a
// value has "true", as a bool takes it.
func (u unitText) attrs() Attrs {
	if u.flags == nil {
		return u.whole()
	}
	out := make(Attrs, len(u.flags)+2)
	for name, v := range u.flags {
		v = strings.ReplaceAll(v, "\n", ", ")
		out["--"+name] = Value{Text: v}
		if secretFlag(name, v) {
			out["--"+name] = secretText(v)
		}
	}
	out["exec"] = value(strings.Join(u.program, " "))
	if withLogin.MatchString(out["exec"].Text) {
		out["exec"] = secretText(out["exec"].Text)
	}
	out["unit"] = unitBlock(withoutExec(u.raw))
	return out
}

// whole is the unit as one text.
func (u unitText) whole() Attrs { return Attrs{"unit": unitBlock(u.raw)} }

// compareTexts are the attributes of two unit files beside each other. Flag by
// flag where both can be divided; as whole texts where one cannot, or where
// nothing else would show what differs: their order, a comment.
func compareTexts(before, after unitText) (was, is Attrs) {
	if before.flags == nil || after.flags == nil {
		return before.whole(), after.whole()
	}
	was, is = before.attrs(), after.attrs()
	if before.raw != after.raw && before.inputs == after.inputs && maps.Equal(was, is) {
		was["unit"], is["unit"] = unitBlock(before.raw), unitBlock(after.raw)
	}
	return was, is
}

// unitBlock is the text of a unit as a plan may have it.
func unitBlock(text string) Value {
	if secretUnit(text) {
		return secretText(text)
	}
	return Value{Text: text, Block: true}
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
	v, ok := strings.CutPrefix(strings.Trim(v, `"'`), units.InputsVariable+"=")
	return v, ok && !strings.ContainsAny(v, " \t\"'\\")
}

// plainFlags have a secretive name and no secret: they name a path, or a thing
// that everybody on the network sees.
var plainFlags = regexp.MustCompile(`-(file|files|dir|path|config)$|^(initial-cluster-token|auth-token)$`)

// secretFlags have a name that promises a credential.
var secretFlags = regexp.MustCompile(`^token|-token$|passw|secret|credential|api-?key`)

// plainValue is no credential, whatever the name: a bool, a number, a time.
var plainValue = regexp.MustCompile(`^(true|false|[0-9]{0,6}|([0-9.]+(ns|us|ms|s|m|h))+)$`)

// withLogin is an address with a password in it.
var withLogin = regexp.MustCompile(`://[^/@\s:]*:[^/@\s]+@`)

// secretVariable is a setting of the environment that may hold a credential.
var secretVariable = regexp.MustCompile(`(?im)^\s*Environment\s*=.*(passw|secret|token|credential|api_?key)[a-z0-9_]*=` +
	`|(?-i:\b[A-Z0-9_]*(PASSW|SECRET|TOKEN|CREDENTIAL|API_?KEY)[A-Z0-9_]*=)`)

// secretFlag reports whether the value of a flag has to stay out of the plan.
func secretFlag(name, v string) bool {
	if withLogin.MatchString(v) {
		return true
	}
	return secretFlags.MatchString(strings.ToLower(name)) && !plainFlags.MatchString(name) && !plainValue.MatchString(v)
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
