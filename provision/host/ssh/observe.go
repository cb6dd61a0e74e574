package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hardway/provision/facts"
)

// maxObservation bounds what one observation may bring, in bytes.
const maxObservation = 64 << 20

// maxTries is how often a host is asked when a file changes while it is read.
const maxTries = 3

// Observe implements host.Host: one request and one answer on the control
// channel, and another if a file changed in between.
func (h *Host) Observe(ctx context.Context, req facts.Request) (facts.Observation, error) {
	items, err := encodeRequest(req)
	if err != nil {
		return facts.Unreachable(err), fmt.Errorf("%s: observe: %w", h.config.Name, err)
	}
	for try := 1; ; try++ {
		obs, err := h.observe(ctx, req, items)
		if _, changed := errors.AsType[*readingError](err); !changed || try == maxTries {
			return obs, err
		}
	}
}

func (h *Host) observe(ctx context.Context, req facts.Request, items []byte) (facts.Observation, error) {
	// Waiting for the control channel must not count as the way to the host.
	var sent time.Time
	now := h.config.Now
	a, err := h.control.do(ctx, "observe", request{
		script: "observe", stdin: &onFirstRead{bytes.NewReader(items), func() { sent = now() }}, size: int64(len(items)), max: maxObservation,
	})
	received := now()
	if err != nil {
		return facts.Unreachable(err), err
	}
	if err := h.scriptError("observe", "observe", a); err != nil {
		return facts.Unreachable(err), err
	}
	obs, err := parseObservation(req, string(a.stdout), sent, received)
	if err != nil {
		err = fmt.Errorf("%s: observe: %w", h.config.Name, err)
		return facts.Unreachable(err), err
	}
	return obs, nil
}

// onFirstRead notes when the request begins to leave.
type onFirstRead struct {
	source io.Reader
	first  func()
}

func (r *onFirstRead) Read(p []byte) (int, error) {
	if r.first != nil {
		r.first()
		r.first = nil
	}
	return r.source.Read(p)
}

// encodeRequest writes a request as templates/scripts/observe.sh reads it.
func encodeRequest(req facts.Request) ([]byte, error) {
	var b bytes.Buffer
	var bad error
	put := func(kind byte, value string) {
		if value == "" || strings.ContainsAny(value, "\n\x00") {
			bad = fmt.Errorf("%q cannot be asked for", value)
			return
		}
		b.WriteByte(kind)
		b.WriteString(value)
		b.WriteByte('\n')
	}
	path := func(kind byte, value string) {
		if !strings.HasPrefix(value, "/") {
			bad = fmt.Errorf("path %q is not absolute", value)
			return
		}
		put(kind, value)
	}
	if req.Deep {
		b.WriteString("D\n")
	}
	had := known(req)
	var digests []string
	for _, name := range req.Packages {
		put('Q', name)
	}
	if req.Preflight != nil {
		b.WriteString("W\n")
		for _, dir := range withParents(req.Preflight.Spaces) {
			path('w', dir)
		}
	}
	for _, f := range req.Files {
		switch {
		case f.Certificates: // never the whole, whatever else is asked for
			path('B', f.Path)
		case had[f.Path] != nil:
			path('c', f.Path)
			digests = append(digests, had[f.Path].SHA256+"  "+f.Path)
		case f.Content:
			path('C', f.Path)
		default:
			path('F', f.Path)
		}
	}
	if req.Argv {
		b.WriteString("A\n")
	}
	for _, u := range req.Units {
		put('U', u)
	}
	for _, key := range req.Sysctls {
		path('S', sysctlPath(key))
	}
	for _, m := range req.Modules {
		put('M', m.Name)
		for _, e := range m.Effects {
			path('e', e)
		}
	}
	for _, p := range req.Ports {
		put('P', fmt.Sprintf("%04X", p))
	}
	if i := req.Images; i != nil {
		path('I', i.Ctr)
		path('i', i.Socket)
	}
	if k := req.Kube; k != nil {
		path('K', k.Kubectl)
		path('k', k.Kubeconfig)
		path('d', k.EtcdData)
		if k.Nodes {
			b.WriteString("N\n")
		}
		objects := slices.Clone(k.Objects)
		slices.SortStableFunc(objects, func(a, b facts.ObjectRef) int { return strings.Compare(a.Namespace, b.Namespace) })
		for i, o := range objects {
			if i == 0 || o.Namespace != objects[i-1].Namespace {
				put('G', orDash(o.Namespace))
			}
			put('R', o.Kind+"/"+o.Name)
		}
	}
	if len(digests) > 0 { // by themselves: the shell reads what is above a byte at a time
		lines := strings.Join(digests, "\n")
		fmt.Fprintf(&b, "h%d\n%s\n", len(lines), lines)
	}
	return b.Bytes(), bad
}

// sysctlPath returns where a key lies. A key with a slash is taken as sysctl(8)
// takes it: its dots are part of names.
func sysctlPath(key string) string {
	if !strings.Contains(key, "/") {
		key = strings.ReplaceAll(key, ".", "/")
	}
	return "/proc/sys/" + key
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
