package bench

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	takeFigures = flag.Bool("figures", false, "take the figures and print their table")
	force       = flag.Bool("force", false, "take them although others use the machine")
	only        = flag.String("only", "", "take only figures whose id begins so, such as P11")
)

// figure is one row of the table.
type figure struct {
	id, what, value, goal string
	verdict               string
}

// The verdicts. Information has no goal of its own.
const (
	ok          = "ok"
	short       = "SHORT"
	information = ""
)

func verdict(good bool) string {
	if good {
		return ok
	}
	return short
}

// TestFigures takes everything that is timed, one after the other, and prints
// one table. It fails only where something could not be measured that should be:
// a figure that falls short is a row, not a failure.
func TestFigures(t *testing.T) {
	if !*takeFigures {
		t.Skip("figures take minutes of a quiet machine; `make bench` takes them")
	}
	if racing {
		t.Fatal("figures of a binary with the race detector are of no use")
	}
	foreign, err := foreignLoad(3 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if foreign > tooBusy && !*force {
		t.Fatalf("others keep %.2f processors busy, more than %.1f: the figures would be of them. Wait, or force it (make bench FORCE=1)", foreign, tooBusy)
	}
	b := &board{t: t}
	fmt.Printf("%s; load average %s, of others %.2f processors\n", machineLine(), loadAverage(), foreign)
	begun := time.Now()
	for _, take := range []struct {
		id   string
		take func(*testing.T, *board)
	}{
		{"P2", noopFigures}, {"P2", largeFigures}, {"P2", labFigures}, {"P3", countFigures},
		{"P10", engineFigures}, {"P10", fleetFigures}, {"P11", thousandFigures}, {"P12", blackHoleFigures},
	} {
		if strings.HasPrefix(take.id, *only) {
			take.take(t, b)
		}
	}
	foreignAfter, err := foreignLoad(3 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	b.print(os.Stdout)
	fmt.Printf("taken in %s; of others at the end %.2f processors", time.Since(begun).Round(time.Second), foreignAfter)
	if max(foreign, foreignAfter) > tooBusy {
		fmt.Print(" — NOT TO BE PUBLISHED: the machine was not quiet")
	}
	fmt.Println("\nTimes are minimum / median. A against B is A B A B … in one run, after one of each that does not count; the ratio is of the medians.")
	fmt.Println("Client and hosts share the processors: client CPU carries over to a real fleet, wall time does not.")
}

// board collects the rows.
type board struct {
	t    *testing.T
	rows []figure
}

func (b *board) add(id, what, value, goal, verdict string) {
	b.rows = append(b.rows, figure{id, what, value, goal, verdict})
	fmt.Printf("… %s %s: %s %s\n", id, what, value, verdict)
}

// skip says why there is no figure.
func (b *board) skip(id, what, why string) { b.add(id, what, "not measured: "+why, "", information) }

func (b *board) print(to *os.File) {
	w := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nid\twhat\tfigure\tgoal\t")
	for _, r := range b.rows {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.id, r.what, r.value, r.goal, r.verdict)
	}
	_ = w.Flush()
}

// pair is a row of A against B.
func (b *board) pair(id, what string, a, raw times, limit float64) {
	ratio := a.median().Seconds() / raw.median().Seconds()
	b.add(id, what, fmt.Sprintf("%.2f (%s against %s)", ratio, spread(a), spread(raw)), fmt.Sprintf("≤ %.2f", limit), verdict(ratio <= limit))
}

func spread(t times) string { return millis(t.min()) + " / " + millis(t.median()) }

func millis(d time.Duration) string {
	if d >= 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
