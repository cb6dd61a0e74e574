package bench

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// times are what several runs of one thing took.
type times []time.Duration

func (t times) min() time.Duration { return slices.Min(t) }

func (t times) median() time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[len(sorted)/2]
}

// interleave runs a and b in turn, A B A B …, after one of each that does not
// count: a machine whose speed drifts does so for both.
func interleave(runs int, a, b func() (time.Duration, error)) (ta, tb times, err error) {
	for i := range runs + 1 {
		da, errA := a()
		db, errB := b()
		if err := errors.Join(errA, errB); err != nil {
			return nil, nil, err
		}
		if i > 0 {
			ta, tb = append(ta, da), append(tb, db)
		}
	}
	return ta, tb, nil
}

// exponent fits y = c·x^k through points by least squares over the logarithms,
// and returns k.
func exponent(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		lx, ly := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func TestExponent(t *testing.T) {
	x := []float64{10, 30, 100, 1000}
	for _, want := range []float64{0, 1, 1.1, 2} {
		var y []float64
		for _, v := range x {
			y = append(y, 7*math.Pow(v, want))
		}
		if got := exponent(x, y); math.Abs(got-want) > 1e-9 {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	if got := (times{9, 1, 5, 3, 7}); got.median() != 5 || got.min() != 1 {
		t.Errorf("median %d, minimum %d", got.median(), got.min())
	}
}

func TestInterleave(t *testing.T) {
	var order string
	step := func(name string, d time.Duration) func() (time.Duration, error) {
		return func() (time.Duration, error) { order += name; return d, nil }
	}
	a, b, err := interleave(3, step("a", 1), step("b", 2))
	if err != nil || order != "abababab" || len(a) != 3 || len(b) != 3 {
		t.Errorf("%s, %v, %v, %v", order, a, b, err)
	}
}
