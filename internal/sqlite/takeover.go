package sqlite

import "context"

// TakeOver frees what a former process held when it was killed: its leases, and the commands that it had received. Only
// who knows that no other process uses the database may call it, before it uses the database itself.
func (db *DB) TakeOver(ctx context.Context) error {
	err := db.write(ctx, func(tx *transaction) error {
		for _, query := range []string{
			"UPDATE leases SET expires = 0", // the epochs stay
			"DELETE FROM hosts",
			"UPDATE queue SET visible = 0",
		} {
			if err := tx.exec(query); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("take over", err)
}
