package httpapi

import (
	"context"
	"sync"

	"pesan/internal/chat"
)

// Watcher tells at once when a command ends. A store of commands that is one too saves calls from polling; they poll
// nevertheless, in case somebody else ends the command.
type Watcher interface {
	// Watch returns a channel that is closed when the command ends, and a function that ends the watch.
	Watch(account, id string) (ended <-chan struct{}, stop func())
}

func watch(commands chat.Commands, account, id string) (<-chan struct{}, func()) {
	if w, ok := commands.(Watcher); ok {
		return w.Watch(account, id)
	}
	return nil, func() {}
}

// WatchedCommands is a store of commands whose ends are heard within the process. Whoever ends commands there must do it
// through this value.
type WatchedCommands struct {
	chat.Commands

	mu      sync.Mutex
	watches map[watched]map[chan struct{}]bool
}

type watched struct{ account, id string }

var (
	_ chat.Commands = (*WatchedCommands)(nil)
	_ Watcher       = (*WatchedCommands)(nil)
)

// WatchCommands makes the ends of commands heard.
func WatchCommands(commands chat.Commands) *WatchedCommands {
	return &WatchedCommands{Commands: commands, watches: make(map[watched]map[chan struct{}]bool)}
}

// Watch implements Watcher.
func (w *WatchedCommands) Watch(account, id string) (ended <-chan struct{}, stop func()) {
	key, watch := watched{account, id}, make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches[key] == nil {
		w.watches[key] = make(map[chan struct{}]bool)
	}
	w.watches[key][watch] = true
	return watch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watches[key], watch)
		if len(w.watches[key]) == 0 {
			delete(w.watches, key)
		}
	}
}

// EndCommand wakes those who watch the command, after the outcome is stored.
func (w *WatchedCommands) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (chat.CommandRecord, error) {
	r, err := w.Commands.EndCommand(ctx, account, id, o)
	if err != nil {
		return r, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := watched{account, id}
	for watch := range w.watches[key] {
		close(watch)
	}
	delete(w.watches, key)
	return r, nil
}
