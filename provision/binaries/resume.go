package binaries

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// mark is how far a transfer came that broke off.
type mark struct {
	done      int64  // bytes that arrived and were hashed
	validator string // of the file that they are from
}

// resumable reports whether the rest can be asked for. Without a validator it could
// be the rest of another file.
func (m mark) resumable() bool { return m.done > 0 && m.validator != "" }

// resumer is a place that can send the rest of a file.
type resumer interface {
	from(ctx context.Context, rel string, had mark) (r io.ReadCloser, size, start int64, err error)
}

// validator returns what If-Range may be given: a strong entity tag, or else the
// date, which says less (RFC 9110, 13.1.5): a file of the same second would pass.
// Whatever comes of it is hashed as a whole in any case.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

// contentRange reads "bytes 5-9/10" and returns the size of the whole, or -1. The
// part must begin where ours ends.
func contentRange(text string, start int64) (int64, error) {
	var first, last, size int64
	if n, err := fmt.Sscanf(text, "bytes %d-%d/%d", &first, &last, &size); err != nil || n != 3 {
		size = -1
		if n, err := fmt.Sscanf(text, "bytes %d-%d/*", &first, &last); err != nil || n != 2 {
			return 0, fmt.Errorf("the server answered with the range %q", text)
		}
	}
	if first != start || last < first || size >= 0 && last >= size {
		return 0, fmt.Errorf("the server answered with the range %q, and byte %d was asked for", text, start)
	}
	return size, nil
}
