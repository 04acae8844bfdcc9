package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"
)

// Account is the ownership of one account's device. It is safe for concurrent use.
type Account struct {
	c     *Container
	id    string
	epoch int64
	fence *fence

	mu         sync.Mutex
	generation int64         // of the latest device
	stored     *deviceRecord // nil when no device is linked
	keys       *deviceKeys   // of the linked device
	gone       []int64       // generations whose items are still to be deleted
}

var _ store.DeviceContainer = (*Account)(nil)

// Open makes this the owner of the account's device, under a lease's epoch, and fences the owner before. It returns ErrFenced if the account
// was opened under a greater epoch.
func (c *Container) Open(ctx context.Context, account string, epoch int64) (*Account, error) {
	out, err := call(ctx, c, "open an account", func(ctx context.Context) (*dynamodb.UpdateItemOutput, error) {
		return c.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &c.table, Key: key(account, deviceSort), ReturnValues: types.ReturnValueAllNew,
			UpdateExpression:    aws.String("SET " + attrEpoch + " = :e ADD " + attrOpened + " :one"),
			ConditionExpression: aws.String("attribute_not_exists(" + attrEpoch + ") OR " + attrEpoch + " <= :e"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":e": numberValue(epoch), ":one": numberValue(1),
			},
		}, noRetries)
	})
	if conditionFailed(err) {
		return nil, ErrFenced
	}
	if err != nil {
		return nil, err
	}
	a := &Account{
		c: c, id: account, epoch: epoch, generation: number(out.Attributes[attrGeneration]),
		fence: newFence(c, account, number(out.Attributes[attrOpened])),
	}
	if d, ok := out.Attributes[attrDevice]; ok {
		a.stored = &deviceRecord{}
		if err := attributevalue.Unmarshal(d, a.stored); err != nil {
			return nil, fmt.Errorf("%w: %w", errCorrupt, err)
		}
	}
	if set, ok := out.Attributes[attrGone].(*types.AttributeValueMemberNS); ok {
		for _, s := range set.Value {
			if g, err := strconv.ParseInt(s, 10, 64); err == nil {
				a.gone = append(a.gone, g)
			}
		}
	}
	if a.stored != nil {
		a.keys = a.newKeys(a.generation)
		if err := a.keys.ratchets.loadEvents(ctx); err != nil {
			return nil, err
		}
	}
	a.purge(ctx)
	return a, nil
}

// Device returns the linked device, or nil when there is none.
func (a *Account) Device() (*store.Device, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stored == nil {
		return nil, nil
	}
	d, err := a.stored.device()
	if err != nil {
		return nil, err
	}
	d.Log = a.c.opts.DeviceLog
	a.equip(d)
	return d, nil
}

// NewDevice makes the keys of a device that isn't linked yet. whatsmeow saves it when it is.
func (a *Account) NewDevice() *store.Device { return newDevice(a.c, a) }

func newDevice(c *Container, container store.DeviceContainer) *store.Device {
	var registration [4]byte
	secret := make([]byte, 32)
	rand.Read(registration[:])
	rand.Read(secret)
	d := &store.Device{
		Log: c.opts.DeviceLog, Container: container, NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(),
		RegistrationID: binary.BigEndian.Uint32(registration[:]), AdvSecretKey: secret,
	}
	d.SignedPreKey = d.IdentityKey.CreateSignedPreKey(1)
	return d
}

// Fenced is closed when this is found to be no more the owner.
func (a *Account) Fenced() <-chan struct{} { return a.fence.ended }

// Flush writes what waits in memory. It need not be called: WhatsApp delivers again what wasn't acknowledged.
func (a *Account) Flush(ctx context.Context) error {
	a.mu.Lock()
	k := a.keys
	a.mu.Unlock()
	if k == nil {
		return nil
	}
	return k.flush(ctx)
}

// PutDevice implements store.DeviceContainer. A device that wasn't stored before starts with nothing of another's.
func (a *Account) PutDevice(ctx context.Context, d *store.Device) error {
	record, err := recordOf(d)
	if err != nil {
		return err
	}
	value, err := attributevalue.Marshal(record)
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	generation := a.generation
	fresh := a.stored == nil || a.stored.JID != record.JID || !bytes.Equal(a.stored.IdentityKey, record.IdentityKey)
	if fresh {
		generation++
	}
	change := "SET " + attrDevice + " = :d, " + attrGeneration + " = :g"
	values := map[string]types.AttributeValue{":d": value, ":g": numberValue(generation)}
	if fresh && a.stored != nil {
		change += " ADD " + attrGone + " :x"
		values[":x"] = &types.AttributeValueMemberNS{Value: []string{strconv.FormatInt(a.generation, 10)}}
	}
	if err := a.update(ctx, "save the device", change, values); err != nil {
		return err
	}
	if fresh {
		if a.stored != nil {
			a.abandon()
		}
		a.keys = a.newKeys(generation)
	}
	a.stored, a.generation = record, generation
	if !d.Initialized || fresh {
		a.equip(d)
	}
	return nil
}

