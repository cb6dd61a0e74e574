package health

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"hardway/provision/addr"
)

// Names of the smoke test's checks.
const (
	checkSmokeTest = "smoke test"
	checkNamespace = "namespace"
	checkAccount   = "service account and ca.crt"
	checkObjects   = "pods and Service are accepted"
	checkCleanUp   = "clean-up"
)

const (
	// smokeTimeout is for the pods to become Ready, where the spec gives none.
	smokeTimeout = 2 * time.Minute
	// questionBudget is for all that is asked of running pods.
	questionBudget = 4 * time.Minute
	// removalTimeout is for the namespace to be gone after the test,
	// interruptedRemovalTimeout for the same while a person waits for the prompt.
	removalTimeout            = 90 * time.Second
	interruptedRemovalTimeout = 20 * time.Second
)

// errBudget ends what is still being asked of the pods.
var errBudget = errors.New("the time for asking the pods is over")

// place is a pod of the smoke test and the node it has to run on.
type place struct {
	pod  string
	node NodeSpec
	ip   string // once the pod is Ready
}

// smokeTest is one run of the smoke test, in a namespace of its own.
type smokeTest struct {
	v         *verification
	api       *api
	timeout   time.Duration
	namespace string
	sent      []string // names of all pods that were made
	places    []place  // on the nodes that are Ready, in the spec's order; later only the pods that run
}

// lifetime is how long anything of a smoke test may exist. What is older was left
// behind by one that was killed.
func (s *smokeTest) lifetime() time.Duration {
	return s.timeout + questionBudget + removalTimeout
}

// smoke proves that the cluster does what it is for: it schedules pods, starts
// them, connects them and shows them. It needs the table of nodes: a pod that
// waits for a node that is not Ready would tell nothing new.
func (v *verification) smoke(ctx context.Context, a *api, rows []NodeStatus, listed bool) []Check {
	first := Check{Component: componentSmoke, Name: checkNamespace}
	switch {
	case v.spec.Smoke.Image == "":
		first.Name = checkSmokeTest
		return v.askAll(ctx, []question{{first, answer(skipped("no image is set for it"))}})
	case len(v.spec.Nodes) == 0:
		first.Name = checkSmokeTest
		return v.askAll(ctx, []question{{first, answer(skipped("there are no nodes"))}})
	case !listed:
		return v.askAll(ctx, []question{{first, answer(errNoNodes)}})
	}
	s := &smokeTest{v: v, api: a, timeout: v.spec.Smoke.Timeout}
	if s.timeout <= 0 {
		s.timeout = smokeTimeout
	}
	checks := v.askAll(ctx, []question{{first, s.makeNamespace}})
	if s.namespace == "" {
		return checks
	}
	checks = append(checks, s.inside(ctx, rows)...)
	return append(checks, s.cleanUp(ctx))
}

// answer is the ask of a question whose outcome is known.
func answer(err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return "", err }
}

// makeNamespace makes the namespace and removes what earlier tests left behind.
func (s *smokeTest) makeNamespace(ctx context.Context) (string, error) {
	base := s.v.spec.Smoke.Namespace
	if base == "" {
		base = smokeNamespace
	}
	var made corev1.Namespace
	if err := s.api.post(ctx, "/api/v1/namespaces", namespaceObject(base), &made); err != nil {
		return "", err
	}
	// The name goes into paths of the API from here on.
	suffix, ok := strings.CutPrefix(made.Name, base+"-")
	if !ok || suffix == "" || url.PathEscape(made.Name) != made.Name {
		return "", &AnswerError{Asked: "making a namespace " + base + "-…", Answer: "the API server calls it " + clean(made.Name)}
	}
	s.namespace = made.Name
	return s.namespace + s.sweep(ctx, made.CreationTimestamp.Time), nil
}

