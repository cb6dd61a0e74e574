package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
)

func newSSH(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ssh",
		Short: "Learn the keys of hosts",
		Long: `hardway reaches hosts over SSH as the ssh block says, and refuses a host whose key is
in no known_hosts file. "hardway ssh trust" is the only way in which it ever adds one.`,
		Example: `  hardway ssh trust
  hardway ssh trust n1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSSHTrust(a))
	return cmd
}

// trust is what the command line of ssh trust says.
type trust struct {
	auto, input  bool
	fingerprints []string
}

func newSSHTrust(a *app) *cobra.Command {
	var in inputs
	var t trust
	cmd := &cobra.Command{
		Use:   "trust [HOST...]",
		Short: "Learn the keys of unknown hosts, after asking",
		Long: `Asks each HOST, or all of them, for its host keys, and the bastions on the way for
theirs. Those that are in no known_hosts file are shown with their fingerprints, as
"ssh-keygen -lf" prints them on the host's own console. After a yes they are added to
the first file of known_hosts.

Compare before you answer: whoever stands between you and a host could show keys of
their own. A key that differs from the known one is never replaced; the error says
where the old one stands and how to remove it.

With --fingerprint only keys with one of these fingerprints are added. --auto-approve
wants them: without a comparison there is nothing to approve.`,
		Example: `  hardway ssh trust
  hardway ssh trust n1 n2
  hardway ssh trust n1 --auto-approve --fingerprint SHA256:qN3...`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			for i, f := range t.fingerprints {
				if !strings.HasPrefix(f, "SHA256:") {
					return &view.Problem{Summary: "Not a fingerprint: " + quoted(f), Next: "Give what \"ssh-keygen -lf\" prints on the host, such as SHA256:qN3…"}
				}
				t.fingerprints[i] = strings.TrimRight(f, "=")
			}
			if t.auto && len(t.fingerprints) == 0 {
				return &view.Problem{Summary: "Nothing to compare with",
					Detail: "--auto-approve was given, and no fingerprint. Whoever answers at an address would be trusted.",
					Next:   "Give --fingerprint SHA256:… for each host, as \"ssh-keygen -lf\" prints it on the host's own console."}
			}
			s, err := a.open(in)
			if err != nil {
				return err
			}
			defer closeInto(&err, s)
			return a.trust(cmd.Context(), s, args, t)
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&t.auto, "auto-approve", false, "do not ask; only with --fingerprint")
	cmd.Flags().BoolVar(&t.input, "input", true, "whether anything may be asked")
	cmd.Flags().StringArrayVar(&t.fingerprints, "fingerprint", nil, "add only keys with this `fingerprint`; may be repeated")
	return cmd
}

// trust learns keys in rounds: what is behind a bastion can be asked once that is
// trusted.
func (a *app) trust(ctx context.Context, s Session, names []string, t trust) error {
	told := map[string]bool{}
	var errs []error
	for {
		all, err := s.HostKeys(ctx, names)
		if err != nil {
			return err
		}
		var fresh []provision.HostKeys
		var list []view.HostKeys
		again := false
		for _, k := range all {
			if told[k.Name+k.Address] {
				continue
			}
			told[k.Name+k.Address] = true
			if k.Err != nil {
				errs = append(errs, &view.Problem{Summary: "Not trusted: " + k.Name, Detail: k.Err.Error(), Err: k.Err})
				continue
			}
			if k.Unknown() && len(t.fingerprints) > 0 {
				offered := k.Keys
				k.Keys = nil
				for _, key := range offered {
					if slices.Contains(t.fingerprints, key.Fingerprint()) {
						k.Keys = append(k.Keys, key)
					}
				}
				if len(k.Keys) == 0 {
					k.Keys = offered
					errs = append(errs, mismatch(k))
					continue
				}
			}
			list = append(list, shown(k))
			if k.Unknown() {
				fresh = append(fresh, k)
				again = again || k.Bastion
			}
		}
		if err := view.HostKeyList(a.env.Stdout, list); err != nil {
			return err
		}
		if len(fresh) == 0 {
			break
		}
		if err := a.approve(ctx, approval{auto: t.auto, input: t.input,
			ask:  "Do you want to trust the keys of " + machines(len(fresh)) + "?",
			why:  "Compare each fingerprint with the one on the machine's own console first. The keys are added to " + trustedFiles(fresh) + ".",
			next: "Give --auto-approve with --fingerprint SHA256:… for each host."}); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.Trust(ctx, fresh); err != nil {
			return errors.Join(append(errs, err)...)
		}
		a.say(fmt.Sprintf("Added the keys of %s to %s.\n", machines(len(fresh)), trustedFiles(fresh)))
		if !again {
			break
		}
	}
	return errors.Join(errs...)
}

func mismatch(k provision.HostKeys) error {
	var offers []string
	for _, key := range k.Keys {
		offers = append(offers, fmt.Sprintf("%s (%s)", key.Fingerprint(), key.Type()))
	}
	return &view.Problem{Summary: "Not trusted: " + k.Name,
		Detail: fmt.Sprintf("%s offers %s, and none of them is a fingerprint that was given.", k.Address, strings.Join(offers, ", ")),
		Next:   "Read the fingerprints on its own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. If they differ, somebody is in between."}
}

func shown(k provision.HostKeys) view.HostKeys {
	out := view.HostKeys{Name: k.Name, Address: k.Address, File: k.File, Known: k.Known}
	for _, key := range k.Keys {
		out.Keys = append(out.Keys, view.HostKey{Bits: key.Bits(), Fingerprint: key.Fingerprint(), Type: key.Type()})
	}
	return out
}

func machines(n int) string {
	if n == 1 {
		return "this machine"
	}
	return fmt.Sprintf("these %d machines", n)
}

func trustedFiles(keys []provision.HostKeys) string {
	var out []string
	for _, k := range keys {
		if !slices.Contains(out, k.File) {
			out = append(out, k.File)
		}
	}
	return strings.Join(out, " and ")
}
