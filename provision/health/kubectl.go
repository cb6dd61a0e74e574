package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hardway/provision/addr"
	"hardway/provision/host"
)

// callTimeout bounds one kubectl call from outside, requestTimeout from inside:
// the inner one ends first, so that a slow API server costs a call and not the
// host's session.
const (
	callTimeout    = 45 * time.Second
	requestTimeout = "15s"
)

// callsAtOnce bounds the kubectl processes that run on one master at a time; each
// takes some 50 MB there.
const callsAtOnce = 4

// errNoAPI means that no master could be asked: nothing can be said about what
// the API knows.
var errNoAPI = errors.New("the Kubernetes API could not be asked")

// errNoNodes means that the API was asked for its nodes and did not list them.
var errNoNodes = errors.New("the nodes could not be listed")

// api asks the Kubernetes API with kubectl on a master. Nearly everything is
// asked with --raw: that is one HTTP request, without the discovery requests of
// kubectl's other forms and without the cache they leave in root's home.
type api struct {
	kubectl    string
	kubeconfig string
	masters    []master // the one that answered first, then the others
	slots      chan struct{}
}

type master struct {
	addr addr.Host
	host host.Host
}

// connect finds the first master whose kubectl gets an answer.
func connect(ctx context.Context, spec Spec, hosts map[addr.Host]host.Host, unreachable map[addr.Host]string) (*api, error) {
	a := &api{kubectl: spec.Kubectl, kubeconfig: spec.Kubeconfig, slots: make(chan struct{}, callsAtOnce)}
	var answering bool
	var failures []error
	for _, m := range spec.Masters {
		h, ok := hosts[m]
		if !ok {
			failures = append(failures, fmt.Errorf("%s: %s", m, absence(m, unreachable)))
			continue
		}
		candidate := master{addr: m, host: h}
		if answering {
			a.masters = append(a.masters, candidate)
			continue
		}
		if _, err := a.call(ctx, candidate, nil, "get", "--raw", "/version"); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", m, err))
			continue
		}
		answering = true
		a.masters = append(a.masters, candidate)
	}
	if !answering {
		if len(failures) == 0 {
			return nil, fmt.Errorf("%w: there is no master", errNoAPI)
		}
		return nil, fmt.Errorf("%w on any master: %w", errNoAPI, errors.Join(failures...))
	}
	return a, nil
}

// on is the master that answers.
func (a *api) on() addr.Host { return a.masters[0].addr }

// get asks one path of the API and decodes the JSON it answers.
func (a *api) get(ctx context.Context, path string, into any) error {
	out, err := a.run(ctx, nil, "get", "--raw", path)
	if err != nil {
		return err
	}
	return decode(path, out, into)
}

// post creates the object at one path of the API and decodes what was made of it.
func (a *api) post(ctx context.Context, path string, object, into any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encoding the object for %s: %w", path, err)
	}
	out, err := a.run(ctx, body, "create", "--raw", path, "-f", "-")
	if err != nil {
		return err
	}
	return decode(path, out, into)
}

// create creates the objects of a List in one call.
func (a *api) create(ctx context.Context, list any) error {
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encoding the objects: %w", err)
	}
	_, err = a.run(ctx, body, append(withoutCache("create"), "--validate=false", "-f", "-")...)
	return err
}

// delete deletes the object at one path; what is already gone is no error.
func (a *api) delete(ctx context.Context, path string) error {
	_, err := a.run(ctx, nil, "delete", "--raw", path)
	if isNotFound(err) {
		return nil
	}
	return err
}

// withoutCache starts the arguments of a kubectl command that needs discovery.
// What kubectl found out it would write to a cache directory; writing below a
// device fails, which kubectl ignores, and nothing is left on the host.
func withoutCache(command string) []string {
	return []string{command, "--cache-dir=/dev/null"}
}

// run calls kubectl, a few calls at a time: on the master that answered first and,
// if that one can no longer be asked, on the others. What has a standard input
// creates something and is not asked twice.
func (a *api) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
	}
	var failures []error
	for _, m := range a.masters {
		out, err := a.call(ctx, m, stdin, args...)
		if err == nil || stdin != nil || ctx.Err() != nil {
			return out, err
		}
		if _, answered := errors.AsType[*AnswerError](err); answered {
			return out, err
		}
		failures = append(failures, fmt.Errorf("%s: %w", m.addr, err))
	}
	return nil, errors.Join(failures...)
}

// call runs kubectl to its end once it was started, also when ctx ends meanwhile:
// an object that was created must be known to be removed again, and a cut call
// would cost the session that the removal needs.
func (a *api) call(ctx context.Context, m master, stdin []byte, args ...string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("asking the Kubernetes API: %w", context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	argv := append([]string{a.kubectl, "--kubeconfig=" + a.kubeconfig, "--request-timeout=" + requestTimeout}, args...)
	out, err := runArgv(ctx, m.host, argv, stdin)
	if err != nil {
		return out, apiFailure(args, err)
	}
	if len(out) >= host.MaxOutput {
		return nil, fmt.Errorf("%s: the answer is longer than %d bytes", describe(args), host.MaxOutput)
	}
	return out, nil
}

// apiFailure shortens the question to what kubectl was asked, and turns "could
// not connect to the API server" into a question that was not asked: it says
// nothing about the object it was about.
func apiFailure(args []string, err error) error {
	answer, ok := errors.AsType[*AnswerError](err)
	if !ok {
		return err
	}
	said := strings.TrimPrefix(answer.Answer, "exit status 1: ") // kubectl has no other for its own errors
	asked := describe(args)
	for _, text := range []string{"Unable to connect to the server", "The connection to the server"} {
		if strings.Contains(answer.Answer, text) {
			return fmt.Errorf("%w: %s: %s", errNoAPI, asked, said)
		}
	}
	return &AnswerError{Asked: asked, Answer: said}
}

// describe is a kubectl command without what only says how it is to be run.
func describe(args []string) string {
	line := []string{"kubectl"}
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--cache-dir=") && !strings.HasPrefix(arg, "--validate=") {
			line = append(line, arg)
		}
	}
	return clean(strings.Join(line, " "))
}

// isNotFound reports whether the API server answered that the object is not there.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[*AnswerError](err)
	return ok && strings.Contains(answer.Answer, "(NotFound)")
}

// decode reads the JSON of an answer. What is no JSON of that shape is a bad answer.
func decode(path string, data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return &AnswerError{Asked: "GET " + path, Answer: fmt.Sprintf("not the JSON that was expected: %s", clean(err.Error()))}
	}
	return nil
}

// absence says why there is no connection to a host.
func absence(h addr.Host, unreachable map[addr.Host]string) string {
	if reason := clean(unreachable[h]); reason != "" {
		return "unreachable: " + reason
	}
	return "there is no connection to this host"
}
