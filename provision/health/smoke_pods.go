package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// errPending says that a pod is not Ready yet.
var errPending = errors.New("not Ready yet")

// awaitPods waits until the pods are Ready, tells of each as it becomes so, and
// notes their addresses. A pod that does not is explained by what the API says of it.
func (s *smokeTest) awaitPods(ctx context.Context) []Check {
	start := time.Now()
	checks := make([]Check, len(s.places))
	latest := make(map[string]corev1.Pod)
	_, err := retry(ctx, s.timeout, nil, func(ctx context.Context) error {
		var list corev1.PodList
		if err := s.api.get(ctx, s.path("pods"), &list); err != nil {
			return err
		}
		for _, p := range list.Items {
			latest[p.Name] = p
		}
		pending := false
		for i := range s.places {
			at := &s.places[i]
			pod := latest[at.pod]
			if checks[i].Status != "" {
				continue
			}
			if !isReady(pod) {
				pending = true
				continue
			}
			checks[i] = runCheck(at.node)
			checks[i].Status, checks[i].Message = judge(clean(pod.Status.PodIP), misplaced(pod, at.node.Name))
			checks[i].Elapsed = time.Since(start)
			if checks[i].Status == Healthy {
				at.ip = pod.Status.PodIP
			}
			s.v.tell(checks[i])
		}
		if pending {
			return errPending
		}
		return nil
	})
	if err == nil {
		return checks
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var warnings map[string]string
	if ctx.Err() == nil {
		warnings = s.warnings(ctx)
	}
	for i, at := range s.places {
		if checks[i].Status != "" {
			continue
		}
		checks[i] = runCheck(at.node)
		failure := err
		if pod, ok := latest[at.pod]; ok && errors.Is(err, errPending) {
			failure = &AnswerError{Asked: "pod " + at.pod, Answer: whyNotReady(pod, warnings[at.pod])}
		}
		checks[i].Status, checks[i].Message = judge("", failure)
		checks[i].Elapsed = time.Since(start)
		s.v.tell(checks[i])
	}
	return checks
}

// isReady reports whether the pod passes its readiness probe and has an address.
func isReady(p corev1.Pod) bool {
	return p.Status.PodIP != "" && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// misplaced says what is wrong with a pod that runs.
func misplaced(p corev1.Pod, node string) error {
	asked := "pod " + p.Name
	if p.Spec.NodeName != node {
		return &AnswerError{Asked: asked, Answer: "runs on " + clean(p.Spec.NodeName)}
	}
	for _, c := range p.Spec.Containers {
		if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenMount }) {
			return nil
		}
	}
	return &AnswerError{Asked: asked, Answer: "has no " + tokenMount + "; is the admission plugin ServiceAccount off?"}
}

// whyNotReady is what the API knows about a pod that does not run: that of the
// scheduler, that of the container, and the latest warning.
func whyNotReady(p corev1.Pod, warning string) string {
	parts := []string{string(p.Status.Phase)}
	if p.Status.Reason != "" {
		parts = append(parts, p.Status.Reason+" "+p.Status.Message)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			parts = append(parts, c.Reason+" "+c.Message)
		}
	}
	if p.Spec.NodeName == "" && len(p.Status.Conditions) == 0 {
		parts = append(parts, "not scheduled; is the scheduler running?")
	}
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil:
			parts = append(parts, c.State.Waiting.Reason+" "+c.State.Waiting.Message)
		case c.State.Terminated != nil:
			parts = append(parts, c.State.Terminated.Reason+" "+c.State.Terminated.Message)
		case c.State.Running != nil && !c.Ready:
			parts = append(parts, "runs, but its readiness probe fails")
		}
	}
	if warning != "" {
		parts = append(parts, "last event: "+warning)
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return clean(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; "))
}

// warnings are the latest Warning events of the pods, by pod. Events only explain
// what is known to be wrong, so failing to read them is no failure.
func (s *smokeTest) warnings(ctx context.Context) map[string]string {
	var list corev1.EventList
	if err := s.api.get(ctx, s.path("events"), &list); err != nil {
		return nil
	}
	return latestWarnings(list)
}

func latestWarnings(list corev1.EventList) map[string]string {
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	out := make(map[string]string)
	for _, e := range list.Items {
		if e.Type == corev1.EventTypeWarning && e.InvolvedObject.Kind == "Pod" {
			out[e.InvolvedObject.Name] = e.Reason + " " + e.Message
		}
	}
	return out
}

// eventTime is when an event happened last; new reporters fill another field than old ones.
func eventTime(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
