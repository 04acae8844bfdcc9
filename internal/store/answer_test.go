package store_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/kv/sqlite"
	"pesan/internal/render"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
	"pesan/internal/testkit/dynamolocal"
)

// answer replays DynamoDB's answer to every query.
type answer []byte

func (a answer) Do(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		ContentLength: int64(len(a)), Body: io.NopCloser(bytes.NewReader(a)),
	}, nil
}

// answerOf is what DynamoDB answers when all chats of an account are queried, and its items' size as DynamoDB counts it.
func answerOf(t testing.TB, db kv.Store, account string) (a answer, size int) {
	t.Helper()
	type attribute map[string]any
	var items []map[string]attribute
	for it, err := range db.Query(t.Context(), kv.Query{Collection: kv.Chats, Partition: account}.Prefix("c/")) {
		if err != nil {
			t.Fatal(err)
		}
		attributes := map[string]attribute{"pk": {"S": it.Partition}, "sk": {"S": it.Sort}, "v": {"B": it.Version[:]}, "d": {"B": it.Data}}
		size += 2 + len(it.Partition) + 2 + len(it.Sort) + 1 + len(it.Version) + 1 + len(it.Data)
		for name, n := range it.Fields {
			attributes[name] = attribute{"N": strconv.FormatInt(n, 10)}
			size += len(name) + 1 + (len(strconv.FormatInt(n, 10))+1)/2
		}
		items = append(items, attributes)
	}
	b, err := json.Marshal(map[string]any{"Count": len(items), "Items": items, "ScannedCount": len(items)})
	if err != nil {
		t.Fatal(err)
	}
	return b, size
}

// BenchmarkChatsOfAnAnswer lists 1,000 chats out of DynamoDB's answer and prints them, as getChats does.
func BenchmarkChatsOfAnAnswer(b *testing.B) {
	db := openFile(b, sqlite.Options{Now: storetest.Now})
	filled := store.New(db, store.Options{Compression: store.Zstd, Now: storetest.Now})
	account := newAccount(b, filled)
	fill(b, filled, account, 1000)
	body, size := answerOf(b, db, account)
	client := awsdynamodb.New(awsdynamodb.Options{
		Region: "x", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTPClient: body,
		BaseEndpoint: aws.String("http://localhost"),
	}, dynamodb.Tuned)
	s := overDynamoDB(client, dynamolocal.TablesWith("t-"))
	var out []byte
	before := cpuTime()
	for b.Loop() {
		views, _, err := s.Chats(b.Context(), account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
		if err != nil || len(views) != 1000 {
			b.Fatal(len(views), err)
		}
		out = out[:0]
		for i := range views {
			out = render.AppendChat(out, &views[i], render.Listed, noon)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(size)/4096, "RRU")
}
