package kv

import (
	"context"
	"fmt"
)

// Under is a store that makes a step only while check returns nil, and returns ErrFenced with its error otherwise. Tokens refuse
// a former owner what a later one relies on; check, which knows the owner's lease and clocks, keeps a process that was paused
// from going on with all the rest.
func Under(s Store, check func() error) Store { return under{s, check} }

type under struct {
	Store
	check func() error
}

func (u under) Write(ctx context.Context, steps ...Step) error {
	for _, step := range steps {
		if len(step.Ops) == 0 {
			continue
		}
		if err := u.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrFenced, err)
		}
		if err := u.Store.Write(ctx, step); err != nil {
			return err
		}
	}
	return nil
}
