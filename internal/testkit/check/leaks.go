package check

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// Leaks is the exit code of tests, or 1 where they leave goroutines behind. Those of AWS's clients are none: they keep
// connections for later, which end with the process.
func Leaks(code int) int {
	if code != 0 {
		return code
	}
	idle := []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	}
	if err := goleak.Find(idle...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
