package flagtable

import (
	_ "embed"
	"fmt"
)

// legacyText is edited by hand; see tools/README.md.
//
//go:embed legacy.tsv
var legacyText string

// Legacy gives the hand-entered rows of each component.
func Legacy() (map[string][]Row, error) {
	tables, err := ParseLegacy(legacyText)
	if err != nil {
		return nil, fmt.Errorf("reading legacy.tsv: %w", err)
	}
	return tables, nil
}
