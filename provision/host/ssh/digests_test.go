package ssh

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

const largeFile = 2 << 20

// otherDigest is well formed and no file's: an observation that reports it
// believed what was remembered.
var otherDigest = strings.Repeat("ab", 32)

// digests is a locked host with one large file that was put there.
type digests struct {
	*testing.T
	h                 *Host
	dir, state, path  string
	text              []byte
	generation, count int
}

func newDigests(t *testing.T) *digests {
	needsRoot(t)
	t.Parallel()
	c := config(t, sshtest.Start(t, sshtest.Options{}))
	d := &digests{T: t, h: dial(t, c), dir: t.TempDir(), state: c.StateDir}
	d.path = filepath.Join(d.dir, "large file")
	if err := d.h.Lock(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	d.put()
	return d
}

// put puts a text that was never there.
func (d *digests) put() {
	d.Helper()
	d.count++
	d.text = bytes.Repeat([]byte(fmt.Sprintf("%016d", d.count)), largeFile/16)
	if err := d.h.Put(d.Context(), put(d.path, d.text)); err != nil {
		d.Fatal(err)
	}
}

// note returns the file that remembers the digest of path.
func (d *digests) note() string { return filepath.Join(d.state, "digests", sha256Hex(d.path)) }

// forge makes what is remembered recognisable.
func (d *digests) forge() {
	d.Helper()
	text, err := os.ReadFile(d.note())
	if err != nil {
		d.Fatal(err)
	}
	real := sha256Hex(string(d.text))
	if !bytes.Contains(text, []byte(" "+real+" "+d.path+"\n")) {
		d.Fatalf("remembered is %q", text)
	}
	d.write(bytes.Replace(text, []byte(real), []byte(otherDigest), 1))
}

func (d *digests) write(note []byte) {
	d.Helper()
	if err := os.WriteFile(d.note(), note, 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *digests) want(what, digest string, deep bool) {
	d.Helper()
	o, err := d.h.Observe(d.Context(), facts.Request{Files: []facts.FileRequest{{Path: d.path}}, Deep: deep})
	if err != nil {
		d.Fatal(err)
	}
	if got := o.Files[d.path].SHA256; got != digest {
		d.Fatalf("%s (deep %v): the digest is %.12s, want %.12s", what, deep, got, digest)
	}
}

// found wants what is really in the file, and not what was remembered.
func (d *digests) found(what string) {
	d.Helper()
	text, err := os.ReadFile(d.path)
	if err != nil {
		d.Fatal(err)
	}
	for _, deep := range []bool{false, true} {
		d.want(what, sha256Hex(string(text)), deep)
	}
}

func (d *digests) run(name string, args ...string) {
	d.Helper()
	if _, err := d.h.Run(d.Context(), host.Script{Name: name, Args: args}); err != nil {
		d.Fatal(err)
	}
}

// What was remembered is believed, unless everything has to be read.
func TestDigestIsRemembered(t *testing.T) {
	d := newDigests(t)
	d.found("as it was put")
	d.forge()
	d.want("remembered", otherDigest, false)
	d.want("remembered", sha256Hex(string(d.text)), true)
	d.put()
	d.found("put again")
	d.forge()
	d.want("remembered again", otherDigest, false)
	for _, note := range []string{d.state + "/digests", d.note()} {
		if info, err := os.Stat(note); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", note, info, err)
		}
	}
}

// Whatever changes the file changes what it is recognised by.
func TestDigestOfAChangedFile(t *testing.T) {
	d := newDigests(t)
	times := func() time.Time {
		info, err := os.Stat(d.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	restore := func(at time.Time) {
		if err := os.Chtimes(d.path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	// One byte, at once, with the size and the mtime as they were.
	for range 10 {
		before := times()
		f, err := os.OpenFile(d.path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("x"), largeFile/2); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		restore(before)
		if !times().Equal(before) {
			t.Fatal("the mtime was not restored")
		}
		d.found("written in place with its mtime restored")
		d.put()
	}
	// Another file with the same size and mtime, which rename put there.
	before := times()
	beside := d.path + ".new"
	if err := os.WriteFile(beside, bytes.Repeat([]byte("y"), largeFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, d.path); err != nil {
		t.Fatal(err)
	}
	restore(before)
	d.found("replaced")
	d.put()
	if err := os.Truncate(d.path, largeFile+1); err != nil {
		t.Fatal(err)
	}
	d.found("longer")
}

func TestDamagedDigestIsIgnored(t *testing.T) {
	d := newDigests(t)
	d.forge()
	d.want("remembered", otherDigest, false)
	good, err := os.ReadFile(d.note())
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.SplitN(string(good), " ", 6)
	with := func(n int, value string) []byte {
		f := append([]string(nil), fields...)
		f[n] = value
		return []byte(strings.Join(f, " "))
	}
	for _, note := range [][]byte{
		nil, {0}, []byte("\n\n\n"), bytes.Repeat([]byte{0}, 4096), bytes.Repeat([]byte{0xff}, 100), good[:len(good)/2], good[:len(good)-3], good[1:],
		with(0, "1"), with(1, "2097153"), with(2, fields[2]+"0"), with(3, fields[3][:len(fields[3])-1]), with(5, d.path+"x\n"), with(5, "\n"),
		with(4, strings.ToUpper(otherDigest)), with(4, otherDigest[1:]), with(4, otherDigest+"a"), with(4, ""), with(4, "4"+otherDigest[:5]), with(4, "*"),
		[]byte(strings.ReplaceAll(string(good), " ", "*")), []byte("* * * * " + otherDigest + " *\n"),
	} {
		d.write(note)
		d.want(fmt.Sprintf("note %q", note), sha256Hex(string(d.text)), false)
	}
	// Beside a damaged one, a good one still counts.
	d.write(good)
	if err := os.WriteFile(d.state+"/digests/x", []byte("\x00\xff garbage without an end"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.state+"/digests/y", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.state+"/digests/"+strings.Repeat("0", 64), []byte("garbage without an end"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.found("a line that is not ended runs into the next") // the safe way round
	if err := os.Remove(d.state + "/digests/" + strings.Repeat("0", 64)); err != nil {
		t.Fatal(err)
	}
	d.want("remembered", otherDigest, false)
}

// Failing to remember is no failure, and nothing is remembered where it cannot be.
func TestDigestThatCannotBeRemembered(t *testing.T) {
	d := newDigests(t)
	if err := os.RemoveAll(d.state + "/digests"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.state+"/digests", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.put()
	d.found("the directory is a file")
	if err := os.Remove(d.state + "/digests"); err != nil {
		t.Fatal(err)
	}
	// A path with a line break, and a small file.
	for name, text := range map[string][]byte{"a\nb": d.text, "small": d.text[:largeFile-1]} {
		if err := d.h.Put(t.Context(), put(filepath.Join(d.dir, name), text)); err != nil {
			t.Fatal(err)
		}
	}
	if left := entries(t, d.state+"/digests"); len(left) > 0 {
		t.Errorf("remembered: %v", left)
	}
	// A session without a lock leaves nothing on the host.
	c := config(t, sshtest.Start(t, sshtest.Options{}))
	if err := dial(t, c).Put(t.Context(), put(d.path, d.text)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.StateDir); err == nil {
		t.Error("a session without a lock made hardway's directory")
	}
}

// Links to a file change its ctime; what is remembered follows.
func TestDigestFollowsLinks(t *testing.T) {
	d := newDigests(t)
	links := func(want uint64) {
		t.Helper()
		info, err := os.Stat(d.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := uint64(info.Sys().(*syscall.Stat_t).Nlink); got != want {
			t.Fatalf("%d links, want %d", got, want)
		}
	}
	d.forge()
	d.run("keep", "1", d.path)
	links(2)
	d.want("kept", otherDigest, false)
	d.run("keep", "2", d.path)
	links(3)
	d.run("keep-prune", "1")
	links(2)
	d.want("pruned", otherDigest, false)
	// Putting it back reads it, so that it is remembered as what it is.
	first := d.text
	d.put()
	d.run("keep-restore", "2", d.path)
	links(2)
	d.text = first
	d.forge()
	d.want("put back", otherDigest, false)
	d.run("keep-prune", "0")
	links(1)
	d.want("pruned", otherDigest, false)
	d.want("pruned", sha256Hex(string(first)), true)
	// What was not remembered is not made up.
	if err := os.Chtimes(d.path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	d.run("keep", "3", d.path)
	d.run("keep-prune", "0")
	d.found("touched")
}
