package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs the migrations that the database hasn't seen, each in a transaction; they are numbered without gaps, and
// PRAGMA user_version holds the number of the last.
func migrate(ctx context.Context, conn *sql.Conn) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if version > len(files) {
		return fmt.Errorf("the tables have version %d, made by a newer program; this one knows versions up to %d", version, len(files))
	}
	for ; version < len(files); version++ {
		if err := runMigration(ctx, conn, files[version], version+1); err != nil {
			return fmt.Errorf("migrate with %s: %w", files[version], err)
		}
	}
	return nil
}

func runMigration(ctx context.Context, conn *sql.Conn, file string, version int) error {
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
