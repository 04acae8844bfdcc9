package chat

import "slices"

// ChatCommand is a row of the table of commands that change one chat. Who serves, checks or carries out such a command reads
// the table, so that a further command is a row of it.
type ChatCommand struct {
	Kind     CommandKind
	Endpoint string
	Act      string  // the word of the answer; "": the answer is true
	Setting  Setting // what it sets, and
	On       bool    // to what
	Undoes   Setting // what it takes off with that: a pinned chat isn't in the archive
	Takes    []string
	Ranged   bool // it is about what the chat held at some moment: Command.Through
}

// Setting is what a command sets of a chat.
type Setting string

// The settings.
const (
	MuteSetting    Setting = "mute"
	PinSetting     Setting = "pin"
	ArchiveSetting Setting = "archive"
	ReadSetting    Setting = "read"
	StarSetting    Setting = "star" // of a message
	ClearSetting   Setting = "clear"
	DeleteSetting  Setting = "delete"
	TimerSetting   Setting = "timer" // after which messages disappear
)

// Wish is what a command wants to be set.
type Wish struct {
	Chat    JID
	Setting Setting
	Message string // of a star
}

// Wishes are what a command about a chat sets; the first is its own, the others go with it.
func (c Command) Wishes() []Wish {
	row, ok := ChatCommandOf(c.Kind)
	if !ok {
		return nil
	}
	wishes := []Wish{{c.Chat, row.Setting, c.Message}}
	if row.Undoes != "" {
		wishes = append(wishes, Wish{c.Chat, row.Undoes, ""})
	}
	return wishes
}

// The parameters that commands about a chat take beside the chat.
const (
	TakesSecond   = "second"   // Command.Seconds
	TakesSeconds  = "seconds"  // Command.Seconds, one of DisappearAfter
	TakesStarred  = "starred"  // Command.Starred
	TakesReceipts = "receipts" // Command.Quiet is its opposite
	TakesLimit    = "limit"    // Command.Limit
	TakesID       = "id"       // Command.Message
)

var chatCommands = []ChatCommand{
	{Kind: MuteCommand, Endpoint: "muteChat", Act: "mute", Setting: MuteSetting, On: true, Takes: []string{TakesSecond}},
	{Kind: UnmuteCommand, Endpoint: "unmuteChat", Act: "unmute", Setting: MuteSetting},
	{Kind: PinCommand, Endpoint: "pinChat", Act: "pin", Setting: PinSetting, On: true, Undoes: ArchiveSetting},
	{Kind: UnpinCommand, Endpoint: "unpinChat", Act: "unpin", Setting: PinSetting},
	{Kind: ArchiveCommand, Endpoint: "archiveChat", Act: "archive", Setting: ArchiveSetting, On: true, Undoes: PinSetting,
		Ranged: true},
	{Kind: UnarchiveCommand, Endpoint: "unarchiveChat", Act: "unarchive", Setting: ArchiveSetting, Ranged: true},
	{Kind: UnreadCommand, Endpoint: "unreadChat", Act: "unread", Setting: ReadSetting, Ranged: true},
	{Kind: ReadCommand, Endpoint: "readChat", Act: "read", Setting: ReadSetting, On: true, Takes: []string{TakesReceipts},
		Ranged: true},
	{Kind: StarCommand, Endpoint: "starMessage", Act: "star", Setting: StarSetting, On: true, Takes: []string{TakesID}},
	{Kind: UnstarCommand, Endpoint: "unstarMessage", Act: "unstar", Setting: StarSetting, Takes: []string{TakesID}},
	{Kind: DisappearCommand, Endpoint: "setDisappearing", Act: "set disappearing", Setting: TimerSetting, On: true,
		Takes: []string{TakesSeconds}},
	{Kind: ClearCommand, Endpoint: "clearMessageById", Setting: ClearSetting, On: true, Takes: []string{TakesStarred},
		Ranged: true},
	{Kind: DeleteChatCommand, Endpoint: "deleteChat", Act: "delete", Setting: DeleteSetting, On: true, Ranged: true},
}

// OlderRow is the row of fetchOlder, which changes nothing of a chat and so is no operation of a batch.
func OlderRow() ChatCommand {
	return ChatCommand{Kind: OlderCommand, Endpoint: "fetchOlder", Act: "fetch older", Takes: []string{TakesLimit}}
}

// ChatCommands are all the rows.
func ChatCommands() []ChatCommand { return slices.Clone(chatCommands) }

// ChatCommandOf is the row of a kind; ok is false for a kind that isn't about one chat.
func ChatCommandOf(kind CommandKind) (row ChatCommand, ok bool) {
	i := slices.IndexFunc(chatCommands, func(row ChatCommand) bool { return row.Kind == kind })
	if i < 0 {
		return ChatCommand{}, false
	}
	return chatCommands[i], true
}
