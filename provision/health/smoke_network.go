package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"hardway/provision/addr"
)

const (
	// settleTimeout is how long a rule or a route may take to follow a pod that
	// has just become Ready.
	settleTimeout = 30 * time.Second
	// serviceTries bounds how often a host asks the Service: kube-proxy picks a
	// pod at random, and each should be met.
	serviceTries = 16
	// dialTries is how often a pod asks another one. Each try may take it 5 s, and
	// dialWait is for all of them.
	dialTries = "3"
	dialWait  = 20 * time.Second
	// hostCallTimeout bounds one question that a host asks; the script ends earlier by itself.
	hostCallTimeout = 45 * time.Second
	// allPairsUpTo is the number of nodes up to which every pod asks every other
	// one. Beyond, the number of pairs grows with the number of nodes only: see pairs.
	allPairsUpTo = 6
)

// questions is everything that is asked of running pods.
func (s *smokeTest) questions(ctx context.Context) []question {
	if len(s.places) == 0 {
		return nil
	}
	var out []question
	ask := func(on addr.Host, name string, how func(context.Context) (string, error)) {
		out = append(out, question{Check{Host: on, Component: componentSmoke, Name: name}, how})
	}
	clusterIP, err := s.clusterIP(ctx)
	for _, n := range s.v.spec.Nodes {
		ask(n.Host, "Service reached through kube-proxy from "+n.Name, func(ctx context.Context) (string, error) {
			if err != nil {
				return "", err
			}
			return s.askService(ctx, n, clusterIP)
		})
	}
	for _, pair := range s.pairs() {
		from, to := s.places[pair[0]], s.places[pair[1]]
		ask(from.node.Host, "pod to pod "+from.node.Name+" → "+to.node.Name, func(ctx context.Context) (string, error) {
			return s.askPod(ctx, from, to)
		})
	}
	for _, p := range s.places {
		ask(p.node.Host, "API server to pod on "+p.node.Name, func(ctx context.Context) (string, error) {
			return s.askThroughAPI(ctx, p)
		})
		ask(p.node.Host, "logs of "+p.node.Name+" through the kubelet", func(ctx context.Context) (string, error) {
			return s.readLogs(ctx, p)
		})
		ask(p.node.Host, "exec on "+p.node.Name+" through the kubelet", func(ctx context.Context) (string, error) {
			return s.execute(ctx, p)
		})
	}
	return out
}

// clusterIP reads the address that the API server gave to the Service.
func (s *smokeTest) clusterIP(ctx context.Context) (string, error) {
	var service corev1.Service
	if err := s.api.get(ctx, s.path("services", smokeName), &service); err != nil {
		return "", err
	}
	if net.ParseIP(service.Spec.ClusterIP) == nil {
		return "", &AnswerError{Asked: "service " + smokeName, Answer: "has no cluster IP: " + clean(service.Spec.ClusterIP)}
	}
	return service.Spec.ClusterIP, nil
}

// askService asks the Service from a host, through the rules that kube-proxy wrote
// there, until every pod has answered or it was asked often enough. Once the
// Service answers, no question may fail: a pod that is not reached shows only then.
func (s *smokeTest) askService(ctx context.Context, n NodeSpec, clusterIP string) (string, error) {
	address := endpoint(clusterIP, servicePort, "/hostname", nil)
	met := make(map[string]bool)
	request := func(ctx context.Context) error {
		body, err := s.fromHost(ctx, n.Host, address, 0)
		if err != nil {
			return err
		}
		name := clean(body)
		if !slices.Contains(s.sent, name) { // one that became Ready too late may answer too
			return &AnswerError{Asked: "GET " + address, Answer: "none of the test's pods, but: " + name}
		}
		met[name] = true
		return nil
	}
	if _, err := retry(ctx, settleTimeout, nil, request); err != nil {
		return "", err
	}
	var failures []error
	tries := 1
	for ; tries < serviceTries && len(met) < len(s.places) && ctx.Err() == nil && len(failures) < 3; tries++ {
		if err := request(ctx); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		return "", fmt.Errorf("%d of %d requests failed, %d of %d pods answered: %w",
			len(failures), tries, len(met), len(s.places), failures[0])
	}
	return fmt.Sprintf("%d of %d pods answered in %d requests", len(met), len(s.places), tries), nil
}

