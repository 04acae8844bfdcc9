package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"pesan/internal/chat"
)

// ReportLister reads the API log.
type ReportLister interface {
	// ListReports returns entries, newest first.
	ListReports(ctx context.Context, account string, p chat.Page) (reports []chat.Report, next string, err error)
}

// ReportClearer clears the API log.
type ReportClearer interface {
	// ClearReports deletes the account's entries that are finished or lost at the moment, or with all also the pending ones.
	ClearReports(ctx context.Context, account string, all bool, now time.Time) error
}

// reportEntry is an entry of the API log as it is shown.
type reportEntry struct {
	ID        string            `json:"id"`
	Time      *string           `json:"time"`
	RequestID string            `json:"requestId,omitempty"`
	Endpoint  string            `json:"endpoint"`
	Key       string            `json:"key,omitempty"`
	Target    string            `json:"target,omitempty"`
	Code      int               `json:"code"`
	Error     chat.Code         `json:"error,omitempty"`
	CommandID string            `json:"commandId,omitempty"`
	BatchID   string            `json:"batchId,omitempty"`
	Command   chat.CommandState `json:"command,omitempty"`
	EndedAt   *string           `json:"endedAt,omitempty"`
}

// GetReportAPI shows the API log, newest first.
func GetReportAPI(d Deps) Endpoint {
	return Endpoint{
		Name: "getReportApi", Group: OfLog, Methods: reading, Needs: []Port{Reports}, begin: getReportAPI(d.Reports), large: true,
		Params: []string{"limit", "cursor"},
	}
}

func getReportAPI(reports ReportLister) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		entries, next, err := reports.ListReports(ctx, c.claimed, page)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, a chat.Account) (int, error) {
			return c.answerPage(showReports(c, a, entries), next)
		}, nil
	}
}

// showReports leaves out what a call for another number wrote after that number's log had been deleted.
func showReports(c *call, a chat.Account, entries []chat.Report) []reportEntry {
	shown := make([]reportEntry, 0, len(entries))
	for _, r := range entries {
		if r.Number != "" && r.Number != a.Owner {
			continue
		}
		if r.Lost(c.now) {
			r.Error, r.Command, r.EndedAt = chat.Unavailable, chat.CommandFailed, r.At.Add(chat.CommandAge)
		}
		shown = append(shown, reportEntry{
			r.ID, moment(r.At), r.Request, r.Endpoint, r.Key, r.Target, statusOf(&r), r.Error, r.CommandID, r.Batch, r.Command, moment(r.EndedAt),
		})
	}
	return shown
}

// statusOf is the status of an entry: of a command that has ended, of how it did.
func statusOf(r *chat.Report) int {
	switch {
	case r.Command == chat.CommandPending:
		return http.StatusAccepted
	case r.Command != "", r.Status == 0:
		return Status(r.Error)
	}
	return r.Status
}

// ClearReportAPI clears the API log.
func ClearReportAPI(d Deps) Endpoint {
	return Endpoint{
		Name: "clearReportApi", Group: OfLog, Methods: changing, Needs: []Port{Reports}, begin: clearReportAPI(d.Reports), admin: true,
		Params: []string{"all"}, Example: []string{"all=all"}, silent: true, // what was cleared stays empty
	}
}

func clearReportAPI(reports ReportClearer) begin {
	return func(_ context.Context, c *call) (finish, error) {
		all := false
		switch strings.ToLower(c.params.get("all")) {
		case "all", "true", "1":
			all = true
		case "", "false", "0":
		default:
			return nil, wrong(chat.InvalidParameter, "all", "all, true atau false", "all, true or false")
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if err := reports.ClearReports(ctx, a.ID, all, c.now); err != nil {
				return 0, err
			}
			c.out = append(c.out, `{"code":200,"message":"Success"}`...)
			return http.StatusOK, nil
		}, nil
	}
}