// sweep deletes namespaces of smoke tests that were killed before they could do
// it themselves, and says so. One that may still be running is left alone. Ages
// are measured with the API server's clock: now is when it made our namespace.
func (s *smokeTest) sweep(ctx context.Context, now time.Time) string {
	var labels []string
	for key, value := range smokeLabels() {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	query := url.Values{"labelSelector": {strings.Join(labels, ",")}}
	var list corev1.NamespaceList
	if err := s.api.get(ctx, "/api/v1/namespaces?"+query.Encode(), &list); err != nil {
		return "; leftovers of earlier tests were not looked for: " + err.Error()
	}
	removed := 0
	for _, n := range list.Items {
		if n.Name == s.namespace || n.DeletionTimestamp != nil || now.Sub(n.CreationTimestamp.Time) < s.lifetime() {
			continue
		}
		if err := s.api.delete(ctx, namespacePath(n.Name)); err != nil {
			return "; removing the leftover " + n.Name + ": " + err.Error()
		}
		removed++
	}
	if removed == 0 {
		return ""
	}
	return fmt.Sprintf("; removing %d left by earlier tests", removed)
}

// inside is the test within its namespace.
func (s *smokeTest) inside(ctx context.Context, rows []NodeStatus) []Check {
	v := s.v
	checks := v.askAll(ctx, []question{{Check{Component: componentSmoke, Name: checkAccount}, s.awaitAccount}})
	if checks[0].Status != Healthy {
		return checks
	}
	var elsewhere []question
	for i, n := range v.spec.Nodes {
		if _, err := judgeNode(n.Name, rows); err != nil {
			elsewhere = append(elsewhere, question{runCheck(n), answer(errors.New("no pod was sent to a node that is not Ready"))})
			continue
		}
		p := place{pod: smokeName + "-" + strconv.Itoa(i+1), node: n}
		s.sent, s.places = append(s.sent, p.pod), append(s.places, p)
	}
	checks = append(checks, v.askAll(ctx, elsewhere)...)
	if len(s.places) == 0 {
		return checks
	}
	create := v.askAll(ctx, []question{{
		Check{Component: componentSmoke, Name: checkObjects},
		func(ctx context.Context) (string, error) {
			return "", s.api.create(ctx, smokeObjects(s.namespace, v.spec.Smoke.Image, s.places, s.lifetime()))
		},
	}})
	checks = append(checks, create...)
	if create[0].Status != Healthy {
		return checks
	}
	running := s.awaitPods(ctx)
	checks = append(checks, running...)
	s.places = slices.DeleteFunc(s.places, func(p place) bool { return p.ip == "" })
	ctx, cancel := context.WithTimeoutCause(ctx, questionBudget, errBudget)
	defer cancel()
	return append(checks, v.askAll(ctx, s.questions(ctx))...)
}

// runCheck is the check that a pod runs on a node.
func runCheck(n NodeSpec) Check {
	return Check{Host: n.Host, Component: componentSmoke, Name: "pod on " + n.Name + " runs"}
}

// awaitAccount waits for what the controller-manager puts into every new
// namespace: without it no pod starts ("serviceaccount/ca.crt: no such file").
func (s *smokeTest) awaitAccount(ctx context.Context) (string, error) {
	_, err := retry(ctx, s.timeout, nil, func(ctx context.Context) error {
		var account corev1.ServiceAccount
		if err := s.api.get(ctx, s.path("serviceaccounts", "default"), &account); err != nil {
			return s.unpublished(err, "the controller-manager has not made it; is it running, and the leader?")
		}
		var bundle corev1.ConfigMap
		if err := s.api.get(ctx, s.path("configmaps", "kube-root-ca.crt"), &bundle); err != nil {
			return s.unpublished(err, "the controller-manager publishes it when it has --root-ca-file")
		}
		return checkBundle(bundle.Data["ca.crt"])
	})
	return "", err
}

func (s *smokeTest) unpublished(err error, hint string) error {
	if isNotFound(err) {
		return fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}

// checkBundle checks that pods get at least one certificate to trust.
func checkBundle(text string) error {
	const asked = "configmap kube-root-ca.crt"
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return &AnswerError{Asked: asked, Answer: "ca.crt holds no certificate"}
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return &AnswerError{Asked: asked, Answer: "ca.crt cannot be read: " + err.Error()}
	}
	return nil
}

// cleanUp removes the namespace and waits until it is gone. When the verification
// was interrupted it still gets a short time of its own.
func (s *smokeTest) cleanUp(ctx context.Context) Check {
	timeout := removalTimeout
	if ctx.Err() != nil {
		timeout = interruptedRemovalTimeout
	}
	c := askOne(context.WithoutCancel(ctx), question{
		Check{Host: addr.Host{}, Component: componentSmoke, Name: checkCleanUp},
		func(ctx context.Context) (string, error) { return "", s.remove(ctx, timeout) },
	})
	s.v.tell(c)
	return c
}

func (s *smokeTest) remove(ctx context.Context, timeout time.Duration) error {
	deleted := false
	_, err := retry(ctx, timeout, nil, func(ctx context.Context) error {
		if !deleted {
			if err := s.api.delete(ctx, namespacePath(s.namespace)); err != nil {
				return err
			}
			deleted = true
		}
		var left corev1.Namespace
		err := s.api.get(ctx, namespacePath(s.namespace), &left)
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		}
		return &AnswerError{Asked: "namespace " + s.namespace, Answer: "still there: " + obstacles(left)}
	})
	if err != nil {
		return fmt.Errorf("%w; remove it by hand: kubectl delete namespace %s", err, s.namespace)
	}
	return nil
}

// obstacles is what holds a namespace that is being deleted.
func obstacles(n corev1.Namespace) string {
	var out []string
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			out = append(out, c.Message)
		}
	}
	if len(out) == 0 {
		return "the controller-manager has not finished removing it"
	}
	return clean(strings.Join(out, "; "))
}

func namespacePath(name string) string { return "/api/v1/namespaces/" + url.PathEscape(name) }

// path is the path of a kind of object in the test's namespace, or of one object.
func (s *smokeTest) path(kind string, name ...string) string {
	return namespacePath(s.namespace) + "/" + kind + strings.Join(append([]string{""}, name...), "/")
}
