package translate

import (
	"slices"

	"go.mau.fi/whatsmeow/proto/waWeb"

	"pesan/internal/chat"
)

type stub = waWeb.WebMessageInfo_StubType

// The classes of WhatsApp's notices, as its clients have them. What isn't named here moves nothing and counts nothing.
var (
	defaultStubs = []stub{
		waWeb.WebMessageInfo_FUTUREPROOF, waWeb.WebMessageInfo_PAYMENT_FUTUREPROOF, waWeb.WebMessageInfo_PINNED_MESSAGE_IN_CHAT,
		waWeb.WebMessageInfo_SUGGESTED_SUBGROUP_ANNOUNCE, waWeb.WebMessageInfo_COMMUNITY_OWNER_UPDATED, waWeb.WebMessageInfo_CHAT_PSA,
		waWeb.WebMessageInfo_CHAT_POLL_CREATION_MESSAGE,
	}
	ambientStubs = []stub{waWeb.WebMessageInfo_CIPHERTEXT, waWeb.WebMessageInfo_PAYMENT_CIPHERTEXT,
		waWeb.WebMessageInfo_OVERSIZED}
	significantStubs = []stub{
		waWeb.WebMessageInfo_COMMUNITY_LINK_PARENT_GROUP, waWeb.WebMessageInfo_COMMUNITY_LINK_SIBLING_GROUP,
		waWeb.WebMessageInfo_COMMUNITY_LINK_SUB_GROUP, waWeb.WebMessageInfo_COMMUNITY_LINK_PARENT_GROUP_RICH,
		waWeb.WebMessageInfo_COMMUNITY_LINK_PARENT_GROUP_MEMBERSHIP_APPROVAL, waWeb.WebMessageInfo_COMMUNITY_UNLINK_PARENT_GROUP,
		waWeb.WebMessageInfo_COMMUNITY_UNLINK_SIBLING_GROUP, waWeb.WebMessageInfo_COMMUNITY_UNLINK_SUB_GROUP,
		waWeb.WebMessageInfo_COMMUNITY_INVITE_RICH, waWeb.WebMessageInfo_COMMUNITY_INVITE_AUTO_ADD_RICH,
		waWeb.WebMessageInfo_SUB_GROUP_INVITE_RICH, waWeb.WebMessageInfo_CAG_INVITE_AUTO_ADD, waWeb.WebMessageInfo_CAG_INVITE_AUTO_JOINED,
	}
	// Of these, what concerns the account itself is significant, and else they are ignored.
	ownStubs = []stub{
		waWeb.WebMessageInfo_GROUP_PARTICIPANT_ADD, waWeb.WebMessageInfo_GROUP_PARTICIPANT_INVITE, waWeb.WebMessageInfo_GROUP_PARTICIPANT_ACCEPT,
		waWeb.WebMessageInfo_GROUP_PARTICIPANT_ADD_REQUEST_JOIN, waWeb.WebMessageInfo_GROUP_PARTICIPANT_LINKED_GROUP_JOIN,
		waWeb.WebMessageInfo_GROUP_PARTICIPANT_JOINED_GROUP_AND_PARENT_GROUP, waWeb.WebMessageInfo_COMMUNITY_PARTICIPANT_ADD_RICH,
		waWeb.WebMessageInfo_SUB_GROUP_PARTICIPANT_ADD_RICH, waWeb.WebMessageInfo_COMMUNITY_PARTICIPANT_PROMOTE,
	}
	noteworthyStubs = []stub{
		waWeb.WebMessageInfo_CALL_MISSED_VOICE, waWeb.WebMessageInfo_CALL_MISSED_VIDEO, waWeb.WebMessageInfo_CALL_MISSED_GROUP_VOICE,
		waWeb.WebMessageInfo_CALL_MISSED_GROUP_VIDEO, waWeb.WebMessageInfo_SILENCED_UNKNOWN_CALLER_AUDIO,
		waWeb.WebMessageInfo_SILENCED_UNKNOWN_CALLER_VIDEO, waWeb.WebMessageInfo_LINKED_GROUP_CALL_START,
		waWeb.WebMessageInfo_SCHEDULED_CALL_START_MESSAGE, waWeb.WebMessageInfo_GROUP_CHANGE_SUBJECT, waWeb.WebMessageInfo_GROUP_CREATE,
		waWeb.WebMessageInfo_COMMUNITY_CREATE, waWeb.WebMessageInfo_EMPTY_SUBGROUP_CREATE, waWeb.WebMessageInfo_GENERAL_CHAT_CREATE,
		waWeb.WebMessageInfo_BROADCAST_CREATE, waWeb.WebMessageInfo_GROUP_MEMBERSHIP_JOIN_APPROVAL_REQUEST,
		waWeb.WebMessageInfo_GROUP_MEMBERSHIP_JOIN_APPROVAL_REQUEST_NON_ADMIN_ADD, waWeb.WebMessageInfo_SENDER_INVITE,
	}
	// Templates and encryption notices are never a chat's last line. Those of groups are.
	asideStubs = []stub{
		waWeb.WebMessageInfo_E2E_ENCRYPTED, waWeb.WebMessageInfo_E2E_ENCRYPTED_NOW, waWeb.WebMessageInfo_E2E_IDENTITY_CHANGED,
		waWeb.WebMessageInfo_E2E_DEVICE_CHANGED, waWeb.WebMessageInfo_E2E_IDENTITY_UNAVAILABLE, waWeb.WebMessageInfo_E2E_DEVICE_FETCH_FAILED,
		waWeb.WebMessageInfo_INDIVIDUAL_CHANGE_NUMBER, waWeb.WebMessageInfo_BLOCK_CONTACT, waWeb.WebMessageInfo_DISAPPEARING_MODE,
		waWeb.WebMessageInfo_CHANGE_EPHEMERAL_SETTING, waWeb.WebMessageInfo_EPHEMERAL_KEEP_IN_CHAT, waWeb.WebMessageInfo_CHANGE_LID,
		waWeb.WebMessageInfo_EPHEMERAL_SETTING_NOT_APPLIED, waWeb.WebMessageInfo_SYNC_FAILED, waWeb.WebMessageInfo_SYNCING,
	}
)

