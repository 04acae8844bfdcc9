package awsfault

import (
	"encoding/json"
)

// undone is what was taken out of a batch to DynamoDB.
type undone struct {
	field string // of the answer
	items map[string]json.RawMessage
}

// takeSome takes about half out of a batch of reads or writes, but not all of it. It returns nil for another call, and for
// a batch of one.
func (p *Proxy) takeSome(operation string, body []byte) ([]byte, *undone) {
	var request map[string]json.RawMessage
	var tables map[string]json.RawMessage
	if operation != "BatchGetItem" && operation != "BatchWriteItem" ||
		json.Unmarshal(body, &request) != nil || json.Unmarshal(request["RequestItems"], &tables) != nil {
		return body, nil
	}
	u := &undone{field: "UnprocessedItems", items: map[string]json.RawMessage{}}
	if operation == "BatchGetItem" {
		u.field = "UnprocessedKeys"
	}
	left := 0
	for name, requests := range tables {
		keep, take, n := p.split(operation, requests)
		if take != nil {
			tables[name], u.items[name] = keep, take
		}
		left += n
	}
	if len(u.items) == 0 || left == 0 {
		return body, nil
	}
	request["RequestItems"] = mustMarshal(tables)
	return mustMarshal(request), u
}

// split divides what a batch asks of one table. It always keeps something.
func (p *Proxy) split(operation string, requests json.RawMessage) (keep, take json.RawMessage, kept int) {
	if operation == "BatchWriteItem" {
		var writes []json.RawMessage
		if json.Unmarshal(requests, &writes) != nil {
			return nil, nil, 0
		}
		a, b := p.divide(writes)
		if len(b) == 0 {
			return nil, nil, len(a)
		}
		return mustMarshal(a), mustMarshal(b), len(a)
	}
	var reads map[string]json.RawMessage
	var keys []json.RawMessage
	if json.Unmarshal(requests, &reads) != nil || json.Unmarshal(reads["Keys"], &keys) != nil {
		return nil, nil, 0
	}
	a, b := p.divide(keys)
	if len(b) == 0 {
		return nil, nil, len(a)
	}
	reads["Keys"] = mustMarshal(b)
	take = mustMarshal(reads)
	reads["Keys"] = mustMarshal(a)
	return mustMarshal(reads), take, len(a)
}

func (p *Proxy) divide(all []json.RawMessage) (keep, take []json.RawMessage) {
	for _, one := range all {
		if len(keep) > 0 && p.half() {
			take = append(take, one)
		} else {
			keep = append(keep, one)
		}
	}
	return keep, take
}

// add says in an answer what wasn't done.
func (u *undone) add(answer []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil {
		return answer
	}
	there := map[string]json.RawMessage{}
	_ = json.Unmarshal(fields[u.field], &there) // absent is as good as empty
	for name, requests := range there {
		u.items[name] = merge(u.items[name], requests)
	}
	fields[u.field] = mustMarshal(u.items)
	return mustMarshal(fields)
}

// merge joins what is undone of one table.
func merge(a, b json.RawMessage) json.RawMessage {
	var writes, more []json.RawMessage
	if json.Unmarshal(a, &writes) == nil && json.Unmarshal(b, &more) == nil {
		return mustMarshal(append(writes, more...))
	}
	var reads, others map[string]json.RawMessage
	if json.Unmarshal(a, &reads) != nil || json.Unmarshal(b, &others) != nil {
		return b // nothing of ours
	}
	reads["Keys"] = merge(reads["Keys"], others["Keys"])
	return mustMarshal(reads)
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was made of JSON
	}
	return b
}
