package dynamodb

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/kv"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func binary(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyOf(k kv.Key) attributes {
	return attributes{attrPartition: text(k.Partition), attrSort: text(k.Sort)}
}

// attributesOf leaves out what is zero.
func attributesOf(it kv.Item) attributes {
	a := keyOf(it.Key)
	a[attrVersion] = binary(it.Version[:])
	if len(it.Data) > 0 {
		a[attrData] = binary(it.Data)
	}
	if it.Token != 0 {
		a[attrToken] = number(it.Token)
	}
	if it.Expires != 0 {
		a[attrExpires] = number(it.Expires)
	}
	for field, n := range it.Fields {
		if n != 0 {
			a[fieldAttribute(field)] = number(n)
		}
	}
	return a
}

// itemOf takes an item apart that came from a collection.
func itemOf(c kv.Collection, a attributes) kv.Item {
	it := kv.Item{Key: kv.Key{Collection: c}}
	for name, value := range a {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			setText(&it, name, v.Value)
		case *types.AttributeValueMemberB:
			setBinary(&it, name, v.Value)
		case *types.AttributeValueMemberN:
			n, _ := strconv.ParseInt(v.Value, 10, 64) // DynamoDB's numbers are numbers; ours are whole
			setNumber(&it, name, n)
		}
	}
	return it
}

func setText(it *kv.Item, name, value string) {
	switch name {
	case attrPartition:
		it.Partition = value
	case attrSort:
		it.Sort = value
	}
}

func setBinary(it *kv.Item, name string, value []byte) {
	switch name {
	case attrData:
		it.Data = value
	case attrVersion:
		copy(it.Version[:], value)
	}
}

func setNumber(it *kv.Item, name string, n int64) {
	switch name {
	case attrToken:
		it.Token = n
	case attrExpires:
		it.Expires = n
	default:
		if it.Fields == nil {
			it.Fields = map[string]int64{}
		}
		it.Fields[strings.TrimPrefix(name, "_")] = n
	}
}

// here tells whether an item that is stored counts: from its end on it doesn't.
func (s *Store) here(it kv.Item) bool { return it.Expires == 0 || it.Expires > s.now().Unix() }
