package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/net/http/httpproxy"
)

// web downloads over http and https.
type web struct {
	client *retryablehttp.Client
	// stall is how long a transfer may stand still.
	stall time.Duration
}

// newWeb returns a client that tries a request five times, waiting from wait on
// twice as long each time. With a proxy it goes through that, but for the hosts
// of NO_PROXY; else proxies are taken from the environment.
func newWeb(wait time.Duration, proxy string) *web {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if proxy != "" {
		config := httpproxy.FromEnvironment()
		config.HTTPProxy, config.HTTPSProxy = proxy, proxy
		choose := config.ProxyFunc() // loopback is never asked through a proxy
		t.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	}
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 15 * time.Second
	t.ResponseHeaderTimeout = 30 * time.Second
	// A .tar.gz must arrive as it was published, not unpacked on the way.
	t.DisableCompression = true
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: t, CheckRedirect: keepSecure}
	c.Logger = nil
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = 4, wait, 16*wait
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &web{client: c, stall: time.Minute}
}

// keepSecure refuses a redirection from https to http.
func keepSecure(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("too many redirections")
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("refused to be redirected from https to %s", req.URL.Redacted())
	}
	return nil
}

// site is a place on the web.
type site struct {
	base *url.URL
	web  *web
}

func (s site) url(rel string) *url.URL { return s.base.JoinPath(rel) }

// name leaves out user and password: it is shown and stored.
func (s site) name(rel string) string {
	u := *s.url(rel)
	u.User = nil
	return u.String()
}

func (s site) checkedOnly() string {
	host := s.base.Hostname()
	if ip := net.ParseIP(host); s.base.Scheme == "https" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return "over plain http both the file and its sum could be forged on the way"
}

func (s site) open(ctx context.Context, rel string) (io.ReadCloser, int64, error) {
	b, size, _, err := s.from(ctx, rel, mark{})
	return b, size, err
}

// from asks for a file, or for the rest of one of which a part is there already.
// It returns at which byte the answer begins: at 0, where the server has another
// file by now or gives no parts. The size is that of the whole file.
func (s site) from(ctx context.Context, rel string, had mark) (_ io.ReadCloser, size, start int64, _ error) {
	outer := ctx
	ctx, cancel := context.WithCancelCause(outer)
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, s.url(rel).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, 0, 0, err
	}
	if had.resumable() {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", had.done))
		req.Header.Set("If-Range", had.validator)
	}
	resp, err := s.web.client.Do(req)
	if err != nil {
		cancel(nil)
		return nil, 0, 0, withoutURL(err)
	}
	size = resp.ContentLength
	switch {
	case had.resumable() && resp.StatusCode == http.StatusPartialContent:
		if size, err = contentRange(resp.Header.Get("Content-Range"), had.done); err != nil {
			resp.Body.Close()
			cancel(nil)
			return nil, 0, 0, err
		}
		start = had.done
	case had.resumable() && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		// Nothing is behind what is there, so it is not a part of this file.
		resp.Body.Close()
		cancel(nil)
		return s.from(outer, rel, mark{})
	case resp.StatusCode != http.StatusOK:
		resp.Body.Close()
		cancel(nil)
		err := fmt.Errorf("the server answered %s", resp.Status)
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
			err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
		}
		return nil, 0, 0, err
	}
	b := &body{ReadCloser: resp.Body, stall: s.web.stall, cancel: cancel, ctx: ctx, validator: validator(resp.Header)}
	b.timer = time.AfterFunc(b.stall, func() { cancel(fmt.Errorf("the transfer stood still for %s", b.stall)) })
	return b, size, start, nil
}

// withoutURL takes the URL out of an error of net/http: callers name the place
// themselves, without the password that the URL may hold.
func withoutURL(err error) error {
	if u := new(url.Error); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// body is a response's body that gives up when nothing comes any more, and tells
// a broken transfer from a cancelled one.
type body struct {
	io.ReadCloser
	stall  time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
	// validator is what If-Range takes to tell whether it is still the same file.
	validator string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, err
	}
	if cause := context.Cause(b.ctx); cause != nil {
		err = cause
		if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
			return n, err
		}
	}
	return n, &brokenError{err}
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
