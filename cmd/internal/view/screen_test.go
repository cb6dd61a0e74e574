package view

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"hardway/provision/apply"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// screen is as much of a terminal as the bars use: cells, a cursor, and the
// sequences for moving up and for erasing.
type screen struct {
	mu   sync.Mutex
	rows [][]rune
	x, y int
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := []rune(string(b))
	for i := 0; i < len(text); i++ {
		switch r := text[i]; r {
		case '\r':
			s.x = 0
		case '\n':
			s.x, s.y = 0, s.y+1
		case '\x1b':
			n := 0
			for i += 2; text[i] >= '0' && text[i] <= '9'; i++ {
				n = n*10 + int(text[i]-'0')
			}
			s.control(text[i], n)
		default:
			s.row(s.y)
			for len(s.rows[s.y]) <= s.x {
				s.rows[s.y] = append(s.rows[s.y], ' ')
			}
			s.rows[s.y][s.x] = r
			s.x++
		}
	}
	return len(b), nil
}

func (s *screen) row(y int) {
	for len(s.rows) <= y {
		s.rows = append(s.rows, nil)
	}
}

func (s *screen) control(r rune, n int) {
	s.row(s.y)
	switch r {
	case 'A':
		s.y = max(s.y-n, 0)
	case 'J', 'K':
		s.row(s.y)
		s.rows[s.y] = s.rows[s.y][:min(s.x, len(s.rows[s.y]))]
		if r == 'J' {
			s.rows = s.rows[:s.y+1]
		}
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(string(r), " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// A terminal shows "^C" where the cursor is; what is drawn afterwards must not
// keep anything of it, nor of the bar that stood there.
func TestBarsAfterCtrlC(t *testing.T) {
	var s screen
	p := newBars(&s, Style{Width: 100}, mpb.WithAutoRefresh(), mpb.WithWidth(100))
	kubelet := at(n1, resource.KindUnit, "kubelet")
	p.Event(apply.Event{Phase: apply.Planned, Addr: kubelet, Action: plan.Update})
	p.Event(apply.Event{Phase: apply.Started, Addr: kubelet, Action: plan.Update})
	for end := time.Now().Add(5 * time.Second); !strings.Contains(s.String(), "node["); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no bar is drawn")
		}
	}
	_, _ = s.Write([]byte("^C"))
	Echoed(&s)
	_, _ = p.Write([]byte("Interrupt received.\n"))
	p.Event(apply.Event{Phase: apply.Done, Addr: kubelet, Action: plan.Update})
	p.Close()
	lines := strings.Split(s.String(), "\n")
	if len(lines) != 2 || lines[0] != "Interrupt received." || !strings.HasPrefix(lines[1], `node["n1"] `) {
		t.Errorf("the screen:\n%s", s.String())
	}
}
