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
