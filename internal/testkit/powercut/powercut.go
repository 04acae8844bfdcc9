// Package powercut cuts the power of SQLite's disk: what wasn't waited for is gone, or is there in part. The disk may also fail once
// to take what is waited for, and be slow.
package powercut

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Disk stands between SQLite and the files of this process. A write is on it once SQLite has synced the file; until then a cut
// takes it, or not, or one sector of it, whatever came before or after.
type Disk struct {
	mu     sync.Mutex
	files  map[string]*file
	opened map[uintptr]*file                                   // by SQLite's handle
	waits  func(name string) (takes time.Duration, fails bool) // nil: at once, and never

	tls      *libc.TLS
	original *sqlite3.Tsqlite3_vfs
	address  uintptr // of original
	vfs      uintptr
	methods  map[uintptr]uintptr // ours, by SQLite's own
	kept     []any               // functions of which SQLite knows only the address
}

// file is what is on the disk of a file, and what may be.
type file struct {
	name    string
	durable []byte
	there   bool // it would be found after a cut
	pending []write
	untold  bool // Sync wasn't told yet that something couldn't be written, but SQLite was
}

// write is a write, or a truncation where data is nil.
type write struct {
	at   int64
	data []byte
}

// sector is what a disk writes whole or not at all.
const sector = 512

func (w write) apply(b []byte) []byte {
	if w.data == nil {
		return b[:min(int64(len(b)), w.at)]
	}
	if missing := w.at + int64(len(w.data)) - int64(len(b)); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	copy(b[w.at:], w.data)
	return b
}

// Use puts a disk under every database that is opened until the test ends.
func Use(t *testing.T) *Disk {
	t.Helper()
	d := &Disk{files: map[string]*file{}, opened: map[uintptr]*file{}, methods: map[uintptr]uintptr{}, tls: libc.NewTLS()}
	d.address = sqlite3.Xsqlite3_vfs_find(d.tls, 0)
	d.original = at[sqlite3.Tsqlite3_vfs](d.address)
	d.vfs = libc.Xmalloc(d.tls, libc.Tsize_t(unsafe.Sizeof(*d.original)))
	name, err := libc.CString("powercut")
	if err != nil {
		t.Fatal(err)
	}
	ours := at[sqlite3.Tsqlite3_vfs](d.vfs)
	*ours = *d.original
	ours.FzName = name
	ours.FxOpen = d.pointer(d.open)
	ours.FxDelete = d.pointer(d.delete)
	if rc := sqlite3.Xsqlite3_vfs_register(d.tls, d.vfs, 1); rc != sqlite3.SQLITE_OK {
		t.Fatalf("register: %d", rc)
	}
	t.Cleanup(func() {
		sqlite3.Xsqlite3_vfs_unregister(d.tls, d.vfs)
		sqlite3.Xsqlite3_vfs_register(d.tls, d.address, 1)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.opened) > 0 {
			t.Errorf("%d files are open", len(d.opened))
		}
	})
	return d
}

