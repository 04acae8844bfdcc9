package httpapi

import (
	"cmp"
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/chat"
)

// GetUsage says what the account used, by day and key.
func GetUsage(d Deps) Endpoint {
	return Endpoint{
		Name: "getUsage", Group: OfKeys, Methods: reading, Needs: []Port{AllUsage}, begin: getUsage(d.AllUsage),
		Params: []string{"day", "month"},
	}
}

// usageRow is what a key used on a day.
type usageRow struct {
	Day        string `json:"day"`
	Key        string `json:"key"`
	Calls      int64  `json:"calls"`
	Failed     int64  `json:"failed"`
	Commands   int64  `json:"commands"`
	Operations int64  `json:"operations"`
	Messages   int64  `json:"messages"`
	Deliveries int64  `json:"deliveries"`
}

func getUsage(usage chat.UsageReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		from, through, err := c.days()
		if err != nil {
			return nil, err
		}
		days, err := usage.Usage(ctx, c.claimed, from, through)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, a chat.Account) (int, error) {
			rows := make([]usageRow, 0, len(days))
			for _, d := range days {
				rows = append(rows, usageRow{
					d.Day, keyName(a, d.Key), d.Calls, d.Failed, d.Commands, d.Operations, d.Messages, d.Deliveries,
				})
			}
			if c.prefersCSV() {
				c.csv(rows)
				return http.StatusOK, nil
			}
			var total chat.Usage
			for _, d := range days {
				total.Add(d.Usage)
			}
			type results struct {
				From    string     `json:"from"`
				Through string     `json:"through"`
				Total   usageTotal `json:"total"`
				Days    []usageRow `json:"days"`
			}
			return c.answer(http.StatusOK, results{from, through, usageTotal(total), rows})
		}, nil
	}
}

// usageTotal is chat.Usage with all its members.
type usageTotal struct {
	Calls      int64 `json:"calls"`
	Failed     int64 `json:"failed"`
	Commands   int64 `json:"commands"`
	Operations int64 `json:"operations"`
	Messages   int64 `json:"messages"`
	Deliveries int64 `json:"deliveries"`
}

// keyName is the name of a key; one that was revoked has its id alone. What no key asks for has none.
func keyName(a chat.Account, id string) string {
	if i := slices.IndexFunc(a.Keys, func(k chat.APIKey) bool { return k.ID == id }); i >= 0 {
		return a.Keys[i].Name
	}
	return id
}

// days reads the parameters day and month: without either it is this month.
func (c *call) days() (from, through string, err error) {
	day, month := c.params.get("day"), c.params.get("month")
	switch {
	case day != "" && month != "":
		return "", "", wrong(chat.InvalidParameter, "day", "kosong bila month diisi", "empty where month is given")
	case day != "":
		if t, err := time.Parse(time.DateOnly, day); err != nil || t.Format(time.DateOnly) != day {
			return "", "", wrong(chat.InvalidParameter, "day", "tanggal seperti 2026-01-31", "a date such as 2026-01-31")
		}
		return day, day, nil
	}
	t, err := time.Parse("2006-01", cmp.Or(month, chat.MonthOf(c.now)))
	if err != nil {
		return "", "", wrong(chat.InvalidParameter, "month", "bulan seperti 2026-01", "a month such as 2026-01")
	}
	return t.Format(time.DateOnly), t.AddDate(0, 1, -1).Format(time.DateOnly), nil
}

// prefersCSV tells whether Accept asks for a table rather than JSON.
func (c *call) prefersCSV() bool {
	var table, document float64
	for choice := range strings.SplitSeq(c.request.header("Accept"), ",") {
		switch name, quality := splitQuality(choice); strings.ToLower(name) {
		case "text/csv":
			table = max(table, quality)
		case "application/json":
			document = max(document, quality)
		}
	}
	return table > document
}

// cell is a text in a table: what a spreadsheet would take for a formula begins with an apostrophe.
func cell(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r") {
		return "'" + text
	}
	return text
}

// csv writes a table.
func (c *call) csv(rows []usageRow) {
	c.contentType = "text/csv; charset=utf-8"
	var b strings.Builder
	w := csv.NewWriter(&b)
	write := func(fields ...string) { _ = w.Write(fields) } // a builder takes everything
	write("day", "key", "calls", "failed", "commands", "operations", "messages", "deliveries")
	for _, r := range rows {
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		write(r.Day, cell(r.Key), n(r.Calls), n(r.Failed), n(r.Commands), n(r.Operations), n(r.Messages), n(r.Deliveries))
	}
	w.Flush()
	c.out = append(c.out, b.String()...)
}

// SetLimit bounds what a key may use.
func SetLimit(d Deps) Endpoint {
	return Endpoint{
		Name: "setLimit", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts}, begin: setLimit(d.Accounts),
		Params: []string{"id", "name", "perSecond", "perMonth"}, Example: []string{"id={id}", "perSecond=20", "perMonth=100000"},
	}
}

// The greatest limits.
const (
	maxPerSecond = 1000
	maxPerMonth  = 1_000_000_000_000
)

func setLimit(accounts AccountUpdater) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.id()
		if err != nil {
			return nil, err
		}
		perSecond, err := c.bound("perSecond", maxPerSecond)
		if err != nil {
			return nil, err
		}
		perMonth, err := c.bound("perMonth", maxPerMonth)
		if err != nil {
			return nil, err
		}
		name := cmp.Or(c.params.get("name"), chat.MainKey)
		limits := chat.Limits{PerSecond: int(perSecond), PerMonth: perMonth}
		return func(ctx context.Context, c *call, _ chat.Account) (int, error) {
			err := accounts.UpdateAccount(ctx, id, func(a *chat.Account) error {
				if name == chat.MainKey {
					a.Limits = limits
					return nil
				}
				i := slices.IndexFunc(a.Keys, func(k chat.APIKey) bool { return k.Name == name })
				if i < 0 {
					return &chat.Error{Code: chat.KeyNotFound}
				}
				a.Keys = slices.Clone(a.Keys)
				a.Keys[i].Limits = limits
				return nil
			})
			if err != nil {
				return 0, err
			}
			c.account, c.target = id, name
			return c.system(systemAnswer{Status: true, Message: "Limit successfully set"})
		}, nil
	}
}

// bound reads a parameter that bounds something; 0 where it is absent, for no bound.
func (c *call) bound(name string, most int64) (int64, error) {
	return c.between(name, 0, most, 0, wrong(chat.InvalidParameter, name,
		"bilangan bulat sampai "+strconv.FormatInt(most, 10)+"; 0: tanpa batas",
		"a whole number up to "+strconv.FormatInt(most, 10)+"; 0: no limit"))
}
