package certs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDaysLeft(t *testing.T) {
	const day = 24 * time.Hour
	for left, want := range map[time.Duration]int{
		0: 0, time.Second: 0, day - time.Second: 0, day: 1, 365 * day: 365, 365*day - 1: 364,
		-time.Second: -1, -day: -1, -day - time.Second: -2,
	} {
		if got := DaysLeft(testNow.Add(left), testNow); got != want {
			t.Errorf("%s left: %d days, want %d", left, got, want)
		}
	}
}

func TestExpiries(t *testing.T) {
	at := func(host, path string, left time.Duration) Expiry {
		return Expiry{Host: host, Path: path, Info: Info{NotAfter: testNow.Add(left)}}
	}
	list := []Expiry{
		at("n1", "b", 72*time.Hour), at("", "", 10*year), at("m1", "z", -time.Second),
		at("m1", "b", 72*time.Hour), at("m1", "a", 72*time.Hour), at("n1", "a", 24*time.Hour),
	}
	SortExpiries(list)
	type line struct {
		At    string
		State ExpiryState
		Days  int
	}
	var got []line
	for _, e := range list {
		got = append(got, line{e.Host + ":" + e.Path, e.State(testNow, 48*time.Hour), e.DaysLeft(testNow)})
	}
	want := []line{
		{"m1:z", ExpiryExpired, -1}, {"n1:a", ExpiryRenew, 1}, {"m1:a", ExpiryValid, 3},
		{"m1:b", ExpiryValid, 3}, {"n1:b", ExpiryValid, 3}, {":", ExpiryValid, 3650},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
