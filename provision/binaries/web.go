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
)

// web downloads over http and https.
type web struct {
	client *retryablehttp.Client
	// stall is how long a transfer may stand still.
	stall time.Duration
}

// newWeb returns a client that tries a request five times, waiting from wait on
// twice as long each time. Proxies are taken from the environment.
func newWeb(wait time.Duration) *web {
	t := http.DefaultTransport.(*http.Transport).Clone()
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
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, s.url(rel).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, 0, err
	}
	resp, err := s.web.client.Do(req)
	if err != nil {
		cancel(nil)
		return nil, 0, withoutURL(err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		cancel(nil)
		err := fmt.Errorf("the server answered %s", resp.Status)
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
			err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
		}
		return nil, 0, err
	}
	b := &body{ReadCloser: resp.Body, stall: s.web.stall, cancel: cancel, ctx: ctx}
	b.timer = time.AfterFunc(b.stall, func() { cancel(fmt.Errorf("the transfer stood still for %s", b.stall)) })
	return b, resp.ContentLength, nil
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
