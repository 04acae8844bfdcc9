package wajson

import (
	"cmp"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// maxWithin is how many messages Body follows that are part of the content: the note of a payment, a comment, the
// new text of an edit.
const maxWithin = 4

// Body is the text that a person would read: the text itself, the caption of a file, a reaction's emoji, the
// question of a poll, the name of a place, a contact or an event; of what has both a title and a text, such as
// buttons, a list or a template, the title, and the text when there is no title; of an edit the new text. It is
// empty for content without text.
func (c Content) Body() string { return c.body(maxWithin) }

func (c Content) body(within int) string {
	if c.value == nil {
		return c.Message.GetConversation()
	}
	switch m := c.value.Interface().(type) {
	case *waE2E.ExtendedTextMessage:
		return m.GetText()
	case *waE2E.ImageMessage:
		return m.GetCaption()
	case *waE2E.VideoMessage:
		return m.GetCaption()
	case *waE2E.DocumentMessage:
		return m.GetCaption()
	case *waE2E.StickerPackMessage:
		return cmp.Or(m.GetCaption(), m.GetName())
	case *waE2E.ReactionMessage:
		return m.GetText()
	case *waE2E.PollCreationMessage:
		return m.GetName()
	case *waE2E.PollResultSnapshotMessage:
		return m.GetName()
	case *waE2E.PollAddOptionMessage:
		return m.GetAddOption().GetOptionName()
	case *waE2E.LocationMessage:
		return cmp.Or(m.GetName(), m.GetAddress(), m.GetComment())
	case *waE2E.LiveLocationMessage:
		return m.GetCaption()
	case *waE2E.ContactMessage:
		return m.GetDisplayName()
	case *waE2E.ContactsArrayMessage:
		return m.GetDisplayName()
	case *waE2E.AIRichResponseMessage:
		return richText(m)
	case *waE2E.ProtocolMessage:
		return inner(m.GetEditedMessage(), within)
	case *waE2E.CommentMessage:
		return inner(m.GetMessage(), within)
	case *waE2E.SendPaymentMessage:
		return inner(m.GetNoteMessage(), within)
	case *waE2E.RequestPaymentMessage:
		return inner(m.GetNoteMessage(), within)
	default:
		return cmp.Or(interactiveText(m), invitationText(m), businessText(m))
	}
}

// inner is the text of a message that is part of another.
func inner(m *waE2E.Message, within int) string {
	if m == nil || within == 0 {
		return ""
	}
	return ContentOf(m).body(within - 1)
}

// interactiveText is the text of what offers a choice and of the choice made.
func interactiveText(content any) string {
	switch m := content.(type) {
	case *waE2E.ButtonsMessage:
		return cmp.Or(m.GetText(), m.GetContentText(), m.GetFooterText())
	case *waE2E.ButtonsResponseMessage:
		return cmp.Or(m.GetSelectedDisplayText(), m.GetSelectedButtonID())
	case *waE2E.ListMessage:
		return cmp.Or(m.GetTitle(), m.GetDescription(), m.GetButtonText())
	case *waE2E.ListResponseMessage:
		return cmp.Or(m.GetTitle(), m.GetDescription(), m.GetSingleSelectReply().GetSelectedRowID())
	case *waE2E.TemplateMessage:
		t := m.GetHydratedTemplate()
		if t == nil {
			t = m.GetHydratedFourRowTemplate()
		}
		return cmp.Or(t.GetHydratedTitleText(), t.GetHydratedContentText(), interactiveText(m.GetInteractiveMessageTemplate()))
	case *waE2E.HighlyStructuredMessage:
		t := m.GetHydratedHsm().GetHydratedTemplate()
		return cmp.Or(t.GetHydratedTitleText(), t.GetHydratedContentText())
	case *waE2E.TemplateButtonReplyMessage:
		return cmp.Or(m.GetSelectedDisplayText(), m.GetSelectedID())
	case *waE2E.InteractiveMessage:
		return cmp.Or(m.GetHeader().GetTitle(), m.GetBody().GetText(), m.GetFooter().GetText())
	case *waE2E.InteractiveResponseMessage:
		return m.GetBody().GetText()
	case *waE2E.QuestionResponseMessage:
		return m.GetText()
	case *waE2E.StatusQuestionAnswerMessage:
		return m.GetText()
	case *waE2E.StatusQuotedMessage:
		return m.GetText()
	default:
		return ""
	}
}

// invitationText is the text of what invites to an event, a call, a group or a channel.
func invitationText(content any) string {
	switch m := content.(type) {
	case *waE2E.EventMessage:
		return cmp.Or(m.GetName(), m.GetDescription())
	case *waE2E.EventInviteMessage:
		return cmp.Or(m.GetCaption(), m.GetEventTitle())
	case *waE2E.ScheduledCallCreationMessage:
		return m.GetTitle()
	case *waE2E.GroupInviteMessage:
		return cmp.Or(m.GetCaption(), m.GetGroupName())
	case *waE2E.NewsletterAdminInviteMessage:
		return cmp.Or(m.GetCaption(), m.GetNewsletterName())
	case *waE2E.NewsletterFollowerInviteMessage:
		return cmp.Or(m.GetCaption(), m.GetNewsletterName())
	default:
		return ""
	}
}

// businessText is the text of what is sold and paid.
func businessText(content any) string {
	switch m := content.(type) {
	case *waE2E.ProductMessage:
		return cmp.Or(m.GetProduct().GetTitle(), m.GetCatalog().GetTitle(), m.GetBody())
	case *waE2E.OrderMessage:
		return cmp.Or(m.GetOrderTitle(), m.GetMessage())
	case *waE2E.InvoiceMessage:
		return m.GetNote()
	case *waE2E.SplitPaymentMessage:
		return m.GetDescription()
	case *waE2E.PaymentReminderMessage:
		return m.GetDescription()
	default:
		return ""
	}
}

// richText is the text of an assistant's answer, its parts on lines of their own.
func richText(m *waE2E.AIRichResponseMessage) string {
	var parts []string
	for _, sub := range m.GetSubmessages() {
		if text := sub.GetMessageText(); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}
