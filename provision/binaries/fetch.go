package binaries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// fetch brings a file into the cache's care without making it visible. A
// transfer that breaks off is begun again twice.
func (o *obtainer) fetch(ctx context.Context, from place, rel, name string, limit int64) (*entry, error) {
	e, err := backoff.Retry(ctx, func() (*entry, error) {
		e, err := o.transfer(ctx, from, rel, name, limit)
		if err != nil && !errors.As(err, new(*brokenError)) {
			return nil, backoff.Permanent(err)
		}
		return e, err
	}, backoff.WithMaxTries(3), backoff.WithBackOff(backoff.NewConstantBackOff(cmp.Or(o.retryWait, time.Second))))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %s does not exist: does the source have this version and architecture? (%w)", name, from.name(rel), err)
	case err != nil:
		return nil, fmt.Errorf("%s from %s: %w", name, from.name(rel), err)
	}
	return e, nil
}

func (o *obtainer) transfer(ctx context.Context, from place, rel, name string, limit int64) (*entry, error) {
	r, size, err := from.open(ctx, rel)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, fmt.Errorf("it is %d MiB, and more than %d are refused", size>>20, limit>>20)
	}
	e, err := o.Cache.newEntry()
	if err != nil {
		return nil, err
	}
	p := Progress{Name: name, Source: from.name(rel), Total: size}
	if err := copyAll(ctx, e, r, limit, func(n int64) { p.Done = n; o.Progress(p) }); err != nil {
		e.close()
		return nil, err
	}
	p.Done, p.Total, p.Finished = e.size, e.size, true
	o.Progress(p)
	return e, nil
}

// copyAll copies up to limit bytes in steps of 1 MiB and reports after each.
func copyAll(ctx context.Context, to io.Writer, from io.Reader, limit int64, step func(int64)) error {
	var done int64
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.CopyN(to, from, min(1<<20, limit+1-done))
		done += n
		switch {
		case done > limit:
			return fmt.Errorf("it is larger than %d MiB", limit>>20)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		step(done)
	}
}

// unpack takes the parts out of an archive that was found right.
func (o *obtainer) unpack(ctx context.Context, d *download, archive *entry) (_ map[string]*entry, err error) {
	out := map[string]*entry{}
	defer func() {
		if err != nil {
			for _, e := range out {
				e.close()
			}
		}
	}()
	wanted := map[string]bool{}
	for _, p := range d.parts {
		wanted[p.member] = true
	}
	if _, err := archive.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return out, extract(archive.file, wanted, func(member string, content io.Reader) error {
		e, err := o.Cache.newEntry()
		if err != nil {
			return err
		}
		out[member] = e
		return copyAll(ctx, e, content, maxFile, func(int64) {})
	})
}
