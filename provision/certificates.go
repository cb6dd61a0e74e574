package provision

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"hardway/certs"
	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/facts"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// Certificate is one certificate where it stands.
type Certificate struct {
	Name string
	Host addr.Host // the cluster's, for an authority
	Path string
	Info certs.Info
	// RenewBefore is how long before its end it is due; 0 for authorities.
	RenewBefore time.Duration
	// Problem is why it could not be read.
	Problem string
}

// Certificates reads every certificate of the cluster: the authorities from the
// state, the leaves from the hosts themselves.
func (s *Session) Certificates(ctx context.Context) ([]Certificate, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	var out []Certificate
	for _, name := range slices.Sorted(maps.Keys(snap.Authorities)) {
		c := Certificate{Name: name, Host: addr.Host{Role: addr.Cluster}, Path: "(state)"}
		if c.Info, err = certs.Inspect([]byte(snap.Authorities[name].CertPEM)); err != nil {
			c.Problem = err.Error()
		}
		out = append(out, c)
	}
	requests := map[addr.Host]facts.Request{}
	for _, a := range snap.Addresses() {
		if spec := snap.Resources[a].Spec.Certificate; spec != nil {
			q := requests[a.Host]
			q.Files = append(q.Files, facts.FileRequest{Path: spec.CertPath, Certificates: true})
			requests[a.Host] = q
		}
	}
	seen := s.read(ctx, requests, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, a := range snap.Addresses() {
		spec := snap.Resources[a].Spec.Certificate
		if spec == nil {
			continue
		}
		c := Certificate{Name: a.Name, Host: a.Host, Path: spec.CertPath, RenewBefore: spec.RenewBefore}
		switch o := seen[a.Host]; {
		case !o.Reachable():
			c.Problem = o.Err
		case !o.Files[spec.CertPath].Exists():
			c.Problem = "the file does not exist"
		default:
			if c.Info, err = certs.Inspect(o.Files[spec.CertPath].Content); err != nil {
				c.Problem = err.Error()
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// PlanRenewal plans to issue leaves anew: those with one of the names, or all.
// The kubelet's client certificate is left out unless it is named, because the
// kubelet renews it by itself.
func (s *Session) PlanRenewal(ctx context.Context, names []string) (*plan.Plan, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	var leaves []addr.Address
	found := map[string]bool{}
	for _, a := range snap.Addresses() {
		c := snap.Resources[a].Spec.Certificate
		if c == nil || (len(names) > 0 && !slices.Contains(names, a.Name)) || (len(names) == 0 && c.Once) {
			continue
		}
		found[a.Name] = true
		leaves = append(leaves, a)
	}
	for _, n := range names {
		if !found[n] {
			return nil, fmt.Errorf("no certificate is called %q; `hardway certs list` shows the names", n)
		}
	}
	if len(leaves) == 0 {
		return nil, fmt.Errorf("the state has no certificates; `hardway apply` makes them")
	}
	return s.plan(ctx, snap.Public, PlanOptions{Targets: leaves, Replace: leaves})
}

// Proof is what an endpoint served after a renewal.
type Proof struct {
	Addr     addr.Address `json:"address"`
	Endpoint string       `json:"endpoint"` // host:port on the host itself; empty: served nowhere
	Want     string       `json:"want"`     // serial, lower-case hex
	Got      string       `json:"got"`
	Err      string       `json:"error,omitempty"`
}

// Proven reports whether the endpoint serves the new certificate.
func (p Proof) Proven() bool { return p.Endpoint != "" && p.Got == p.Want }

// ProveRenewal asks every endpoint of the plan's certificates which serial it
// serves, until it is the new one or the time is up. The connection starts on
// the host itself, through the SSH connection that stands anyway.
func (s *Session) ProveRenewal(ctx context.Context, p *plan.Plan, within time.Duration) ([]Proof, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var out []Proof
	for _, ch := range p.Changes {
		c := ch.Spec.Certificate
		record := snap.Resources[ch.Addr]
		if c == nil || ch.Action == plan.NoOp || record.Certificate == nil {
			continue
		}
		proof := Proof{Addr: ch.Addr, Want: record.Certificate.Serial, Endpoint: s.endpointOf(ch.Addr.Host, c)}
		if proof.Endpoint != "" {
			proof.Got, err = s.serves(ctx, ch.Addr.Host, proof.Endpoint, proof.Want)
			if err != nil {
				proof.Err = err.Error()
			}
		}
		out = append(out, proof)
	}
	return out, nil
}

func (s *Session) endpointOf(at addr.Host, c *resource.Certificate) string {
	i := slices.IndexFunc(s.cfg.Hosts, func(h config.Host) bool { return h.Addr == at })
	if c.Endpoint == "" || i < 0 {
		return ""
	}
	own := s.cfg.Hosts[i].Address.String()
	switch c.Endpoint {
	case desired.EndpointAPI:
		return joinHostPort(own, s.cfg.API.Port)
	case "10257", "10259": // these listen on loopback alone
		own = "127.0.0.1"
	}
	port, _ := strconv.Atoi(c.Endpoint)
	return joinHostPort(own, port)
}

// serves returns the serial that an endpoint shows, asking again until it is
// the wanted one or ctx ends.
func (s *Session) serves(ctx context.Context, at addr.Host, endpoint, want string) (serial string, err error) {
	d, ok := s.hosts[at].(tcpDialer)
	if !ok {
		return "", fmt.Errorf("%s is not connected", at)
	}
	for {
		if serial, err = handshake(ctx, d, endpoint); err == nil && serial == want {
			return serial, nil
		}
		select {
		case <-ctx.Done():
			return serial, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// handshake returns the serial of the certificate that an endpoint serves. It
// is only looked at, so nothing is verified and no client certificate is shown.
func handshake(ctx context.Context, d tcpDialer, endpoint string) (string, error) {
	conn, err := d.Dial(ctx, "tcp", endpoint)
	if err != nil {
		return "", err
	}
	defer func(c net.Conn) { _ = c.Close() }(conn)
	serial := ""
	client := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the serial is compared with the one we issued
		VerifyConnection: func(cs tls.ConnectionState) error {
			serial = certs.InspectCertificate(cs.PeerCertificates[0]).Serial
			return nil
		},
	})
	if err := client.HandshakeContext(ctx); err != nil && serial == "" {
		return "", fmt.Errorf("TLS with %s: %w", endpoint, err)
	}
	return serial, nil
}
