package mirror

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"hardway/tools/internal/gomodule"
	"hardway/tools/internal/image"
	"hardway/tools/internal/progress"
)

// Filler brings a mirror up to the wanted versions.
type Filler struct {
	Mirror   Mirror
	BuildDir string // generated modules; may be deleted at any time
	Report   *progress.Reporter
	Log      io.Writer // everything the go command says
}

// item is one file of the mirror and how it is made.
type item struct {
	path       string
	label      string // "kubelet 1.37.1"
	position   string // "(4 of 6)", "" for a component of one file
	verb       string
	mode       os.FileMode
	algorithms []algorithm
	produce    func(ctx context.Context, temporary string) error
	fresh      func() bool // false when an intact file was made by another recipe; nil means always true
	finished   func() error
}

// Summary counts what Fill found and did.
type Summary struct{ Kept, Made int }

// Fill makes what is missing or damaged and keeps the rest.
func (f *Filler) Fill(ctx context.Context, v Versions) (Summary, error) {
	items, err := f.items(v)
	if err != nil {
		return Summary{}, err
	}
	conditions, err := inspect(items)
	if err != nil {
		return Summary{}, err
	}
	var sum Summary
	for i, it := range items {
		if conditions[i] == intact && (it.fresh == nil || it.fresh()) {
			sum.Kept++
			continue
		}
		if conditions[i] == damaged {
			f.Report.Line("%s is not what its .sha256 says: making it again", it.path)
		}
		label := it.verb + " " + it.label
		if it.position != "" {
			label += " " + it.position
		}
		err := f.Report.Step(label, func() error {
			return put(it.path, it.mode, it.algorithms, func(temporary string) error { return it.produce(ctx, temporary) })
		})
		if err != nil {
			return sum, fmt.Errorf("%s %s: %w", it.verb, it.label, err)
		}
		if it.finished != nil {
			if err := it.finished(); err != nil {
				return sum, err
			}
		}
		sum.Made++
	}
	return sum, nil
}

// inspect verifies all files, as many at a time as there are processors.
func inspect(items []item) ([]condition, error) {
	conditions, errs := make([]condition, len(items)), make([]error, len(items))
	slots := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	for i, it := range items {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			conditions[i], errs[i] = verify(it.path, it.algorithms)
		})
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("checking %s: %w", items[i].path, err)
		}
	}
	return conditions, nil
}

// items lists every file of the mirror for the versions.
func (f *Filler) items(v Versions) ([]item, error) {
	var all []item
	for _, r := range v.recipes() {
		all = append(all, f.moduleItems(r)...)
	}
	if v.Runc != "" {
		all = append(all, item{
			path: f.Mirror.Binary("runc", v.Runc, "runc"), label: "runc " + v.Runc + " from Debian's package", verb: "copying",
			mode: 0o755, algorithms: []algorithm{sha256sum, sha512sum},
			produce: func(ctx context.Context, temporary string) error { return copyRunc(ctx, v.Runc, temporary) },
		})
	}
	for _, kind := range image.Kinds() {
		it, err := f.imageItem(kind)
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, nil
}

// moduleItems are the programs of one module. The module is fetched and wrapped once, when the first of them is built.
func (f *Filler) moduleItems(r recipe) []item {
	name := r.component
	if len(r.names) == 1 {
		name = r.names[0] // a component of several modules
	}
	dir := filepath.Join(f.BuildDir, name+"-"+r.version)
	var source gomodule.Source
	prepare := func(ctx context.Context) error {
		if source.Dir != "" {
			return nil
		}
		src, err := gomodule.Download(ctx, r.module, "v"+r.version)
		if err != nil {
			return err
		}
		if err := src.WriteMain(dir, "hardway.build/"+r.component, r.published); err != nil {
			return err
		}
		source = src
		return nil
	}
	var items []item
	for i, name := range r.names {
		it := item{
			path: f.Mirror.Binary(r.component, r.version, name), label: r.label(i), verb: "building",
			mode: 0o755, algorithms: []algorithm{sha256sum, sha512sum},
			produce: func(ctx context.Context, temporary string) error {
				if err := prepare(ctx); err != nil {
					return err
				}
				return gomodule.Build(ctx, dir, r.program(i, source), temporary, f.Log)
			},
		}
		if len(r.names) > 1 {
			it.position = fmt.Sprintf("(%d of %d)", i+1, len(r.names))
		}
		items = append(items, it)
	}
	return items
}

// imageItem is one image archive. Its recipe is remembered in the build directory, since its name carries no version.
func (f *Filler) imageItem(kind image.Kind) (item, error) {
	recipe, err := kind.Recipe(runtime.Version(), runtime.GOARCH)
	if err != nil {
		return item{}, err
	}
	dir := filepath.Join(f.BuildDir, "image-"+kind.Name)
	stamp := filepath.Join(dir, "recipe")
	return item{
		path: f.Mirror.Image(kind.Name), label: "image " + kind.Reference, verb: "making",
		mode: 0o644, algorithms: []algorithm{sha256sum},
		fresh: func() bool {
			made, err := os.ReadFile(stamp)
			return err == nil && string(made) == recipe
		},
		produce: func(ctx context.Context, temporary string) error {
			if err := kind.WriteModule(dir); err != nil {
				return err
			}
			binary := filepath.Join(dir, kind.Name)
			if err := gomodule.Build(ctx, dir, gomodule.Program{Package: "."}, binary, f.Log); err != nil {
				return err
			}
			program, err := os.ReadFile(binary)
			if err != nil {
				return fmt.Errorf("reading the built program: %w", err)
			}
			archive, err := kind.Image(program, runtime.GOARCH).Archive()
			if err != nil {
				return err
			}
			return os.WriteFile(temporary, archive, 0o644)
		},
		finished: func() error { return os.WriteFile(stamp, []byte(recipe), 0o644) },
	}, nil
}
