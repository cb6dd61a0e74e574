package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// cluster asks what only the Kubernetes API knows. It fills the report's tables
// and returns its checks.
func (v *verification) cluster(ctx context.Context, report *Report) []Check {
	if len(v.spec.Masters) == 0 {
		return nil
	}
	a, err := connect(ctx, v.spec, v.hosts, v.unreachable)
	if err != nil {
		return v.askAll(ctx, v.unasked(err))
	}
	checks := v.askAll(ctx, []question{
		{
			check: Check{Host: a.on(), Component: componentStatus, Name: checkComponents},
			ask: func(ctx context.Context) (message string, err error) {
				report.ComponentStatuses, err = componentStatuses(ctx, a)
				if isNotFound(err) {
					return "", skipped("this API server no longer has componentstatuses")
				}
				if err != nil {
					return "", err
				}
				return judgeComponents(report.ComponentStatuses)
			},
		},
		{
			check: Check{Host: a.on(), Component: componentNode, Name: checkListingNodes},
			ask: func(ctx context.Context) (message string, err error) {
				if report.Nodes, err = nodeStatuses(ctx, a); err != nil {
					return "", err
				}
				return fmt.Sprintf("%d nodes", len(report.Nodes)), nil
			},
		},
	})
	listed := checks[1].Status == Healthy
	return slices.Concat(checks,
		v.askAll(ctx, v.nodes(report.Nodes, listed)),
		v.smoke(ctx, a, report.Nodes, listed))
}

// unasked are the cluster's questions when no master answers: the same rows as
// otherwise, each Unknown, and the reason once.
func (v *verification) unasked(reason error) []question {
	first := Check{Host: v.spec.Masters[0], Component: componentStatus, Name: checkComponents}
	out := []question{{check: first, ask: func(context.Context) (string, error) { return "", reason }}}
	for _, n := range v.spec.Nodes {
		out = append(out, question{
			check: Check{Host: n.Host, Component: componentNode, Name: checkReady},
			ask:   func(context.Context) (string, error) { return "", errNoAPI },
		})
	}
	if v.spec.Smoke.Image != "" {
		out = append(out, question{
			check: Check{Component: componentSmoke, Name: checkNamespace},
			ask:   func(context.Context) (string, error) { return "", errNoAPI },
		})
	}
	return out
}

// judgeComponents sums the table up.
func judgeComponents(rows []ComponentStatus) (string, error) {
	var bad []string
	for _, r := range rows {
		if r.Status != componentHealthy {
			bad = append(bad, strings.TrimSpace(r.Name+" is "+r.Status+" "+r.Message+" "+r.Error))
		}
	}
	switch {
	case len(rows) == 0:
		return "", &AnswerError{Answer: "no rows"}
	case len(bad) > 0:
		return "", &AnswerError{Answer: strings.Join(bad, "; ")}
	}
	return fmt.Sprintf("%d of %d healthy", len(rows), len(rows)), nil
}

// nodes are the questions about the Node objects: those that must be there, and
// those that nobody declared.
func (v *verification) nodes(rows []NodeStatus, listed bool) []question {
	declared := make(map[string]bool)
	var out []question
	for _, n := range v.spec.Nodes {
		declared[n.Name] = true
		out = append(out, question{
			check: Check{Host: n.Host, Component: componentNode, Name: checkReady},
			ask: func(context.Context) (string, error) {
				if !listed {
					return "", errNoNodes
				}
				return judgeNode(n.Name, rows)
			},
		})
	}
	for _, row := range rows {
		if declared[row.Name] {
			continue
		}
		out = append(out, question{
			check: Check{Component: componentNode, Name: checkReady + ": " + row.Name},
			ask: func(context.Context) (string, error) {
				if _, err := judgeNode(row.Name, rows); err != nil {
					return "", fmt.Errorf("%w (no host stands for this Node; if it is gone, delete the Node)", err)
				}
				return "no host stands for this Node", nil
			},
		})
	}
	return out
}

func judgeNode(name string, rows []NodeStatus) (string, error) {
	i := slices.IndexFunc(rows, func(r NodeStatus) bool { return r.Name == name })
	switch {
	case i < 0:
		return "", &AnswerError{Asked: "node " + name, Answer: "is not registered; look at the kubelet's journal on this host"}
	case !rows[i].Ready:
		return "", &AnswerError{Asked: "node " + name, Answer: "not Ready: " + rows[i].Reason}
	}
	return strings.TrimSpace(rows[i].Version + " " + rows[i].Reason), nil
}
