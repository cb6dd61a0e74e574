package binaries

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// maxImage bounds an image archive, in bytes.
const maxImage = 4 << 30

// image takes an image's archive into the cache and pins it. The archive is read
// each time it is there, because the configuration names that very file; when it
// is not, the pinned bytes in the cache are as good.
func (o *obtainer) image(ctx context.Context, i Image) error {
	old, known := o.Lock.Image(i.Ref)
	d := &download{place: directory{path.Dir(i.Path)}, rel: path.Base(i.Path)}
	d.sums = []string{d.rel + ".sha512", d.rel + ".sha256"}
	name := "image " + i.Ref
	if _, err := os.Stat(i.Path); errors.Is(err, fs.ErrNotExist) {
		if known && !o.Upgrade {
			if ok, err := o.Cache.has(old.SHA256); ok || err != nil {
				if err == nil {
					o.addImage(i, old, Kept)
				}
				return err
			}
		}
		return fmt.Errorf("%s: the archive %s does not exist", name, i.Path)
	}
	var sum published
	if slices.ContainsFunc(d.sums, func(s string) bool { _, err := os.Stat(d.place.name(s)); return err == nil }) {
		var err error
		if sum, err = d.readSum(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	e, err := o.fetch(ctx, d.place, d.rel, name, maxImage)
	if err != nil {
		return err
	}
	defer e.close()
	got := e.digest("sha256")
	switch {
	case e.size == 0:
		return fmt.Errorf("%s: the archive %s is empty", name, i.Path)
	case sum.algorithm != "" && e.digest(sum.algorithm) != sum.digest:
		return &MismatchError{What: name, Source: i.Path, Against: sum.where, Algorithm: sum.algorithm, Expected: sum.digest, Actual: e.digest(sum.algorithm)}
	case known && !o.Upgrade && old.SHA256 != got:
		return &MismatchError{What: name, Source: i.Path, Against: lockLine(old.Range.Filename, old.Range.Start.Line), Pinned: true,
			Algorithm: "sha256", Expected: old.SHA256, Actual: got}
	}
	cached, err := o.Cache.has(got)
	if err == nil && !cached {
		err = e.commit()
	}
	if err != nil {
		return err
	}
	pin := ImagePin{SHA256: got, Size: e.size, Source: i.Path}
	switch {
	case !known:
		o.addImage(i, pin, Pinned)
	case old.SHA256 != got:
		o.addImage(i, pin, Repinned)
	case cached:
		o.addImage(i, old, Kept)
	default:
		o.addImage(i, old, Fetched)
	}
	return nil
}

func (o *obtainer) addImage(i Image, pin ImagePin, did Action) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lock.Images[i.Ref] = pin
	o.items = append(o.items, Item{Name: i.Ref, Action: did, Pin: Pin{SHA256: pin.SHA256, Size: pin.Size, Source: pin.Source}})
}
