package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrToMend says that something is to be mended; what, was printed.
var ErrToMend = errors.New("something is to be mended")

// Doctor looks at all that a program needs on this machine, and says what to mend. It changes nothing, unless it is to mend the
// databases.
func Doctor(ctx context.Context, c Config, mends bool) error {
	d := &doctor{words: wordsOf(c.Locale), out: c.Out}
	f, err := theFolder(c, d.words)
	if err != nil {
		d.bad("%v", err)
	} else {
		d.folder(f)
		if err := d.databases(ctx, f, mends); err != nil {
			return err
		}
	}
	d.whatsApp(ctx, c.WhatsApp)
	if d.found > 0 {
		return ErrToMend
	}
	return nil
}

type doctor struct {
	words
	out   io.Writer
	found int // that isn't well
}

func (d *doctor) well(format string, args ...any) { fmt.Fprintf(d.out, "  ok  "+format+"\n", args...) }

func (d *doctor) bad(format string, args ...any) {
	d.found++
	fmt.Fprintln(d.out, "  !   "+strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n      "))
}

// Least is what must be free on the disk for a folder to be well.
const leastFree = 200 << 20

func (d *doctor) folder(f *folder) {
	d.well(d.doctorsFolder, f.Path)
	names := []string{f.Path}
	for _, name := range []string{"lock", "secret", filepath.Base(f.Database()), filepath.Base(f.Devices())} {
		names = append(names, filepath.Join(f.Path, name))
	}
	wellKept := true
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			wellKept = false
			d.bad(d.cantRead, name, err)
		case enforced && info.Mode().Perm()&0o077 != 0:
			wellKept = false
			d.bad(d.readable, name, name)
		}
	}
	if file, err := os.CreateTemp(f.Path, ".doctor-*"); err != nil {
		wellKept = false
		d.bad(d.cantWrite, f.Path, err)
	} else {
		_ = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if wellKept {
		d.well("%s", d.rightsWell)
	}
	switch free, err := freeBytes(f.Path); {
	case err != nil:
		d.bad(d.cantRead, f.Path, err)
	case free < leastFree:
		d.bad(d.diskFull, free>>20, f.Path)
	default:
		d.well(d.diskWell, free>>20)
	}
}

// databases looks at both, while a program may use them. To mend, none may.
func (d *doctor) databases(ctx context.Context, f *folder, mends bool) error {
	if _, err := os.Stat(f.Database()); errors.Is(err, fs.ErrNotExist) {
		d.well("%s", d.noData)
		return nil
	}
	if mends {
		locked, err := lockFolder(f.Path)
		if inUse := (*FolderInUseError)(nil); errors.As(err, &inUse) {
			return fmt.Errorf(d.inUse, inUse.Process, inUse.Path)
		} else if err != nil {
			return err
		}
		err = mend(ctx, d.words, locked, func(format string, args ...any) { fmt.Fprintf(d.out, "  ok  "+format+"\n", args...) })
		if err = errors.Join(err, locked.Close()); err != nil {
			return err
		}
	}
	switch h, err := examine(ctx, d.words, f); {
	case err != nil:
		d.bad("%v", err)
	case !h.none():
		d.bad("%s\n%s\n%s", fmt.Sprintf(d.isHurt, f.Path), h.tell(ctx, d.words, f), d.getBack)
	default:
		d.well("%s", d.dataWell)
	}
	return nil
}

const (
	whatsAppURL      = "https://web.whatsapp.com/"
	whatsAppPatience = 15 * time.Second
	mostSkew         = time.Minute // by which the clock may be wrong: codes and connections depend on it
)

// whatsApp asks for WhatsApp's page, which says what time it is there.
func (d *doctor) whatsApp(ctx context.Context, client *http.Client) {
	if client == nil {
		client = http.DefaultClient
	}
	ctx, cancel := context.WithTimeout(ctx, whatsAppPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, whatsAppURL, nil)
	if err != nil {
		d.bad("%v", err)
		return
	}
	began := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		d.bad(d.noWhatsApp, reason(err))
		return
	}
	answer.Body.Close()
	d.well(d.whatsAppWell, time.Since(began).Seconds())
	there, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return
	}
	if skew := began.Sub(there).Round(time.Second); skew.Abs() > mostSkew {
		d.bad(d.wrongClock, skew)
		return
	}
	d.well("%s", d.clockWell)
}
