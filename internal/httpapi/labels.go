package httpapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"pesan/internal/chat"
)

// GetLabels lists the account's labels, which getChats filters by.
func GetLabels(d Deps) Endpoint {
	return Endpoint{
		Name: "getLabels", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getLabels(d.Labels),
	}
}

func getLabels(labels chat.LabelReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		known, err := labels.Labels(ctx, c.claimed)
		if err != nil {
			return nil, err
		}
		type label struct {
			ID    string `json:"id"`
			Name  string `json:"name"`
			Color int    `json:"color"`
			place int
		}
		all := []label{}
		for id, r := range known.All {
			if !r.Value.Deleted {
				all = append(all, label{id, r.Value.Name, r.Value.Color, r.Value.Place})
			}
		}
		slices.SortFunc(all, func(a, b label) int {
			return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(numberOf(a.ID), numberOf(b.ID)), cmp.Compare(a.ID, b.ID))
		})
		c.out = append(c.out, `{"code":200,"results":`...)
		c.json(all)
		return fresh(""), nil
	}
}

// numberOf is an id as a number, by which labels were made one after the other.
func numberOf(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64) // else they come first
	return n
}

// named reads the parameter name of a filter; it comes folded. What a reader doesn't see filters nothing.
func (c *call) named() (string, error) {
	text := c.params.get("name")
	if len([]rune(text)) > maxName {
		return "", wrong(chat.InvalidParameter, "name", "1 sampai 100 karakter dari nama chat", "1 to 100 characters of a chat's name")
	}
	return chat.Fold(text), nil
}

// label reads the parameter label of a filter.
func (c *call) label() (string, error) {
	id := c.params.get("label")
	if id != "" && !chat.ValidLabelID(id) {
		return "", wrong(chat.InvalidParameter, "label", "id label, seperti di getLabels", "the id of a label, as getLabels shows it")
	}
	return id, nil
}
