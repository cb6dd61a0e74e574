package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"hardway/cmd/internal/view"
	"hardway/provision/apply"
	"hardway/provision/config"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/preflight"
	"hardway/provision/state"
)

// configError carries diagnostics together with the sources they quote.
type configError struct {
	diags hcl.Diagnostics
	files *config.Files
}

func (e *configError) Error() string { return e.diags.Error() }
func (e *configError) Unwrap() error { return e.diags }

// sources are the files that the diagnostics quote.
func (e *configError) sources() view.Files {
	if e == nil {
		return nil
	}
	return e.files.HCL()
}

// explain turns the errors that have a known way out into Problems that name
// it. Everything else is told as it is.
func explain(err error) error {
	list := together(view.Split(err))
	if len(list) != 1 {
		for i := range list {
			list[i] = explain(list[i])
		}
		return errors.Join(list...)
	}
	err = list[0]
	if _, ok := errors.AsType[hcl.Diagnostics](err); ok {
		return err
	}
	if _, ok := errors.AsType[*view.Problem](err); ok {
		return err
	}
	if e, ok := errors.AsType[*apply.IncompleteError](err); ok {
		return incomplete(e)
	}
	if e, ok := errors.AsType[*apply.RestoredError](err); ok {
		return restored(err, e)
	}
	if e, ok := errors.AsType[*preflight.FailedError](err); ok {
		return unfit(e)
	}
	if e, ok := errors.AsType[*plan.StaleError](err); ok {
		return stale(e)
	}
	if e, ok := errors.AsType[*plan.ForeignError](err); ok {
		return foreign(e)
	}
	if e, ok := errors.AsType[*plan.MarkedError](err); ok {
		return marked(e)
	}
	if e, ok := errors.AsType[*host.LockedError](err); ok {
		return &view.Problem{Summary: "A host is locked", Detail: err.Error(), Err: err,
			Next: "Wait for " + e.Holder + " to finish, then run the command again. The lock goes with the session that holds it."}
	}
	if _, ok := errors.AsType[*host.ChangedError](err); ok {
		return &view.Problem{Summary: "A host is no longer what the plan read of it", Detail: err.Error(), Err: err,
			Next: "Run \"hardway plan\" to see what changed there."}
	}
	switch {
	case errors.Is(err, state.ErrNotInitialised):
		return &view.Problem{Summary: "There is no state yet", Err: err,
			Detail: "This directory has a configuration, but nothing was ever made from it.",
			Next:   "Run \"hardway init\"."}
	case errors.Is(err, context.Canceled):
		return &view.Problem{Summary: "Interrupted", Err: err}
	}
	return err
}

// incomplete tells what failed, one error each, and how to go on.
func incomplete(e *apply.IncompleteError) error {
	next := "What was done is recorded. Run \"hardway apply\" again: it goes on from here."
	if len(e.Errs) == 0 {
		return &view.Problem{Summary: "Interrupted", Detail: fmt.Sprintf("%d changes were not started.", e.Skipped), Next: next, Err: e}
	}
	var list []error
	for _, one := range e.Errs {
		if _, ok := errors.AsType[*apply.RestoredError](one); ok {
			next = "What was done is recorded. Once the configuration is mended, \"hardway apply\" goes on from here."
		}
		list = append(list, explain(one))
	}
	detail := ""
	if e.Skipped > 0 {
		detail = fmt.Sprintf("%d changes that depend on what failed were skipped.", e.Skipped)
	}
	return errors.Join(append(list, &view.Problem{Summary: "The plan was not carried out in full", Detail: detail, Next: next})...)
}
