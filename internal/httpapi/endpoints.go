package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
)

// Deps are what endpoints are made of. All ports are interfaces, so a program links only what it fills in; what no served
// endpoint needs stays nil.
type Deps struct {
	Accounts chat.Accounts
	Chats    chat.ChatReader
	Labels   chat.LabelReader // comes with Chats
	Usage    chat.UsageReader
	AllUsage chat.UsageReader // wherever it was counted
	Media    chat.MediaLinker
	Messages chat.MessageReader
	Feed     chat.Deltas // comes with Chats and Messages too; may be a chat.FeedWatcher, which saves polling where it is near
	Reports  chat.Reports
	Commands chat.Commands // may be a Watcher, which saves polling
	Sender   chat.CommandSender
	Wait     time.Duration      // for a command's outcome; 8 s
	Outcomes chat.CommandReader // where a call looks that waits, and may see what was a moment ago; nil: Commands
	Hosts    Hosts              // no outcome is waited for while there is none; nil: there is one
	Beats    Beats

	Batches     chat.Batches
	BatchSender chat.BatchSender
	BatchRate   int // operations of a batch a second, at most; chat.BatchRateBound

	Hooks  Hooks
	Caller chat.HookCaller
}

func (d Deps) commander() commander {
	o := commander{d.Commands, d.Outcomes, d.Sender, d.Wait, d.Hosts}
	if o.outcomes == nil {
		o.outcomes = d.Commands
	}
	return o
}

// Port names what an endpoint needs of Deps, beyond the accounts and the report that every call needs.
type Port string

// The ports.
const (
	Accounts Port = "Accounts" // to change or list them
	Chats    Port = "Chats"
	Messages Port = "Messages"
	Reports  Port = "Reports"  // to list or clear it
	Commands Port = "Commands" // with Sender
	Usage    Port = "Usage"
	AllUsage Port = "AllUsage"
	Webhooks Port = "Webhooks" // Hooks
	Feeds    Port = "Feeds"    // Feed
	Caller   Port = "Caller"   // of endpoints of webhooks
	Media    Port = "Media"
	Requests Port = "Requests" // Commands alone, for what is done once under an Idempotency-Key
	Batches  Port = "Batches"
	Sending  Port = "Sending" // BatchSender

	Heartbeats Port = "Heartbeats" // Beats
)

// Group says what an endpoint is about. The documents are ordered by it.
type Group string

// The groups.
const (
	OfChats    Group = "chats"
	OfBatches  Group = "batches"
	OfLog      Group = "log"
	OfDevice   Group = "device"
	OfKeys     Group = "keys"
	OfSystem   Group = "system"
	OfWebhooks Group = "webhooks"
)

// apart tells whether the group is about the account itself, and not about what the linked number has.
func (g Group) apart() bool { return g == OfDevice || g == OfKeys }

// Auth says what opens an endpoint.
type Auth int

// The ways to open an endpoint.
const (
	ByKey    Auth = iota // parameter apiKey
	BySecret             // parameter secret
	Open
)

// Credential is the parameter that opens the endpoint.
func (a Auth) Credential() string {
	switch a {
	case ByKey:
		return "apiKey"
	case BySecret:
		return "secret"
	default:
		return ""
	}
}

// Endpoint is one call of the API, at /api/<Name>.
type Endpoint struct {
	Name    string
	Group   Group
	Auth    Auth
	Methods []string // besides OPTIONS
	Params  []string // besides the credential
	Needs   []Port
	Example []string // parameters of a call that succeeds: {phone} is a person with a chat, {message} a message there, {pinned} a pinned chat, {id} another device
	// Idle is what the example is answered while nothing is to be done, such as where WhatsApp asks for no passkey; "": it succeeds.
	Idle chat.Code

	scope  chat.Scope // that it takes; "": what its group and methods say
	admin  bool       // takes a key of the scope admin
	silent bool       // success leaves no report
	large  bool       // the answer may be
	body   int        // bytes that the body may have; maxBody
	file   bool       // the body may be a file of operations, or have one
	begin  begin
}

// The methods of endpoints. What the vendor calls by GET can be called so, and all can be called by POST.
var (
	reading  = []string{http.MethodGet, http.MethodHead, http.MethodPost} // changes nothing
	changing = []string{http.MethodPost}
	either   = []string{http.MethodGet, http.MethodPost} // changes something though it is called by GET
)

// Reads tells whether the endpoint changes nothing.
func (e *Endpoint) Reads() bool { return slices.Contains(e.Methods, http.MethodHead) }

// Scope is what a key must have to call the endpoint; "" where no key opens it.
func (e *Endpoint) Scope() chat.Scope {
	switch {
	case e.Auth != ByKey:
		return ""
	case e.scope != "":
		return e.scope
	case e.admin || e.Group == OfDevice && !e.Reads():
		return chat.AdminScope
	case e.Reads():
		return chat.ReadScope
	}
	return chat.CommandScope
}

// Room is how many bytes the body may have.
func (e *Endpoint) Room() int { return cmp.Or(e.body, maxBody) }

// Folder is the name of the endpoint's function under functions/: verb and noun, such as get-chat-by-id.
func (e *Endpoint) Folder() string {
	var b strings.Builder
	for i, r := range e.Name {
		if upper := r >= 'A' && r <= 'Z'; upper && e.Name[i-1] >= 'a' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// Endpoints is the one list of endpoints: whoever serves, documents, tries or tests them reads it. It is in an order in
// which all the examples succeed, one after the other. A function calls one of these alone, and links no other.
func Endpoints(d Deps) []Endpoint {
	return []Endpoint{
		GetChats(d),
		GetChatByID(d),
		FetchMessageByID(d),
		FetchOlder(d),
		GetChanges(d),
		GetMessage(d),
		GetMedia(d),
		GetPoll(d),
		GetGroup(d),
		GetLabels(d),
		MuteChat(d),
		UnmuteChat(d),
		PinChat(d),
		UnpinChat(d),
		ArchiveChat(d),
		UnarchiveChat(d),
		UnreadChat(d),
		ReadChat(d),
		StarMessage(d),
		UnstarMessage(d),
		SetDisappearing(d),
		ClearMessageByID(d),
		DeleteChat(d),
		CreateBatch(d),
		GetBatch(d),
		ListBatches(d),
		CancelBatch(d),
		RetryBatch(d),
		SetWebhook(d),
		TestWebhook(d),
		GetWebhook(d),
		ListDeadLetters(d),
		RedeliverWebhook(d),
		DeleteWebhook(d),
		GetReportAPI(d),
		ClearReportAPI(d),
		GetState(d),
		GetQR(d),
		GetPasskey(d),
		SendPasskey(d),
		ConfirmPasskey(d),
		ServiceDestroy(d),
		ServiceStart(d),
		AddKey(d),
		ListKeys(d),
		RevokeKey(d),
		GetUsage(d),
		ListDevice(d),
		AddDevice(d),
		EditDevice(d),
		SetLimit(d),
		ChangeAPIKey(d),
		DeleteDevice(d),
	}
}

// Find returns the endpoint of a name, one that answers UNKNOWN_ENDPOINT where there is none.
func Find(endpoints []Endpoint, name string) (e Endpoint, ok bool) {
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return Unknown(Deps{}), false
	}
	return endpoints[i], true
}
