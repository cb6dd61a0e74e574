package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/facts"
)

// loop is the far end of the control channel, as templates/scripts/loop.sh has
// it, for one script: observe. Everything else is an error.
func (h *farmHost) loop(channel ssh.Channel) error {
	if _, err := io.WriteString(channel, "\nhardway-up\n"); err != nil {
		return err
	}
	r := bufio.NewReader(channel)
	hello, err := greeting(r)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(channel, "\nhardway-ready %s 0 %s/session.x\n", hello.nonce, hello.run); err != nil {
		return err
	}
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && (f[0] == "K" || f[0] == "C"):
		case len(f) == 8 && f[0] == "Q" && f[3] == "observe":
			items, err := frameInput(r, f[5:])
			if err != nil {
				return err
			}
			var out bytes.Buffer
			writeObservation(&out, parseItems(items), h.observe)
			if _, err := fmt.Fprintf(channel, "A %s 0 %d 0\n%s", f[1], out.Len(), out.Bytes()); err != nil {
				return err
			}
			h.read.Store(time.Now().UnixNano())
		default:
			return fmt.Errorf("this host only observes; it was asked for %q", strings.TrimSpace(line))
		}
	}
}

// hello is what the client says of itself before the first frame.
type hello struct{ nonce, run string }

func greeting(r *bufio.Reader) (hello, error) {
	line := func() string {
		s, _ := r.ReadString('\n')
		return strings.TrimSuffix(s, "\n")
	}
	for line() != "hardway" {
		if _, err := r.Peek(1); err != nil {
			return hello{}, err
		}
	}
	length, err := strconv.Atoi(line())
	if err != nil {
		return hello{}, err
	}
	if _, err := r.Discard(length); err != nil {
		return hello{}, err
	}
	h := hello{nonce: line(), run: line()}
	for range 4 { // the directory for good, the intervals, the session to join
		_ = line()
	}
	return h, nil
}

// frameInput reads what follows the head of a frame: the script the first
// time, its arguments, and then the standard input, which is returned.
func frameInput(r *bufio.Reader, counts []string) ([]byte, error) {
	var n [3]int // bytes of body, arguments, bytes of input
	for i, c := range counts {
		var err error
		if n[i], err = strconv.Atoi(c); err != nil {
			return nil, err
		}
	}
	if _, err := r.Discard(n[0]); err != nil {
		return nil, err
	}
	for range n[1] {
		if _, err := r.ReadString('\n'); err != nil {
			return nil, err
		}
	}
	input := make([]byte, n[2])
	_, err := io.ReadFull(r, input)
	return input, err
}

// parseItems is the inverse of how package ssh writes a request.
func parseItems(items []byte) facts.Request {
	var q facts.Request
	namespace := ""
	kube := func() *facts.KubeRequest {
		if q.Kube == nil {
			q.Kube = &facts.KubeRequest{}
		}
		return q.Kube
	}
	known, had := false, map[string]*facts.Known{} // by path, without the content
	for line := range strings.Lines(string(items)) {
		if known {
			digest, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			had[path] = &facts.Known{SHA256: digest}
			continue
		}
		value := strings.TrimSuffix(line[1:], "\n")
		switch line[0] {
		case 'h':
			known = true
		case 'F', 'C', 'c', 'B':
			q.Files = append(q.Files, facts.FileRequest{Path: value, Content: line[0] == 'C' || line[0] == 'c', Certificates: line[0] == 'B'})
		case 'U':
			q.Units = append(q.Units, value)
		case 'S':
			q.Sysctls = append(q.Sysctls, strings.ReplaceAll(strings.TrimPrefix(value, "/proc/sys/"), "/", "."))
		case 'M':
			q.Modules = append(q.Modules, facts.ModuleRequest{Name: value})
		case 'I':
			q.Images = &facts.ImagesRequest{Ctr: value}
		case 'K':
			kube().Kubectl = value
		case 'k':
			kube().Kubeconfig = value
		case 'd':
			kube().EtcdData = value
		case 'N':
			kube().Nodes = true
		case 'G':
			namespace = strings.TrimPrefix(value, "-")
		case 'R':
			kind, name, _ := strings.Cut(value, "/")
			kube().Objects = append(kube().Objects, facts.ObjectRef{Kind: kind, Namespace: namespace, Name: name})
		}
	}
	for i := range q.Files {
		q.Files[i].Known = had[q.Files[i].Path]
	}
	return q
}