// DeleteDevice implements store.DeviceContainer. When it returns the device is gone; if it is broken off, its items are deleted when the
// account is opened next.
func (a *Account) DeleteDevice(ctx context.Context, d *store.Device) error {
	if d.ID == nil {
		return errNoDevice
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stored == nil || a.stored.JID != d.ID.String() {
		return nil
	}
	err := a.update(ctx, "delete the device", "REMOVE "+attrDevice+" ADD "+attrGone+" :x", map[string]types.AttributeValue{
		":x": &types.AttributeValueMemberNS{Value: []string{strconv.FormatInt(a.generation, 10)}},
	})
	if err != nil {
		return err
	}
	a.abandon()
	a.purge(ctx)
	return nil
}

// abandon the device's items, which the account's item names as gone.
func (a *Account) abandon() {
	a.gone = append(a.gone, a.generation)
	a.keys.p.closed.Store(true)
	a.c.cache.removeAll(a.keys.p)
	a.stored, a.keys = nil, nil
}

// update changes the account's item if this is still the owner.
func (a *Account) update(ctx context.Context, doing, expression string, values map[string]types.AttributeValue) error {
	if _, err := a.fence.stamp(ctx); err != nil {
		return err
	}
	values[":o"] = numberValue(a.fence.opened)
	_, err := call(ctx, a.c, doing, func(ctx context.Context) (*dynamodb.UpdateItemOutput, error) {
		return a.c.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &a.c.table, Key: key(a.id, deviceSort), UpdateExpression: &expression,
			ConditionExpression: aws.String(attrOpened + " = :o"), ExpressionAttributeValues: values,
		}, noRetries)
	})
	if conditionFailed(err) {
		return a.fence.lost()
	}
	return err
}

func (a *Account) newKeys(generation int64) *deviceKeys {
	return newDeviceKeys(newPartition(a.c, a.id, generation, a.fence))
}

// equip gives the device its stores; under mu.
func (a *Account) equip(d *store.Device) {
	d.SetAllStores(a.keys)
	d.LIDs = a.keys.lids
	d.Container = a
	d.Initialized = true
}

// purge deletes the items of devices that are gone. What it can't, the next owner does.
func (a *Account) purge(ctx context.Context) {
	for len(a.gone) > 0 {
		err := a.c.deleteAll(ctx, partitionKey(a.id, a.gone[0]))
		if err == nil {
			err = a.update(ctx, "forget a deleted device", "DELETE "+attrGone+" :x", map[string]types.AttributeValue{
				":x": &types.AttributeValueMemberNS{Value: []string{strconv.FormatInt(a.gone[0], 10)}},
			})
		}
		if err != nil {
			a.c.opts.Log.Warn("delete a device's keys", "account", a.id, "error", err)
			return
		}
		a.gone = a.gone[1:]
	}
}

// deleteAll deletes a partition that nobody uses any more.
func (c *Container) deleteAll(ctx context.Context, pk string) error {
	for {
		out, err := call(ctx, c, "list a deleted device's items", func(ctx context.Context) (*dynamodb.QueryOutput, error) {
			return c.db.Query(ctx, &dynamodb.QueryInput{
				TableName: &c.table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String(attrPartition + ", " + attrSort),
				KeyConditionExpression:    aws.String(attrPartition + " = :p"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":p": &types.AttributeValueMemberS{Value: pk}},
			}, noRetries)
		})
		if err != nil || len(out.Items) == 0 {
			return err
		}
		const most = 25 // of one BatchWriteItem
		batches := (len(out.Items) + most - 1) / most
		err = inParallel(ctx, batches, func(ctx context.Context, i int) error {
			return c.deleteItems(ctx, out.Items[i*most:min((i+1)*most, len(out.Items))])
		})
		if err != nil {
			return err
		}
	}
}

func (c *Container) deleteItems(ctx context.Context, keys []map[string]types.AttributeValue) error {
	var requests []types.WriteRequest
	for _, k := range keys {
		requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: k}})
	}
	left := map[string][]types.WriteRequest{c.table: requests}
	_, err := call(ctx, c, "delete items", func(ctx context.Context) (any, error) {
		out, err := c.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: left}, noRetries)
		if err == nil && len(out.UnprocessedItems) > 0 {
			left, err = out.UnprocessedItems, &types.ProvisionedThroughputExceededException{}
		}
		return out, err
	})
	return err
}
