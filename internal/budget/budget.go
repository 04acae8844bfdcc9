// Package budget says what work may cost on DynamoDB, in capacity units. Tests hold each figure to what the service says that was
// used, and what a stack costs and bears is computed from them: no table can promise what no test holds.
package budget

import "time"

// Work is the most that a piece of work may take: read and write request units, and requests.
type Work struct {
	Name        string
	Read, Write float64
	Requests    int
}

// What a call reads, with the account's own item, which costs half a unit.
var (
	GetChats         = Work{"getChats, 1,000 chats, with the account", 130, 0, 2}
	GetChatByID      = Work{"getChatById, with the account", 1.5, 0, 2}
	FetchMessageByID = Work{"fetchMessageById, 100 text messages, with the account", 15, 0, 3}
	NotModified      = Work{"304 of getChats, with the account", 1, 0, 2}
	ChatsSince       = Work{"since of getChats, 10 changed chats, with the account", 4, 0, 4}
)

// What the stores of chats, messages and commands take, without what the devices' keys take.
var (
	StoreMessage = Work{"an incoming text message", 2, 4, 5}
	StoreReceipt = Work{"a receipt of a message that isn't the last", 3, 3, 5}
	StoreNewChat = Work{"the first message of a new chat", 3, 12, 7}
	StoreMute    = Work{"mute: record with report, chat, and the record's end", 3, 4, 7}
	Beat         = Work{"a heartbeat, with all leases", 0, 1, 1}
	Look         = Work{"a look at who else is a host", 0.5, 0, 1}
)

// Operations are how many a batch has that is measured.
const Operations = 500

// StoreBatch is what a batch's operations take beside their chats.
var StoreBatch = Work{"a batch of 500 mutes, without the chats", 0.3 * Operations, 0.5 * Operations, 60}

// What things take from end to end, the devices' keys included: of it, what the functions take, and the host.
var (
	Message       = Work{"a message, by the host", 2, 7.5, 10}
	MuteByCall    = Work{"a mute, by the function that is called, without looking who is a host and how it has ended", 1.5, 1, 4}
	MuteByHost    = Work{"a mute, by the host", 3.5, 6.3, 12}
	BatchByHost   = Work{"a mute of a batch, by the host", 2, 3.6, 7}
	EventByHost   = Work{"an event of a message, by the host, beside the message", 20, 3, 20}
	EventBySender = Work{"an event of a message, by the function that sends it", 4, 0.5, 3}
)

// Lines of logs as CloudWatch counts them, in bytes: of the function about a mute, and of the host.
const (
	FunctionLine = 250
	HostLine     = 330
	LineOverhead = 26
)

// MuteTook is what half of the calls of muteChat take at most where nothing is beside them, and WhatsApp is 150 ms away.
const MuteTook = 350 * time.Millisecond

// Wait is what each look takes at how a command has ended.
var Wait = Work{"a look at how a command has ended", 0.5, 0, 1}
