package standalone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/devicedb"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
)

// hurt is what isn't as it was written in a folder's files.
type hurt struct {
	accounts map[string]map[chat.JID]bool // chats by account; the chat "" is the account itself
	parts    int                          // that belong to no account that can be told
	keys     []string                     // faults of the device keys
}

func (h *hurt) none() bool { return len(h.accounts) == 0 && h.parts == 0 && len(h.keys) == 0 }

func (h *hurt) add(d sqlite.Damage) {
	account, jid := store.AccountOf(d.Key)
	if account == "" {
		h.parts++
		return
	}
	if h.accounts[account] == nil {
		h.accounts[account] = map[chat.JID]bool{}
	}
	h.accounts[account][jid] = true
}

// examine reads all of a folder's files. Where nothing of the database can be read it returns why, as notOpened puts it.
func examine(ctx context.Context, w words, f *folder) (*hurt, error) {
	h := &hurt{accounts: map[string]map[chat.JID]bool{}}
	for d, err := range sqlite.Check(ctx, f.Database()) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, w.notOpened(f.Database(), err)
		default:
			h.add(d)
		}
	}
	var err error
	if h.keys, err = devicedb.Check(ctx, f.Devices()); err != nil {
		return nil, fmt.Errorf(w.cantRead, f.Devices(), err)
	}
	return h, nil
}

// mostChats is how many hurt chats of an account are told.
const mostChats = 20

// tell says for people what is hurt.
func (h *hurt) tell(ctx context.Context, w words, f *folder) string {
	var lines []string
	names := accountNames(ctx, f)
	for _, id := range slices.Sorted(maps.Keys(h.accounts)) {
		name := clean(cmp.Or(names[id], "?"))
		var chats []string
		for _, jid := range slices.Sorted(maps.Keys(h.accounts[id])) {
			if jid != "" {
				chats = append(chats, string(jid))
			}
		}
		if h.accounts[id][""] {
			lines = append(lines, fmt.Sprintf("  "+w.hurtAccount, name, id))
		}
		if len(chats) > 0 {
			more := ""
			if len(chats) > mostChats {
				chats, more = chats[:mostChats], " …"
			}
			lines = append(lines, fmt.Sprintf("  "+w.hurtChats, name, id, len(h.accounts[id]), strings.Join(chats, " ")+more))
		}
	}
	if h.parts > 0 {
		lines = append(lines, "  "+w.hurtParts)
	}
	if len(h.keys) > 0 {
		lines = append(lines, "  "+fmt.Sprintf(w.hurtKeys, clean(h.keys[0])))
	}
	return strings.Join(lines, "\n")
}

// accountNames are those that can be read.
func accountNames(ctx context.Context, f *folder) map[string]string {
	names := map[string]string{}
	db, err := sqlite.Open(ctx, f.Database(), sqlite.Options{})
	if err != nil {
		return names
	}
	defer db.Close()
	if all, err := store.New(db, store.Options{}).AccountsOf(ctx, chat.ShardsOf(0, 1)); err == nil {
		for _, a := range all {
			names[a.ID] = a.Name
		}
	}
	return names
}

// notOpened says for people why a database can't be used, and what to do.
func (w *words) notOpened(path string, err error) error {
	switch {
	case errors.Is(err, sqlite.ErrNewer):
		return fmt.Errorf(w.newerFile, path)
	case errors.Is(err, sqlite.ErrForeign):
		return fmt.Errorf(w.foreignFile, path)
	case errors.Is(err, sqlite.ErrDamaged):
		return fmt.Errorf(w.unreadable, path)
	}
	return fmt.Errorf(w.cantRead, path, err)
}

// examineAfter looks at the files of a folder whose last owner didn't end orderly, and refuses them where they are hurt.
func (p *program) examineAfter(ctx context.Context) error {
	if info, err := os.Stat(p.folder.Database()); !p.folder.Unclean || err != nil || info.Size() == 0 {
		p.folder.Unclean = false
		return nil
	}
	began := time.Now()
	if err := p.refuseHurt(ctx); err != nil {
		return err
	}
	p.folder.Unclean = false
	if took := time.Since(began); took > time.Second {
		p.say(p.examined, took.Seconds())
	}
	return nil
}

// refuseHurt looks at the files of the folder, and says for people what of them is hurt, if anything is.
func (p *program) refuseHurt(ctx context.Context) error {
	h, err := examine(ctx, p.words, p.folder)
	if err != nil || h.none() {
		return err
	}
	return fmt.Errorf("%s\n%s\n%s", fmt.Sprintf(p.isHurt, p.folder.Path), h.tell(ctx, p.words, p.folder), p.getBack)
}

// mend keeps of a locked folder's files what is whole. What they were before stays beside them.
func mend(ctx context.Context, w words, f *folder, say func(format string, args ...any)) error {
	h, err := examine(ctx, w, f)
	if err != nil {
		return err
	}
	aside := time.Now().UTC().Format("20060102T150405")
	if len(h.accounts)+h.parts > 0 {
		lost := &hurt{accounts: map[string]map[chat.JID]bool{}}
		whole := f.Database() + ".mended"
		err := errors.Join(removeDatabase(whole), private(whole), sqlite.Mend(ctx, f.Database(), whole, lost.add))
		if err != nil {
			return err
		}
		if err := replaceDatabase(f.Database(), whole, aside); err != nil {
			return err
		}
		say(w.mended+"\n%s", f.Database()+"."+aside, lost.tell(ctx, w, f))
	}
	if len(h.keys) > 0 {
		whole := f.Devices() + ".mended"
		if err := errors.Join(removeDatabase(whole), private(whole)); err != nil {
			return err
		}
		if devicedb.Mend(ctx, f.Devices(), whole) != nil { // then nobody has keys
			if err := errors.Join(removeDatabase(whole), moveDatabase(f.Devices(), f.Devices()+"."+aside)); err != nil {
				return err
			}
			say("%s", w.keysGone)
		} else if err := replaceDatabase(f.Devices(), whole, aside); err != nil {
			return err
		}
	}
	f.Unclean = false
	return nil
}

// databaseFiles are the parts of a SQLite database.
var databaseFiles = []string{"", "-wal", "-shm"}

func removeDatabase(path string) error {
	var errs []error
	for _, part := range databaseFiles {
		if err := os.Remove(path + part); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func moveDatabase(from, to string) error {
	for _, part := range slices.Backward(databaseFiles) { // a log without its database is nothing, a database without its log is old
		if err := os.Rename(from+part, to+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replaceDatabase puts another in a database's place, which stays beside it under its name with a dot and aside.
func replaceDatabase(path, by, aside string) error {
	if err := moveDatabase(path, path+"."+aside); err != nil {
		return err
	}
	return moveDatabase(by, path)
}
