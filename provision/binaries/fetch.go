package binaries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// fetch brings a file into the cache's care without making it visible. A transfer
// that breaks off is gone on with where it broke off, if the server can, and else
// begun again: until three tries in a row brought nothing new.
func (o *obtainer) fetch(ctx context.Context, from place, rel, name string, limit int64) (*entry, error) {
	e, err := o.Cache.newEntry()
	if err != nil {
		return nil, err
	}
	t := &transfer{obtainer: o, from: from, rel: rel, name: name, limit: limit, entry: e}
	for fruitless := 0; ; {
		before := t.had.done
		if err = t.run(ctx); err == nil {
			return e, nil
		}
		if !errors.As(err, new(*brokenError)) {
			break
		}
		if t.had.done > before && t.had.resumable() {
			fruitless = 0
		}
		if fruitless++; fruitless == tries {
			break
		}
		if werr := wait(ctx, cmp.Or(o.retryWait, time.Second)); werr != nil {
			err = werr
			break
		}
	}
	e.close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %s does not exist: does the source have this version and architecture? (%w)", name, from.name(rel), err)
	}
	return nil, fmt.Errorf("%s from %s: %w", name, from.name(rel), err)
}

// tries is how often a transfer may bring nothing new.
const tries = 3

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// transfer is one file on its way, over as many requests as it takes.
type transfer struct {
	*obtainer
	from  place
	rel   string
	name  string
	limit int64
	entry *entry
	had   mark
}

func (t *transfer) run(ctx context.Context) error {
	r, size, start, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if size > t.limit {
		return fmt.Errorf("it is %d MiB, and more than %d are refused", size>>20, t.limit>>20)
	}
	if start == 0 {
		if err := t.entry.restart(); err != nil {
			return err
		}
	}
	p := Progress{Name: t.name, Source: t.from.name(t.rel), Total: size}
	t.had = mark{done: start}
	if b, ok := r.(*body); ok {
		t.had.validator = b.validator
	}
	err = copyAll(ctx, t.entry, r, t.limit-start, func(n int64) { p.Done = start + n; t.Progress(p) })
	t.had.done = t.entry.size
	if err != nil {
		return err
	}
	p.Done, p.Total, p.Finished = t.entry.size, t.entry.size, true
	t.Progress(p)
	return nil
}

func (t *transfer) open(ctx context.Context) (r io.ReadCloser, size, start int64, err error) {
	if again, ok := t.from.(resumer); ok {
		return again.from(ctx, t.rel, t.had)
	}
	r, size, err = t.from.open(ctx, t.rel)
	return r, size, 0, err
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
