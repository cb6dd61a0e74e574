// Package config turns what the user wrote (*.hcl, *.hclvars, HW_VAR_*, --var)
// into a Cluster, or into diagnostics that name file, line and column.
//
// It knows the language: blocks, variables, locals, functions, for_each,
// defaults, and what can be judged wrong from the text alone. It must never
// know what stands on a host, which resources a cluster becomes, or which flags
// a component has: it keeps source ranges instead, so that whoever does know
// can point at the line.
//
// # How a load runs
//
//  1. Files are read and scanned for nesting and size before the HCL parser
//     sees them, because that parser recurses without a limit (prescan.go).
//  2. Blocks are sorted by type; unknown ones are refused (blocks.go).
//  3. Variables get their values (variables.go, varvalues.go).
//  4. Everything else is evaluated on demand: an expression's references are
//     resolved first, so locals, hosts and cluster.* may stand in any order and
//     a cycle is reported with its path (scope.go).
//  5. Blocks are decoded with defaults (cluster_block.go, hosts.go, …), then
//     judged against each other (validate_*.go).
//
// # Sensitive values
//
// A sensitive value is a cty value with a mark. It may reach a Secret or a
// sensitive output and nothing else: everything else ends up in a plan, a unit
// or a file on a host. Diagnostics withhold details where a marked value takes
// part, and literals of sensitive variables are masked in the source snippets.
package config
