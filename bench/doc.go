// Package bench measures hardway against what a person would do by hand, and
// holds the counts that measuring rests on.
//
// What can be counted (connections, channels, allocations) is a test and runs
// with all others. What has to be timed is a figure: TestFigures takes them, on
// request, and prints one table; `make bench` is that. README.md says how each is
// taken. The package may use every other one of hardway; none may use it.
package bench
