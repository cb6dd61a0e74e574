package gomodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMainModule(t *testing.T) {
	const published = `module k8s.io/kubernetes

go 1.26.0

toolchain go1.26.10

godebug default=go1.26

tool k8s.io/kubernetes/hack/tool

require (
	github.com/spf13/cobra v1.10.2
	k8s.io/api v0.0.0
)

replace (
	example.com/guard => ./FORBIDDEN
	example.com/kept => example.com/fork v1.2.3
	k8s.io/api => ./staging/src/k8s.io/api
)
`
	const want = `module hardway.build/kubernetes

go 1.26.0

godebug default=go1.26

require (
	github.com/spf13/cobra v1.10.2
	k8s.io/api v0.0.0
	k8s.io/kubernetes v1.37.1
)

replace (
	example.com/kept => example.com/fork v1.2.3
	k8s.io/api => k8s.io/api v0.37.1
)
`
	staging := func(path string) string {
		if path == "k8s.io/api" {
			return "v0.37.1"
		}
		return ""
	}
	got, err := mainModule([]byte(published), "hardway.build/kubernetes", "k8s.io/kubernetes", "v1.37.1", staging)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("go.mod (-want +got):\n%s", diff)
	}
}

func TestMainModuleRefusesNonsense(t *testing.T) {
	_, err := mainModule([]byte("require ("), "a", "b.example/c", "v1.0.0", nil)
	if err == nil || !strings.Contains(err.Error(), "b.example/c") {
		t.Errorf("error is %v, want one that names the module", err)
	}
}

func TestLinkerFlags(t *testing.T) {
	got := linkerFlags(map[string]string{"b.version": "v1", "a.commit": "two words"})
	if diff := cmp.Diff("-s -w -X 'a.commit=two words' -X 'b.version=v1'", got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

func TestTailWriterKeepsTheEnd(t *testing.T) {
	w := &tailWriter{limit: 8}
	for _, s := range []string{"first ", "second ", "third"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if diff := cmp.Diff("nd third", w.String()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
