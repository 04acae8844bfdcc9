package chat

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// State is where the link of an account to WhatsApp stands; the names are the API's.
type State string

// The states of an account.
const (
	ServiceOff  State = "SERVICE_OFF"  // not wanted, or given up: Reason says why
	ServiceScan State = "SERVICE_SCAN" // waits for the QR code or pairing code
	Pairing     State = "PAIRING"      // connecting
	Connected   State = "CONNECTED"
)

// Account is one linked device with its API key. The API owns the fields above the line, the session host those below;
// each side changes only its own.
type Account struct {
	ID        string    `json:"id"` // ULID
	Name      string    `json:"name"`
	KeyHash   []byte    `json:"keyHash"`         // SHA-256 of the first key's secret
	Keys      []APIKey  `json:"keys,omitempty"`  // the others
	Limits    Limits    `json:"limits,omitzero"` // of the first key
	Shard     int       `json:"shard"`
	Fence     int64     `json:"fence,omitempty"` // fencing token of who let it go to another shard: the owner's is to be greater
	Proxy     string    `json:"proxy,omitempty"` // URL of the proxy that the device reaches WhatsApp by; "": none
	On        bool      `json:"on"`              // desired state
	CreatedAt time.Time `json:"createdAt"`

	State       State     `json:"state"`
	Reason      string    `json:"reason,omitempty"` // stable word for the last change of State, such as LOGGED_OUT
	QR          string    `json:"qr,omitempty"`     // text of the code to scan
	PairingCode string    `json:"pairingCode,omitempty"`
	CodeExpires time.Time `json:"codeExpires,omitzero"` // of QR or PairingCode, or of a ban
	Passkey     *Passkey  `json:"passkey,omitempty"`    // asked for; nil: none
	Device      string    `json:"device,omitempty"`     // WhatsApp's address of the linked device; its keys are stored under it
	JID         JID       `json:"jid,omitempty"`        // own phone number
	LID         JID       `json:"lid,omitempty"`
	PushName    string    `json:"pushName,omitempty"`
	Sync        *Sync     `json:"sync,omitempty"` // history sync under way
	Imposed     Imposed   `json:"imposed,omitzero"`
	AsOf        time.Time `json:"asOf,omitzero"` // time of the last projected event

	Epoch     int64          `json:"epoch,omitempty"`    // of the link: each has a greater one than those before
	LinkedAt  int64          `json:"linkedAt,omitempty"` // seconds since 1970 of the link's first login, by WhatsApp's clock
	Unarchive Register[bool] `json:"unarchive,omitzero"` // setting of the present link: news take a chat out of the archive
	Contacts  int64          `json:"contacts,omitempty"` // order of the link's whole address book: names told before count no more
	Order     int64          `json:"order,omitempty"`    // of a message that came lately: those that come later have greater ones
	Booted    int64          `json:"booted,omitempty"`   // the epoch whose bootstrap is whole: what is told as one again is none
	Renewed   int64          `json:"renewed,omitempty"`  // the epoch for which the chats of earlier links were renewed
	Owner     JID            `json:"owner,omitempty"`    // number that all that is stored comes from; it outlasts the link
	OwnerLID  JID            `json:"ownerLid,omitempty"` // its LID, where known
	EmptiedAt time.Time      `json:"emptiedAt,omitzero"` // when what came from the owner before was deleted; zero: never
}

// maxProxy bounds the URL of a proxy, in bytes.
const maxProxy = 512

// ParseProxy reads the URL of a proxy: http, https or socks5, a host and a port, and perhaps a user with a password.
// INVALID_PARAMETER for anything else.
func ParseProxy(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > maxProxy, u.Hostname() == "" || u.Opaque != "",
		u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5",
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, &Error{Code: InvalidParameter, Message: "proxy"}
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return nil, &Error{Code: InvalidParameter, Message: "proxy"}
	}
	return u, nil
}

// Passkey is what WhatsApp asks for before it links the device of an account that has one.
type Passkey struct {
	Options JSON      `json:"options"`        // as PublicKeyCredential.parseRequestOptionsFromJSON takes them
	Code    string    `json:"code,omitempty"` // to be compared with the phone's, and then confirmed; "": the answer is waited for
	Expires time.Time `json:"expires"`
}

// Sync is the progress of a history sync.
type Sync struct {
	Percent  int `json:"percent"` // as the phone reports it, 0–100
	Chats    int `json:"chats"`
	Messages int `json:"messages"`
}

// OwnedBy tells whether what is stored comes from this account of WhatsApp. Its number may have changed, which keeps the LID.
func (a Account) OwnedBy(number, lid JID) bool {
	owns := func(jid JID) bool { return jid != "" && (jid == a.Owner || jid == a.OwnerLID) }
	return owns(number) || owns(lid)
}

// Foreign tells whether the device is bound to another number than the one that what is stored comes from. Nothing of that
// may be read or commanded: it is about to be deleted.
func (a Account) Foreign() bool {
	if a.Owner == "" || a.Device == "" && !a.Linked() {
		return false
	}
	number := a.JID
	if number == "" { // bound, but the link isn't made yet
		number, _ = ParseJID(a.Device)
	}
	return !a.OwnedBy(number, a.LID)
}

// Number is the number whose chats the account shows, or will show when those of another are deleted; "" before the first link.
func (a Account) Number() JID {
	if a.Foreign() {
		return a.JID
	}
	return a.Owner
}

// Linked tells whether a phone has linked the account's device.
func (a Account) Linked() bool { return a.JID != "" }

const keyPrefix = "pk_"

var keyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// KeySize is how many random bytes a key has.
const KeySize = 32

// NewKey makes an API key for the account from KeySize random bytes, and the hash to store. The key is shown once.
func NewKey(accountID string, random io.Reader) (key string, hash []byte, err error) {
	var secret [KeySize]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return "", nil, fmt.Errorf("make api key: %w", err)
	}
	text := strings.ToLower(keyEncoding.EncodeToString(secret[:]))
	return keyPrefix + accountID + "_" + text, hashSecret(text), nil
}

// Key is an API key taken apart. The account's id in it allows to fetch account and data at the same time.
type Key struct {
	AccountID string
	secret    string
}

// ParseKey takes an API key apart; it returns INVALID_API_KEY when it isn't one.
func ParseKey(s string) (Key, error) {
	rest, ok := strings.CutPrefix(s, keyPrefix)
	id, secret, cut := strings.Cut(rest, "_")
	if !ok || !cut || !isULID(id) || len(secret) != keyEncoding.EncodedLen(KeySize) {
		return Key{}, &Error{Code: InvalidAPIKey}
	}
	return Key{AccountID: id, secret: secret}, nil
}

// Opens tells in constant time whether k is the account's first key.
func (k Key) Opens(a Account) bool {
	return subtle.ConstantTimeCompare(hashSecret(k.secret), a.KeyHash) == 1 && k.AccountID == a.ID
}

func hashSecret(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// isULID checks form only: 26 digits of Crockford's base32.
func isULID(s string) bool {
	if len(s) != 26 {
		return false
	}
	return strings.Trim(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}
