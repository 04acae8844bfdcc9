package httpapi

import (
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
	Messages chat.MessageReader
	Reports  chat.Reports
	Commands chat.Commands // may be a Watcher, which saves polling
	Sender   chat.CommandSender
	Wait     time.Duration // for a command's outcome; 8 s
	Shards   int           // that new accounts are spread over; 1
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
)

// Group says what an endpoint is about. The documents are ordered by it.
type Group string

// The groups.
const (
	OfChats  Group = "chats"
	OfLog    Group = "log"
	OfDevice Group = "device"
	OfSystem Group = "system"
)

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
	Example []string // parameters of a call that succeeds: {phone} is a person with a chat, {id} another device

	silent bool // success leaves no report
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
// which all the examples succeed, one after the other.
func Endpoints(d Deps) []Endpoint {
	o := commander{d.Commands, d.Sender, d.Reports, d.Wait}
	return []Endpoint{
		{
			Name: "getChats", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getChats(d.Chats),
			Params: []string{"type", "unread", "archived", "muted", "pinned", "limit", "cursor"},
		},
		{
			Name: "getChatById", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getChatByID(d.Chats),
			Params: []string{"phone"}, Example: []string{"phone={phone}"},
		},
		{
			Name: "fetchMessageById", Group: OfChats, Methods: reading, Needs: []Port{Messages}, begin: fetchMessageByID(d.Messages),
			Params: []string{"phone", "limit", "cursor"}, Example: []string{"phone={phone}", "limit=100"},
		},
		{
			Name: "muteChat", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: muteChat(d.Chats, o),
			Params: []string{"phone", "second"}, Example: []string{"phone={phone}", "second=3600"},
		},
		{
			Name: "unmuteChat", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: unmuteChat(d.Chats, o),
			Params: []string{"phone"}, Example: []string{"phone={phone}"},
		},
		{
			Name: "clearMessageById", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: clearMessageByID(d.Chats, o),
			Params: []string{"phone"}, Example: []string{"phone={phone}"},
		},
		{
			Name: "getReportApi", Group: OfLog, Methods: reading, Needs: []Port{Reports}, begin: getReportAPI(d.Reports),
			Params: []string{"limit", "cursor"},
		},
		{
			Name: "clearReportApi", Group: OfLog, Methods: changing, Needs: []Port{Reports}, begin: clearReportAPI(d.Reports),
			Params: []string{"all"}, Example: []string{"all=all"}, silent: true, // what was cleared stays empty
		},
		{Name: "getState", Group: OfDevice, Methods: reading, begin: getState},
		{
			Name: "getQR", Group: OfDevice, Methods: either, Needs: []Port{Commands}, begin: getQR(o),
			Params: []string{"phone"}, silent: true, // a pairing code's command has its report
		},
		{
			Name: "serviceDestroy", Group: OfDevice, Methods: either, Needs: []Port{Accounts, Commands}, begin: serviceDestroy(d.Accounts, o),
			Params: []string{"logout"},
		},
		{
			Name: "serviceStart", Group: OfDevice, Methods: either, Needs: []Port{Accounts, Commands}, begin: serviceStart(d.Accounts, o),
		},
		{
			Name: "listDevice", Group: OfSystem, Auth: BySecret, Methods: reading, Needs: []Port{Accounts}, begin: listDevice(d.Accounts),
		},
		{
			Name: "addDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts}, begin: addDevice(d.Accounts, d.Shards),
			Params: []string{"name"}, Example: []string{"name=Toko"},
		},
		{
			Name: "editDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts}, begin: editDevice(d.Accounts),
			Params: []string{"id", "name"}, Example: []string{"id={id}", "name=Gudang"},
		},
		{
			Name: "changeApiKey", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts}, begin: changeAPIKey(d.Accounts),
			Params: []string{"id"}, Example: []string{"id={id}"},
		},
		{
			Name: "deleteDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts, Commands}, begin: deleteDevice(d.Accounts, o),
			Params: []string{"id"}, Example: []string{"id={id}"},
		},
	}
}

// Find returns the endpoint of a name, one that answers UNKNOWN_ENDPOINT where there is none.
func Find(endpoints []Endpoint, name string) (e Endpoint, ok bool) {
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return unknown(), false
	}
	return endpoints[i], true
}
