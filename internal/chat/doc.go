// Package chat is the domain of Pesan: accounts, chats, messages, commands and reports, the ports that adapters
// implement, and the one error type that crosses every boundary. It uses the standard library only.
//
// What WhatsApp tells arrives as Changes. A Change holds partial states, and projecting one is a join: the same change
// twice, or changes in any order, give the same chat. See Projector.
package chat
