// Package health asks whether a cluster works, and tells what came of it: gates
// that apply waits for, and the verification that a person reads.
//
// It knows probes and their results, and the Kubernetes API as kubectl on a
// master shows it. It must never know plans, terminals or HCL, and no
// component's paths, ports or versions: those come compiled in a Spec.
//
// What a host or the API server answers is data from somewhere else: it is
// parsed with bounds, shortened to one printable line before it becomes a
// message, and never becomes part of a command.
package health