// The stubs of what businesses are told are templates, too; their numbers stand together.
func isTemplate(s stub) bool {
	switch {
	case slices.Contains(asideStubs, s),
		s >= waWeb.WebMessageInfo_NON_VERIFIED_TRANSITION && s <= waWeb.WebMessageInfo_VERIFIED_TRANSITION_NONE_TO_UNKNOWN,
		s >= waWeb.WebMessageInfo_BIZ_VERIFIED_TRANSITION_TOP_TO_BOTTOM &&
			s <= waWeb.WebMessageInfo_BIZ_TWO_TIER_MIGRATION_BOTTOM,
		s >= waWeb.WebMessageInfo_BLUE_MSG_BSP_FB_TO_BSP_PREMISE &&
			s <= waWeb.WebMessageInfo_BLUE_MSG_SELF_FB_VERIFIED_TO_BSP_PREMISE_UNVERIFIED,
		s >= waWeb.WebMessageInfo_BIZ_PRIVACY_MODE_INIT_FB && s <= waWeb.WebMessageInfo_BIZ_PRIVACY_MODE_TO_BSP:
		return true
	}
	return false
}

// classOf is the class of a message that has no content but says that something happened. own tells whether an address
// among those of its parameters is the account's.
func classOf(s stub, own func() bool) chat.Class {
	concerns := func() bool { return own != nil && own() }
	switch {
	case slices.Contains(defaultStubs, s):
		return chat.Default
	case slices.Contains(ambientStubs, s):
		return chat.Ambient
	case slices.Contains(significantStubs, s):
		return chat.Significant
	case slices.Contains(noteworthyStubs, s):
		return chat.Noteworthy
	case slices.Contains(ownStubs, s) && concerns():
		return chat.Significant
	case s == waWeb.WebMessageInfo_GROUP_PARTICIPANT_REMOVE && concerns():
		return chat.Noteworthy
	}
	return chat.Ignored
}
