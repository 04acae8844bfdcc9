// Package translate turns what WhatsApp tells into changes of chats. Its functions have no effects: they neither read nor
// write anything but what they are given, with a [Book] that knows the two addresses of a person. What they return is
// projected by chat.Projector, and may come twice and in any order.
package translate
