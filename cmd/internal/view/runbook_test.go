package view

import (
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/runbook"
)

// book has everything that a layout could get wrong.
func book() runbook.Runbook {
	n1 := addr.Host{Role: addr.Node, Name: "n1"}
	cluster := addr.Host{Role: addr.Cluster}
	return runbook.Runbook{
		Cluster: "lab*s", Hosts: []runbook.Host{{Addr: n1, User: "ops|x", Address: "192.168.10.31", Port: 2222}},
		Steps: []runbook.Step{
			{Number: 1, Title: "Authorities", Why: "Because.", Links: []string{"https://example.com/why"}, Blocks: []runbook.Block{{Where: cluster, Shell: "true\n"}}},
			{Number: 7, Title: "Start it on n1", Why: strings.Repeat("A long reason. ", 12), Host: n1, Blocks: []runbook.Block{
				{Where: cluster, Shell: "echo a\n"},
				{Where: n1, Shell: "cat <<'EOF'\n```\n\x1b[31m\nEOF\n"},
			}},
		},
	}
}

func TestRunbook(t *testing.T) {
	for name, write := range map[string]func(*strings.Builder, Style) error{
		"md":   func(b *strings.Builder, st Style) error { return Runbook(b, book(), st) },
		"text": func(b *strings.Builder, st Style) error { return RunbookText(b, book(), st) },
	} {
		var file, screen strings.Builder
		if err := write(&file, Style{Whole: true}); err != nil {
			t.Fatal(err)
		}
		golden(t, "runbook/"+name+".txt", file.String())
		if err := write(&screen, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(file.String(), "\x1b") || strings.Contains(screen.String(), "\x1b") {
			t.Errorf("%s: a file needs every byte, and a terminal must not see them", name)
		}
	}
}
