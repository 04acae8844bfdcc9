package dynamolocal

import (
	"context"
	"reflect"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Usage is what requests cost: capacity units, and how many there were.
type Usage struct {
	Read, Write float64
	Requests    int
}

// Meter counts what a client's requests cost, as ReturnConsumedCapacity tells it. What a failed request costs isn't told.
type Meter struct {
	mu   sync.Mutex
	used Usage
}

// Take returns what was used since the last time.
func (m *Meter) Take() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.used
	m.used = Usage{}
	return u
}

// Attach is an option of the client that is to be metered.
func (m *Meter) Attach(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", m.measure), middleware.After)
	})
}

func (m *Meter) measure(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	if ask := reflect.ValueOf(in.Parameters).Elem().FieldByName("ReturnConsumedCapacity"); ask.IsValid() {
		ask.Set(reflect.ValueOf(types.ReturnConsumedCapacityTotal))
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used.Requests++
	if err != nil {
		return out, metadata, err
	}
	for _, c := range consumed(out.Result) {
		if c.CapacityUnits == nil {
			continue
		}
		switch out.Result.(type) {
		case *dynamodb.GetItemOutput, *dynamodb.BatchGetItemOutput, *dynamodb.QueryOutput, *dynamodb.ScanOutput, *dynamodb.TransactGetItemsOutput:
			m.used.Read += *c.CapacityUnits
		default:
			m.used.Write += *c.CapacityUnits
		}
	}
	return out, metadata, nil
}

func consumed(result any) []types.ConsumedCapacity {
	v := reflect.ValueOf(result)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	field := v.Elem().FieldByName("ConsumedCapacity")
	if !field.IsValid() {
		return nil
	}
	switch c := field.Interface().(type) {
	case *types.ConsumedCapacity:
		if c != nil {
			return []types.ConsumedCapacity{*c}
		}
	case []types.ConsumedCapacity:
		return c
	}
	return nil
}
