//go:build unix

package standalone

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func lockFile(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// enforced: rights of files mean something here.
const enforced = true

// maxConnections is how many clients may be connected: half of what the system lets the process open, as files need some too.
func maxConnections() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return mostConnections / 2
	}
	return int(max(32, min(mostConnections, limit.Cur/2)))
}

const mostConnections = 2048

// freeBytes is how much may still be written on a path's disk.
func freeBytes(path string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return 0, err
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil
}
