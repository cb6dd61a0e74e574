package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hardway/provision/addr"
	"hardway/provision/host"
)

// probeTimeout bounds a probe that never answers. It is far above what the
// probes' own timeouts are, because probes of one host may wait for each other.
const probeTimeout = time.Minute

// Components of the checks that are not a probe of the Spec.
const (
	componentHost     = "host"
	componentStatus   = "componentstatuses"
	componentNode     = "node"
	componentSmoke    = "smoke"
	checkReachable    = "reachable"
	checkReady        = "Ready"
	checkComponents   = "kubectl get componentstatuses"
	checkListingNodes = "kubectl get nodes"
)

// skipped is the reason why a check was not made, where that is no fault.
type skipped string

func (s skipped) Error() string { return string(s) }

// question is a check that is still to be made. Its ask returns what to say when
// all is well; the kind of its error decides the status.
type question struct {
	check Check
	ask   func(ctx context.Context) (message string, err error)
}

// verification is one run of Verify.
type verification struct {
	spec        Spec
	hosts       map[addr.Host]host.Host
	unreachable map[addr.Host]string

	mu sync.Mutex // one call of on at a time
	on func(Check)
}

// Verify asks everything in spec and reports what it found; it returns an error
// never, only a report that is not healthy. hosts are those with a session;
// unreachable tells why a host has none. on, which may be nil, hears of every
// check as it is made, one at a time, in the order of the answers; the report's
// order depends on spec alone. When ctx ends, what was not asked is Unknown, and
// what the smoke test made is still removed.
func Verify(ctx context.Context, spec Spec, hosts map[addr.Host]host.Host, unreachable map[addr.Host]string, on func(Check)) Report {
	start := time.Now()
	v := &verification{spec: spec, hosts: hosts, unreachable: unreachable, on: on}
	report := Report{Cluster: spec.Cluster, Checks: v.missingHosts()}

	var probes []Check
	var wg sync.WaitGroup
	wg.Go(func() { probes = v.askAll(ctx, v.probes()) })
	cluster := v.cluster(ctx, &report)
	wg.Wait()

	report.Checks = slices.Concat(report.Checks, probes, cluster)
	report.Healthy = healthy(report)
	report.Elapsed = time.Since(start)
	return report
}

// healthy is the verdict: every question was asked and answered well.
func healthy(r Report) bool {
	for _, c := range r.Checks {
		if c.Status != Healthy && c.Status != Skipped {
			return false
		}
	}
	for _, c := range r.ComponentStatuses {
		if c.Status != componentHealthy {
			return false
		}
	}
	for _, n := range r.Nodes {
		if !n.Ready {
			return false
		}
	}
	return true
}

// missingHosts is a check for every host that has no session, so that a host
// nobody could ask about anything is never part of a healthy report.
func (v *verification) missingHosts() []Check {
	missing := make(map[addr.Host]bool)
	for h := range v.unreachable {
		missing[h] = true
	}
	for _, p := range v.spec.Probes {
		missing[p.Host] = true
	}
	for _, n := range v.spec.Nodes {
		missing[n.Host] = true
	}
	for _, m := range v.spec.Masters {
		missing[m] = true
	}
	var checks []Check
	for h := range missing {
		if _, ok := v.hosts[h]; ok {
			continue
		}
		checks = append(checks, Check{
			Host: h, Component: componentHost, Name: checkReachable, Status: Unknown, Message: absence(h, v.unreachable),
		})
	}
	slices.SortFunc(checks, func(a, b Check) int { return a.Host.Compare(b.Host) })
	for _, c := range checks {
		v.tell(c)
	}
	return checks
}

// probes are the questions of the spec, by host and then in the spec's order.
func (v *verification) probes() []question {
	list := slices.Clone(v.spec.Probes)
	slices.SortStableFunc(list, func(a, b Probe) int { return a.Host.Compare(b.Host) })
	var out []question
	for _, p := range list {
		out = append(out, question{
			check: Check{Host: p.Host, Component: p.Component, Name: p.Gate.Name},
			ask: func(ctx context.Context) (string, error) {
				h, err := v.host(p.Host)
				if err != nil {
					return "", err
				}
				ctx, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				return "", ask(ctx, h, p.Gate)
			},
		})
	}
	return out
}

// host returns the session of a host, or why there is none.
func (v *verification) host(h addr.Host) (host.Host, error) {
	if session, ok := v.hosts[h]; ok {
		return session, nil
	}
	return nil, errors.New(absence(h, v.unreachable))
}

// askAll asks all questions at once and returns the checks in their order.
func (v *verification) askAll(ctx context.Context, questions []question) []Check {
	checks := make([]Check, len(questions))
	var wg sync.WaitGroup
	for i, q := range questions {
		wg.Go(func() {
			checks[i] = askOne(ctx, q)
			v.tell(checks[i])
		})
	}
	wg.Wait()
	return checks
}

// askOne makes one check.
func askOne(ctx context.Context, q question) Check {
	start := time.Now()
	c := q.check
	message, err := "", context.Cause(ctx)
	if err == nil {
		message, err = q.ask(ctx)
	} else {
		err = fmt.Errorf("not asked: %w", err)
	}
	c.Elapsed = time.Since(start)
	c.Status, c.Message = judge(message, err)
	return c
}

// judge turns the outcome of a question into a status and one line.
func judge(message string, err error) (Status, string) {
	if err == nil {
		return Healthy, clean(message)
	}
	if reason, ok := errors.AsType[skipped](err); ok {
		return Skipped, clean(string(reason))
	}
	if _, ok := errors.AsType[*AnswerError](err); ok && !errors.Is(err, errNoAPI) {
		return Unhealthy, clean(err.Error())
	}
	return Unknown, clean(err.Error())
}

func (v *verification) tell(c Check) {
	if v.on == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.on(c)
}