// Waits has f tell of each wait for the disk, by the file and one at a time, how long it takes and whether it fails. As on Linux the
// system takes what couldn't be written for written: who waits again is told that all is well, unless it was written again, and a
// cut takes it.
func (d *Disk) Waits(f func(name string) (takes time.Duration, fails bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = f
}

// ErrDisk is what Sync and Rewrite return where the disk fails.
var ErrDisk = errors.New("the disk hasn't taken it")

// Sync does for a file what SQLite's own sync does. It fails also for what SQLite was told of since, as for another who has the
// file open.
func (d *Disk) Sync(name string) error { return d.wait(name, false) }

// Rewrite writes again what can be read of a file, and waits for it.
func (d *Disk) Rewrite(name string) error { return d.wait(name, true) }

func (d *Disk) wait(name string, rewrite bool) error {
	d.mu.Lock()
	f := d.files[name]
	if f == nil {
		d.mu.Unlock()
		return fmt.Errorf("sync %s: %w", name, fs.ErrNotExist)
	}
	if rewrite {
		b, err := os.ReadFile(name)
		if err != nil {
			d.mu.Unlock()
			return err
		}
		f.pending = append(f.pending, write{data: b})
	}
	untold := f.untold && !rewrite
	f.untold = false
	takes, fails := d.sync(f)
	d.mu.Unlock()
	time.Sleep(takes)
	if fails || untold {
		return fmt.Errorf("sync %s: %w", name, ErrDisk)
	}
	return nil
}

// sync has what was written be there, unless it fails.
func (d *Disk) sync(f *file) (takes time.Duration, fails bool) {
	if d.waits != nil {
		takes, fails = d.waits(f.name)
	}
	if fails {
		f.pending = nil
		return takes, true
	}
	for _, w := range f.pending {
		f.durable = w.apply(f.durable)
	}
	f.pending, f.there = nil, true
	return takes, false
}

// Cut puts into another folder what a disk would have of a folder's files if its power were cut now. It may be called while
// they are written to. With the chance 0 nothing is there that wasn't synced, with 1 everything is.
func (d *Disk) Cut(from, to string, chance float64, random *rand.Rand) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, f := range d.files {
		below, found := strings.CutPrefix(name, from+string(filepath.Separator))
		if !found {
			continue
		}
		there := f.there || within(chance, random)
		if !there {
			continue
		}
		b := slices.Clone(f.durable)
		for _, w := range f.pending {
			for _, part := range w.sectors() {
				if within(chance, random) {
					b = part.apply(b)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(to, below), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func within(chance float64, random *rand.Rand) bool { return chance > 0 && random.Float64() < chance }

func (w write) sectors() (parts []write) {
	if w.data == nil {
		return []write{w}
	}
	for done := int64(0); done < int64(len(w.data)); {
		n := min(int64(len(w.data))-done, sector-(w.at+done)%sector)
		parts = append(parts, write{w.at + done, w.data[done : done+n]})
		done += n
	}
	return parts
}

// at is what stands at an address in SQLite's memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is the Go function at an address that SQLite has.
func function[F any](address uintptr) F {
	value := &struct{ uintptr }{address}
	return *(*F)(unsafe.Pointer(value))
}

// pointer is an address for SQLite to call.
func (d *Disk) pointer(f any) uintptr {
	d.kept = append(d.kept, f)
	return (*[2]uintptr)(unsafe.Pointer(&f))[1]
}

type openFunc = func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32

func (d *Disk) open(tls *libc.TLS, _, name, handle uintptr, flags int32, out uintptr) int32 {
	rc := function[openFunc](d.original.FxOpen)(tls, d.address, name, handle, flags, out)
	if rc != sqlite3.SQLITE_OK || name == 0 ||
		flags&(sqlite3.SQLITE_OPEN_MAIN_DB|sqlite3.SQLITE_OPEN_WAL|sqlite3.SQLITE_OPEN_MAIN_JOURNAL) == 0 {
		return rc
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	path := libc.GoString(name)
	f := d.files[path]
	if f == nil {
		f = &file{name: path}
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			f.durable, f.there = b, true
		}
		d.files[path] = f
	}
	d.opened[handle] = f
	opened := at[sqlite3.Tsqlite3_file](handle)
	opened.FpMethods = d.wrap(opened.FpMethods)
	return rc
}

// wrap makes methods that tell the disk what SQLite does to a file.
func (d *Disk) wrap(address uintptr) uintptr {
	if ours := d.methods[address]; ours != 0 {
		return ours
	}
	methods := at[sqlite3.Tsqlite3_io_methods](address)
	memory := libc.Xmalloc(d.tls, libc.Tsize_t(unsafe.Sizeof(*methods)))
	ours := at[sqlite3.Tsqlite3_io_methods](memory)
	*ours = *methods
	closeFile := function[func(*libc.TLS, uintptr) int32](methods.FxClose)
	writeFile := function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](methods.FxWrite)
	truncate := function[func(*libc.TLS, uintptr, int64) int32](methods.FxTruncate)
	ours.FxClose = d.pointer(func(tls *libc.TLS, handle uintptr) int32 {
		d.mu.Lock()
		delete(d.opened, handle)
		d.mu.Unlock()
		return closeFile(tls, handle)
	})
	ours.FxWrite = d.pointer(func(tls *libc.TLS, handle, from uintptr, n int32, offset int64) int32 {
		d.note(handle, write{offset, slices.Clone(unsafe.Slice(at[byte](from), n))})
		return writeFile(tls, handle, from, n, offset)
	})
	ours.FxTruncate = d.pointer(func(tls *libc.TLS, handle uintptr, size int64) int32 {
		d.note(handle, write{at: size})
		return truncate(tls, handle, size)
	})
	ours.FxSync = d.pointer(func(_ *libc.TLS, handle uintptr, _ int32) int32 { // the real disk needn't wait
		d.mu.Lock()
		f := d.opened[handle]
		takes, fails := d.sync(f)
		f.untold = f.untold || fails
		d.mu.Unlock()
		time.Sleep(takes)
		if fails {
			return sqlite3.SQLITE_IOERR_FSYNC
		}
		return sqlite3.SQLITE_OK
	})
	d.methods[address], d.methods[memory] = memory, memory
	return memory
}

func (d *Disk) note(handle uintptr, w write) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.opened[handle]
	f.pending = append(f.pending, w)
}

func (d *Disk) delete(tls *libc.TLS, _, name uintptr, syncFolder int32) int32 {
	rc := function[func(*libc.TLS, uintptr, uintptr, int32) int32](d.original.FxDelete)(tls, d.address, name, syncFolder)
	d.mu.Lock()
	defer d.mu.Unlock()
	if rc == sqlite3.SQLITE_OK {
		delete(d.files, libc.GoString(name))
	}
	return rc
}