// pairs are the pods that ask each other, as indices of places: every ordered
// pair in a small cluster; in a large one a ring through all nodes, and the first
// master with every other node in both directions, which is 3 questions a node.
func (s *smokeTest) pairs() [][2]int {
	n := len(s.places)
	var out [][2]int
	add := func(from, to int) {
		if pair := [2]int{from, to}; from != to && !slices.Contains(out, pair) {
			out = append(out, pair)
		}
	}
	if n <= allPairsUpTo {
		for from := range n {
			for to := range n {
				add(from, to)
			}
		}
		return out
	}
	hub := max(0, slices.IndexFunc(s.places, func(p place) bool { return p.node.Host.Role == addr.Master }))
	for i := range n {
		add(i, (i+1)%n)
		add(hub, i)
		add(i, hub)
	}
	return out
}

// askPod has one pod ask another, by netexec's /dial. The first pod is told to by
// its own host, which always reaches it; through the API server if there is no
// session with that host.
func (s *smokeTest) askPod(ctx context.Context, from, to place) (string, error) {
	query := url.Values{
		"host": {to.ip}, "port": {strconv.Itoa(podPort)}, "protocol": {"http"}, "request": {"hostname"}, "tries": {dialTries},
	}
	dial := func(ctx context.Context) ([]byte, error) {
		if _, connected := s.v.hosts[from.node.Host]; !connected {
			return s.api.run(ctx, nil, "get", "--raw", s.proxyPath(from)+"/dial?"+query.Encode())
		}
		text, err := s.fromHost(ctx, from.node.Host, endpoint(from.ip, podPort, "/dial", query), dialWait)
		return []byte(text), err
	}
	_, err := retry(ctx, settleTimeout, nil, func(ctx context.Context) error {
		text, err := dial(ctx)
		if err != nil {
			return err
		}
		return judgeDial(text, to)
	})
	return "", err
}

// judgeDial reads the answer of /dial: every try must have met the other pod.
func judgeDial(text []byte, to place) error {
	asked := "dialling " + net.JoinHostPort(to.ip, strconv.Itoa(podPort))
	var answer struct {
		Responses []string `json:"responses"`
		Errors    []string `json:"errors"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return &AnswerError{Asked: asked, Answer: "not the JSON of netexec: " + clean(string(text))}
	}
	if len(answer.Errors) > 0 {
		return &AnswerError{Asked: asked, Answer: fmt.Sprintf("%d of %s tries failed: %s", len(answer.Errors), dialTries, clean(answer.Errors[0]))}
	}
	if len(answer.Responses) == 0 {
		return &AnswerError{Asked: asked, Answer: "no answer"}
	}
	for _, name := range answer.Responses {
		if strings.TrimSpace(name) != to.pod {
			return &AnswerError{Asked: asked, Answer: "another pod answered: " + clean(name)}
		}
	}
	return nil
}

// askThroughAPI asks a pod through the API server, as webhooks and aggregated
// APIs are reached. A master that is no node of the cluster need not be able to.
func (s *smokeTest) askThroughAPI(ctx context.Context, p place) (string, error) {
	_, err := retry(ctx, settleTimeout, nil, func(ctx context.Context) error {
		out, err := s.api.run(ctx, nil, "get", "--raw", s.proxyPath(p)+"/hostname")
		if err != nil {
			return err
		}
		if name := clean(string(out)); name != p.pod {
			return &AnswerError{Asked: "pod " + p.pod, Answer: "another one answered: " + name}
		}
		return nil
	})
	masterIsNode := slices.ContainsFunc(s.v.spec.Nodes, func(n NodeSpec) bool { return n.Host == s.api.on() })
	if answer, ok := errors.AsType[*AnswerError](err); ok && !masterIsNode {
		return "", skipped("the API server's host is no node, and has no way to pods: " + answer.Answer)
	}
	return "", err
}

func (s *smokeTest) proxyPath(p place) string {
	return s.path("pods", "http:"+p.pod+":"+strconv.Itoa(podPort), "proxy")
}

// fromHost asks a URL on a host and returns the body of a 200. Like a call of
// kubectl it runs to its end: cutting it off could cost the session that the
// clean-up needs.
func (s *smokeTest) fromHost(ctx context.Context, h addr.Host, address string, wait time.Duration) (string, error) {
	session, err := s.v.host(h)
	if err != nil {
		return "", err
	}
	if err := context.Cause(ctx); err != nil {
		return "", fmt.Errorf("asking %s: %w", address, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hostCallTimeout)
	defer cancel()
	status, body, err := httpGet(ctx, session, address, wait)
	if err == nil && status != http.StatusOK {
		err = badStatus(address, status, body)
	}
	return string(body), err
}

func endpoint(ip string, port int, path string, query url.Values) string {
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(ip, strconv.Itoa(port)), Path: path, RawQuery: query.Encode()}
	return u.String()
}
