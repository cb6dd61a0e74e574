// Package certs is the public-key infrastructure of a cluster, as data and pure
// decisions: the catalogue of every authority and certificate a Kubernetes
// control plane and its nodes need, what each must contain, whether one that
// exists still fits, and the issuing of new ones through cfssl.
//
// It knows subjects, usages, subject alternative names, lifetimes, key
// algorithms, trust bundles and kubeconfigs. Time always comes in as an
// argument; randomness is the operating system's, because cfssl and the
// standard library take it from nowhere else.
//
// It must never know HCL, hosts as machines, SSH, systemd, nor where a file
// lies on a host: a path is only ever a name that the caller gave.
//
// The flow: [NewRequest] compiles a catalogue row and a host's names into a
// [Request]; [Matches] says why a certificate that was found must be reissued;
// [Issue] makes a new one. Requests come from the configuration alone, never
// from an old certificate.
package certs
