// Package units knows how the components of a cluster are run: the systemd
// unit of each, its command line, its config object, and which flags and fields
// a given version of the component accepts.
//
// Everything here is a pure function from plain parameters to text. The package
// must never know certificate bytes, hosts, SSH, HCL or the state: it is given
// paths and addresses, and gives back unit files, config files and problems.
//
// Facts about versions are rows of the tables under flags/ and tables/, never
// branches in code, so that a new minor is a change of data.
package units
