package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fetch gets one page of the server.
func fetch(t *testing.T, server *httptest.Server, page string) (int, string) {
	t.Helper()
	response, err := server.Client().Get(server.URL + page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestPages(t *testing.T) {
	server := httptest.NewServer(newHandler("pod-1"))
	defer server.Close()
	tests := []struct {
		page, body string
		status     int
	}{
		{"/hostname", "pod-1", http.StatusOK},
		{"/healthz", "", http.StatusOK},
		{"/echo?msg=hello+there", "hello there", http.StatusOK},
		{"/dial?port=80", "the parameter host is missing\n", http.StatusBadRequest},
		{"/dial?host=x&port=99999", "port \"99999\": want a number up to 65535\n", http.StatusBadRequest},
		{"/dial?host=x&port=80&tries=0", "tries \"0\": want a number from 1 to 100\n", http.StatusBadRequest},
		{"/dial?host=x&port=80&protocol=udp", "protocol \"udp\": only http is served here\n", http.StatusBadRequest},
	}
	for _, tt := range tests {
		status, body := fetch(t, server, tt.page)
		if status != tt.status || body != tt.body {
			t.Errorf("%s answers %d %q, want %d %q", tt.page, status, body, tt.status, tt.body)
		}
	}
	if _, body := fetch(t, server, "/clientip"); !strings.HasPrefix(body, "127.0.0.1:") {
		t.Errorf("/clientip answers %q", body)
	}
}

func TestDial(t *testing.T) {
	target := httptest.NewServer(newHandler("pod-2"))
	defer target.Close()
	dialer := httptest.NewServer(newHandler("pod-1"))
	defer dialer.Close()
	address, err := url.Parse(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	query := "/dial?protocol=http&host=" + address.Hostname() + "&port=" + address.Port()
	tests := []struct {
		page string
		want dialAnswer
	}{
		{query + "&request=hostname&tries=2", dialAnswer{Responses: []string{"pod-2", "pod-2"}}},
		{query + "&request=nowhere/else", dialAnswer{Responses: []string{"NOW"}}},
		{"/dial?host=127.0.0.1&port=1&request=hostname", dialAnswer{Errors: []string{`Get "http://127.0.0.1:1/hostname": dial tcp 127.0.0.1:1: connect: connection refused`}}},
	}
	for _, tt := range tests {
		_, body := fetch(t, dialer, tt.page)
		var got dialAnswer
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s answers %q: %v", tt.page, body, err)
		}
		for i, response := range got.Responses {
			got.Responses[i], _, _ = strings.Cut(response, ":")
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.page, diff)
		}
	}
}
