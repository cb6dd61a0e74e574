package health

import (
	"context"
	"errors"
	"strings"
)

// readLogs reads what the pod wrote, as kubectl logs does: the API server asks
// the kubelet of the pod's node for it, with its own client certificate.
func (s *smokeTest) readLogs(ctx context.Context, p place) (string, error) {
	out, err := s.api.run(ctx, nil, "get", "--raw", s.path("pods", p.pod, "log")+"?tailLines=5")
	if err != nil {
		return "", err
	}
	if len(out) == 0 {
		return "the log is empty", nil
	}
	return "", nil
}

// execute starts a process in the pod: the API server opens a stream to the
// kubelet, and the kubelet one to the runtime. The image need not have a shell:
// /proc/1/exe is the program that already runs in it, wherever that lies. What it
// says to --help does not matter.
func (s *smokeTest) execute(ctx context.Context, p place) (string, error) {
	args := append(withoutCache("exec"), "--namespace="+s.namespace, p.pod, "--", "/proc/1/exe", "--help")
	_, err := s.api.run(ctx, nil, args...)
	answer, ok := errors.AsType[*AnswerError](err)
	switch {
	case !ok:
		return "", err
	case strings.Contains(answer.Answer, "command terminated with exit code"):
		return "", nil
	case strings.Contains(answer.Answer, "OCI runtime exec failed"):
		return "", skipped("the kubelet and the runtime were reached, but the image has nothing to start: " + answer.Answer)
	}
	return "", err
}
