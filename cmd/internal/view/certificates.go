package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
)

// Certificate is one certificate as `certs list` shows it. Times are UTC.
type Certificate struct {
	Name      string    `json:"name"`
	Host      addr.Host `json:"host"`
	Path      string    `json:"path"`
	Subject   string    `json:"subject"` // "O=system:masters, CN=admin"
	SANs      []string  `json:"sans"`    // "DNS:kubernetes", "IP:10.96.0.1"
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// RenewBefore is how long before its end hardway renews it; 0 for authorities.
	RenewBefore time.Duration `json:"-"`
	// DaysLeft is rounded down; negative once it has expired. Certificates fills it in.
	DaysLeft int `json:"days_left"`
	// Problem is why the certificate could not be read.
	Problem string `json:"problem,omitempty"`
}

// NewCertificate describes a certificate by what it says of itself.
func NewCertificate(name string, host addr.Host, path string, info certs.Info, renewBefore time.Duration, problem string) Certificate {
	c := Certificate{Name: name, Host: host, Path: path, RenewBefore: renewBefore, Problem: problem,
		Issuer: info.IssuerCN, Serial: info.Serial, NotBefore: info.NotBefore, NotAfter: info.NotAfter}
	if info.Subject.CN != "" || len(info.Subject.O) > 0 {
		c.Subject = strings.Join(append([]string{"CN=" + info.Subject.CN}, prefixed("O=", info.Subject.O)...), ", ")
	}
	c.SANs = append(prefixed("DNS:", info.DNS), prefixed("IP:", info.IPs)...)
	return c
}

func prefixed(prefix string, list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// certificatesOf returns the list with DaysLeft filled in, by host and name.
func certificatesOf(list []Certificate, now time.Time) []Certificate {
	out := slices.Clone(list)
	for i := range out {
		if !out[i].NotAfter.IsZero() {
			out[i].DaysLeft = certs.DaysLeft(out[i].NotAfter, now)
		}
		if out[i].SANs == nil {
			out[i].SANs = []string{}
		}
	}
	slices.SortStableFunc(out, func(a, b Certificate) int {
		if c := a.Host.Compare(b.Host); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// CertificatesJSON writes the list as JSON, with the days left at now.
func CertificatesJSON(w io.Writer, list []Certificate, now time.Time) error {
	return JSON(w, struct {
		FormatVersion string        `json:"format_version"`
		Certificates  []Certificate `json:"certificates"`
	}{"1.0", append([]Certificate{}, certificatesOf(list, now)...)})
}

// Certificates writes the list as a table; each row is followed by the subject
// and the names it is good for, which are too long for a column. What is due
// for renewal is yellow, what has expired red.
func Certificates(w io.Writer, list []Certificate, now time.Time, s Style) error {
	c := s.palette()
	list = certificatesOf(list, now)
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("No certificates.\n")
	}
	rows := make([][]cell, len(list))
	details := make([]string, len(list))
	due := 0
	for i, k := range list {
		paint, left := c.green, fmt.Sprintf("%d days", k.DaysLeft)
		switch {
		case k.Problem != "":
			paint, left = c.red, "unreadable"
		case k.NotAfter.Before(now):
			paint, left = c.red, fmt.Sprintf("expired %s ago", number(-k.DaysLeft, "day"))
			due++
		case k.NotAfter.Sub(now) < k.RenewBefore:
			paint = c.yellow
			due++
		}
		end := ""
		if !k.NotAfter.IsZero() {
			end = k.NotAfter.UTC().Format(time.DateOnly)
		}
		rows[i] = []cell{
			{text: Escape(k.Host.String())}, {text: Escape(k.Name)}, {text: left, paint: paint}, {text: end},
			{text: Escape(k.Issuer)}, {text: Escape(k.Path)},
		}
		details[i] = certificateDetails(k, s.Width, c)
	}
	if len(list) > 0 {
		lines := strings.SplitAfter(table([]string{"HOST", "NAME", "LEFT", "NOT AFTER", "ISSUER", "PATH"}, rows, 0), "\n")
		b.WriteString(lines[0])
		for i := range rows {
			b.WriteString(lines[i+1] + details[i])
		}
	}
	if due > 0 {
		b.WriteString("\n" + c.bold(c.yellow(number(due, "certificate")+" due for renewal:")) + " run \"hardway certs renew\".\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func certificateDetails(k Certificate, width int, c palette) string {
	if k.Problem != "" {
		return c.red(wrapHanging("  "+Escape(k.Problem), width, "  ")) + "\n"
	}
	text := "  " + c.faint("subject") + " " + Escape(k.Subject) + "\n"
	if len(k.SANs) > 0 {
		names := make([]string, len(k.SANs))
		for i, n := range k.SANs {
			names[i] = Escape(n)
		}
		lines := fill(names, ", ", width-10, "          ")
		text += "  " + c.faint("SANs   ") + " " + strings.Join(lines, ",\n") + "\n"
	}
	return text
}

// Proof is which certificate an endpoint serves after a renewal.
type Proof struct {
	Addr     addr.Address
	Endpoint string // host:port; empty: nobody serves it
	Want     string // serial
	Got      string
	Err      string
}

// Proofs writes which certificates the endpoints serve, and whether they are
// the new ones.
func Proofs(w io.Writer, list []Proof, s Style) error {
	c := s.palette()
	rows := make([][]cell, 0, len(list))
	for _, p := range list {
		row := []cell{{text: Escape(p.Addr.String())}, {text: Escape(p.Endpoint)}, {text: Escape(p.Want)}, {text: "served", paint: c.green}}
		switch {
		case p.Endpoint == "":
			row[1].text, row[3] = "-", cell{text: "a client's; nothing serves it", paint: c.faint}
		case p.Got == p.Want:
		case p.Err != "":
			row[3] = cell{text: Escape(p.Err), paint: c.red}
		default:
			row[3] = cell{text: "still serves " + Escape(p.Got), paint: c.red}
		}
		rows = append(rows, row)
	}
	_, err := io.WriteString(w, table([]string{"CERTIFICATE", "ENDPOINT", "SERIAL", "RESULT"}, rows, 0))
	return err
}
