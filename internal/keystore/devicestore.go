// Package keystore keeps the keys of linked devices in DynamoDB, behind whatsmeow's store interfaces.
//
// Its promises: whoever opens an account's device last owns it, and an owner before is refused; nothing that WhatsApp was told we have
// is lost, wherever the host stops; what is slow or throttled is tried again for long, and what fails in the end makes whatsmeow leave
// the message unacknowledged.
//
// A message costs one write for its ratchet: a decrypted message and the ratchet's step wait in memory until the message's handler has
// succeeded, and then the ratchet alone is written, before the acknowledgement. If the host stops earlier, WhatsApp delivers again and the old
// ratchet decrypts again. Where a ratchet has to be written while a message is still unhandled, its plaintext is written first.
package keystore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// Options of a Container. What is zero takes its default.
type Options struct {
	Log        *slog.Logger
	DeviceLog  waLog.Logger     // of whatsmeow's devices; default: none
	Now        func() time.Time // default time.Now
	CacheBytes int              // of all devices together; default 64 MiB
	Patience   time.Duration    // how long a call is tried again; default 2 min
	// FenceInterval is how old the last proof of ownership may be when something is written; default 5 s. A host that was paused
	// for longer finds out before it writes.
	FenceInterval time.Duration
}

// Container is the table of all accounts' devices.
type Container struct {
	db    *dynamodb.Client
	table string
	opts  Options
	cache *cache
}

// New returns the container of a table made as Table says.
func New(db *dynamodb.Client, table string, o Options) *Container {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.DeviceLog == nil {
		o.DeviceLog = waLog.Noop
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute
	}
	if o.FenceInterval == 0 {
		o.FenceInterval = 5 * time.Second
	}
	return &Container{db: db, table: table, opts: o, cache: newCache(o.CacheBytes)}
}

// The attributes of an item. An account's item is at (account, "device"); the items of its device are in a partition of their own, one for
// each device that the account ever had (see partition).
const (
	attrPartition  = "pk"  // S
	attrSort       = "sk"  // S
	attrStamp      = "f"   // N, stamp of the item's last write
	attrValue      = "v"   // B, absent when it was deleted
	attrTTL        = "ttl" // N, seconds since 1970
	attrEpoch      = "e"   // N, of the lease under which the account was opened last
	attrOpened     = "o"   // N, how often the account was opened
	attrGeneration = "g"   // N, of the account's latest device
	attrDevice     = "d"   // M, absent when no device is linked
	attrGone       = "x"   // NS, generations whose items are still to be deleted
	deviceSort     = "device"
)

// Table is the table's definition, without what only a deployed one has: TTL on "ttl", recovery, encryption and protection.
func Table(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attrPartition), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(attrSort), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrPartition), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrSort), AttributeType: types.ScalarAttributeTypeS},
		},
	}
}

// TTLAttribute names the attribute that the table's time to live is on.
const TTLAttribute = attrTTL

// refusal is an error for which whatsmeow must not acknowledge what it was working on: it takes a cancelled context for that.
type refusal struct {
	doing string
	cause error
}

func (e *refusal) Error() string {
	if e.cause == nil {
		return "device store: " + e.doing
	}
	return fmt.Sprintf("device store: %s: %v", e.doing, e.cause)
}

func (e *refusal) Unwrap() error        { return e.cause }
func (e *refusal) Is(target error) bool { return target == context.Canceled }

// ErrFenced says that the account was opened again since: this owner may not write any more. Like every error with which the store gives
// up it is a context.Canceled too, so that whatsmeow doesn't acknowledge the message that it was decrypting.
var ErrFenced error = &refusal{doing: "the device has another owner"}

var errCorrupt error = &refusal{doing: "a stored item can't be read"}

// errNoDevice is what a device gets that was never saved.
var errNoDevice = errors.New("device store: the device must have its JID before it is saved")
