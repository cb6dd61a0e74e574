package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// dialTimeout is for one try of /dial, and answerLimit the part of its answer that is kept.
const (
	dialTimeout = 5 * time.Second
	answerLimit = 64 << 10
	triesLimit  = 100
)

// newHandler serves netexec's endpoints for a pod of that name.
func newHandler(hostname string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "NOW: ", time.Now().UTC()) })
	mux.HandleFunc("/hostname", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, hostname) })
	mux.HandleFunc("/hostName", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, hostname) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/clientip", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/dial", dial)
	return mux
}

// echo answers with the msg parameter.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // never let a browser sniff markup out of it
	fmt.Fprint(w, r.FormValue("msg"))
}

// dialAnswer is the JSON of /dial; a field without entries is left out, as upstream does.
type dialAnswer struct {
	Responses []string `json:"responses,omitempty"`
	Errors    []string `json:"errors,omitempty"`
}

// dial makes requests from within this pod: /dial?host=IP&port=P&protocol=http&request=hostname&tries=N.
func dial(w http.ResponseWriter, r *http.Request) {
	target, tries, err := dialTarget(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer dialAnswer
	for range tries {
		body, err := get(r.Context(), target)
		if err != nil {
			answer.Errors = append(answer.Errors, err.Error())
			continue
		}
		answer.Responses = append(answer.Responses, body)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// dialTarget reads the URL and the number of tries out of /dial's parameters.
func dialTarget(query url.Values) (target string, tries int, err error) {
	if protocol := query.Get("protocol"); protocol != "" && protocol != "http" {
		return "", 0, fmt.Errorf("protocol %q: only http is served here", protocol)
	}
	host := query.Get("host")
	if host == "" {
		return "", 0, fmt.Errorf("the parameter host is missing")
	}
	port, err := strconv.ParseUint(query.Get("port"), 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: want a number up to 65535", query.Get("port"))
	}
	tries = 1
	if text := query.Get("tries"); text != "" {
		tries, err = strconv.Atoi(text)
		if err != nil || tries < 1 || tries > triesLimit {
			return "", 0, fmt.Errorf("tries %q: want a number from 1 to %d", text, triesLimit)
		}
	}
	request := query.Get("request")
	if request == "" {
		request = "hostname"
	}
	return "http://" + net.JoinHostPort(host, strconv.FormatUint(port, 10)) + "/" + request, tries, nil
}

// get fetches one page over a connection of its own: a kept connection would always reach the same Service endpoint.
func get(ctx context.Context, target string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s: %s", target, response.Status, body)
	}
	return string(body), nil
}
