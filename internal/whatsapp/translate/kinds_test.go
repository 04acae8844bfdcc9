package translate

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pesan/internal/chat"
)

// What becomes of a kind of message, live and in a history.
const (
	shown   = "a message"
	added   = "added to another"
	nothing = "nothing"
)

// exceptions are the kinds that aren't shown as messages, live and in a history, and why. Every other kind that the
// published schema has must be shown, by either way: so a new one turns this test red until somebody has thought of it, in
// known.
var exceptions = map[string]struct{ live, history, why string }{
	"senderKeyDistributionMessage":               {nothing, nothing, "a key of the Signal protocol"},
	"fastRatchetKeySenderKeyDistributionMessage": {nothing, nothing, "a key of the Signal protocol"},
	"messageContextInfo":                         {nothing, nothing, "stands beside a content"},
	"protocolMessage":                            {nothing, nothing, "by its type: see TestProtocolMessages"},
	"reactionMessage":                            {added, nothing, "a history has it in the message's reactions"},
	"encReactionMessage":                         {nothing, nothing, "opened before; a history has it in the message's reactions"},
	"pollUpdateMessage":                          {nothing, nothing, "opened before; a history has it in the poll's pollUpdates"},
	"pollAddOptionMessage":                       {added, nothing, "a history has the poll with all options"},
	"encEventResponseMessage":                    {nothing, nothing, "opened before; a history has it in the event's eventResponses"},
	"secretEncryptedMessage":                     {nothing, nothing, "opened before: an edit, or an option of a poll"},
	"commentMessage":                             {added, nothing, "a history has it by its commentMetadata"},
	"encCommentMessage":                          {nothing, nothing, "opened before"},
	"keepInChatMessage":                          {added, nothing, "a history has it in the message's keepInChat"},
	"pinInChatMessage":                           {added, nothing, "with a notice of its own; a history has it in pinInChat and a stub"},
	"scheduledCallEditMessage":                   {nothing, nothing, "changes a call's appointment, which clients don't show any more"},
	"splitPaymentUpdateMessage":                  {nothing, nothing, "who has paid; the field isn't shown by companions"},
	"stickerSyncRmrMessage":                      {nothing, nothing, "asks the phone for stickers"},
	"statusNotificationMessage":                  {nothing, nothing, "about stories"},
	"messageHistoryBundle":                       {nothing, nothing, "older messages for who joins a group, for its device"},
	"messageHistoryNotice":                       {nothing, nothing, "says that they were sent"},
	"groupRootKeyShare":                          {nothing, nothing, "a key"},
	"rootSecretDistributeMessage":                {nothing, nothing, "a key"},
	"placeholderMessage":                         {nothing, nothing, "stands where the phone has nothing to give"},
	"deviceSentMessage":                          {shown, shown, "the envelope of the user's other devices: what is inside"},
}

// known are all kinds of messages that somebody has thought of.
var known = strings.Fields(`conversation senderKeyDistributionMessage imageMessage contactMessage locationMessage extendedTextMessage
	documentMessage audioMessage videoMessage call chat protocolMessage contactsArrayMessage highlyStructuredMessage
	fastRatchetKeySenderKeyDistributionMessage sendPaymentMessage liveLocationMessage requestPaymentMessage
	declinePaymentRequestMessage cancelPaymentRequestMessage templateMessage stickerMessage groupInviteMessage
	templateButtonReplyMessage productMessage deviceSentMessage messageContextInfo listMessage viewOnceMessage orderMessage
	listResponseMessage ephemeralMessage invoiceMessage buttonsMessage buttonsResponseMessage paymentInviteMessage
	interactiveMessage reactionMessage stickerSyncRmrMessage interactiveResponseMessage pollCreationMessage
	pollUpdateMessage keepInChatMessage documentWithCaptionMessage requestPhoneNumberMessage viewOnceMessageV2
	encReactionMessage editedMessage viewOnceMessageV2Extension pollCreationMessageV2 scheduledCallCreationMessage
	groupMentionedMessage pinInChatMessage pollCreationMessageV3 scheduledCallEditMessage ptvMessage botInvokeMessage
	callLogMesssage messageHistoryBundle encCommentMessage bcallMessage lottieStickerMessage eventMessage
	encEventResponseMessage commentMessage newsletterAdminInviteMessage placeholderMessage secretEncryptedMessage
	albumMessage eventCoverImage stickerPackMessage statusMentionMessage pollResultSnapshotMessage
	pollCreationOptionImageMessage associatedChildMessage groupStatusMentionMessage pollCreationMessageV4 statusAddYours
	groupStatusMessage richResponseMessage statusNotificationMessage limitSharingMessage botTaskMessage questionMessage
	messageHistoryNotice groupStatusMessageV2 botForwardedMessage statusQuestionAnswerMessage questionReplyMessage
	questionResponseMessage statusQuotedMessage statusStickerInteractionMessage pollCreationMessageV5
	newsletterFollowerInviteMessageV2 pollResultSnapshotMessageV3 newsletterAdminProfileMessage spoilerMessage
	pollCreationMessageV6 conditionalRevealMessage pollAddOptionMessage eventInviteMessage groupRootKeyShare
	paymentReminderMessage splitPaymentMessage newsletterAdminProfileStatusMessage rootSecretDistributeMessage
	splitPaymentUpdateMessage musicMessage statusLinkPreviewMetadata botPlatformRegistrationSuccessMessage`)

func TestEveryKindOfMessage(t *testing.T) {
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(fd.Name())
		if !contains(known, name) {
			t.Errorf("%s is new: say what becomes of it, live and in a history", name)
			continue
		}
		want := exceptions[name]
		if want.why == "" {
			want.live, want.history = shown, shown
		}
		if live := outcome(liveOf(filled(fd))); live != want.live {
			t.Errorf("%s: live it is %s, want %s", name, live, want.live)
		}
		if past := outcome(pastOf(filled(fd))); past != want.history {
			t.Errorf("%s: in a history it is %s, want %s", name, past, want.history)
		}
	}
	for name := range exceptions {
		if fields.ByName(protoreflect.Name(name)) == nil {
			t.Errorf("%s isn't in the schema any more", name)
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// filled is a message with one field, in which stand a text and the key of another message where there is room.
func filled(fd protoreflect.FieldDescriptor) *waE2E.Message {
	m := &waE2E.Message{}
	fill(m.ProtoReflect(), fd, 3)
	return m
}

func fill(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) {
	switch {
	case fd.IsList() || fd.IsMap():
	case fd.Kind() == protoreflect.StringKind:
		m.Set(fd, protoreflect.ValueOfString("x"))
	case fd.Name() == "message" && fd.Message() != nil && fd.Message().Name() == "Message":
		m.Set(fd, protoreflect.ValueOfMessage((&waE2E.Message{Conversation: proto.String("x")}).ProtoReflect()))
	case fd.Message() != nil && depth > 0:
		inner := m.Mutable(fd).Message()
		for i := range inner.Descriptor().Fields().Len() {
			child := inner.Descriptor().Fields().Get(i)
			if child.Message() != nil && (child.Message().Name() == "MessageKey" || child.Name() == "message") {
				fill(inner, child, depth-1)
			} else if depth == 2 && child.Kind() == protoreflect.StringKind {
				fill(inner, child, depth-1)
			}
		}
	}
}

const kindID = "KIND"

func keyOf(id string) *waCommon.MessageKey {
	return &waCommon.MessageKey{ID: &id, RemoteJID: proto.String(people[0][0].String()), FromMe: proto.Bool(false)}
}

func liveOf(m *waE2E.Message) []chat.Message {
	who := people[0][0]
	evt := &events.Message{RawMessage: m, Info: types.MessageInfo{
		MessageSource: types.MessageSource{Chat: who, Sender: who}, ID: kindID, Timestamp: time.Unix(1_800_000_000, 0),
	}}
	return messagesOf(knowing().Message(evt.UnwrapRaw(), 1, Opened{}))
}

func pastOf(m *waE2E.Message) []chat.Message {
	w := &waWeb.WebMessageInfo{Key: keyOf(kindID), Message: m, MessageTimestamp: proto.Uint64(1_800_000_000)}
	conv := &waHistorySync.Conversation{
		ID: proto.String(people[0][0].String()), Messages: []*waHistorySync.HistorySyncMsg{{Message: w}},
	}
	return messagesOf(knowing().Conversation(conv, true, 10))
}

func messagesOf(changes []chat.Change) (all []chat.Message) {
	for _, c := range changes {
		all = append(all, c.Messages...)
	}
	return all
}

func outcome(all []chat.Message) string {
	for _, m := range all {
		if m.ID == kindID && m.Content.Time != 0 {
			return shown
		}
	}
	if len(all) > 0 {
		return added
	}
	return nothing
}

// applied are the actions of the app state that change a chat, or the account, by what stands first in their indexes; "" for those
// of the account, which package whatsapp takes. ignored are the others, and why.
var (
	applied = map[string]string{
		"starAction": "star", "contactAction": "contact", "muteAction": "mute", "pinAction": "pin_v1", "archiveChatAction": "archive",
		"deleteMessageForMeAction": "deleteMessageForMe", "markChatAsReadAction": "markChatAsRead", "clearChatAction": "clearChat",
		"deleteChatAction": "deleteChat", "pnForLidChatAction": "pnForLidChat", "callLogAction": "call_log", "lidContactAction": "lid_contact",
		"labelEditAction": "label_edit", "labelAssociationAction": "label_jid", "lockChatAction": "lock",
		"pushNameSetting": "", "unarchiveChatsSetting": "",
	}
	ignored = map[string]string{
		"no chat's state is shown of it": `quickReplyAction recentEmojiWeightsAction localeSetting keyExpiration primaryFeature
			androidUnsupportedActions subscriptionAction timeFormatAction nuxAction primaryVersionAction stickerAction
			removeRecentStickerAction externalWebBetaAction privacySettingRelayAllCalls ugcBot botWelcomeRequestAction
			paymentInfoAction customPaymentMethodsAction wamoUserIdentifierAction privacySettingDisableLinkPreviewsAction
			deviceCapabilities noteEditAction merchantPaymentPartnerAction waffleAccountLinkStateAction usernameChatStartMode
			notificationActivitySettingAction ctwaPerCustomerDataSharingAction paymentTosAction
			privacySettingChannelsPersonalisedRecommendationAction detectedOutcomesStatusAction maibaAiFeaturesControlAction
			musicUserIDAction avatarUpdatedAction privateProcessingSettingAction newsletterSavedInterestsAction aiThreadRenameAction
			interactiveMessageAction settingsSyncAction nctSaltSyncAction customerDataAction subscriptionsSyncV2Action threadPinAction
			bizAiSettingsNudgeAction coexV2VersionAction wasaRootSecretAction deviceCapabilitiesV2 ctwaMessageReceivedAction
			sharedDeviceAllowlistAction contactManagerMetadataAction businessFolderActivationAction`,
		"about stories":                                            `userStatusMuteAction statusPrivacy statusPostOptInNotificationPreferencesAction`,
		"of businesses: agents and campaigns":                      `agentAction chatAssignment chatAssignmentOpenedStatus marketingMessageAction marketingMessageBroadcastAction businessBroadcastListAction businessBroadcastCampaignAction businessBroadcastInsightsAction autoOrganizeBusinessChatSetting`,
		"favourites, and the order of labels: no field shows them": `labelReorderingAction labelSublistAction favoritesAction`,
		"locked chats stay readable by the API":                    `chatLockSettings bubbleLockMessageAction`,
		"a call's line stays when its log goes":                    `deleteIndividualCallLog`,
		"contacts outside of the address book":                     `outContactAction`,
		"is the time of all":                                       `timestamp`,
	}
)

func TestEveryAction(t *testing.T) {
	reasons := map[string]string{}
	for why, names := range ignored {
		for name := range strings.FieldsSeq(names) {
			reasons[name] = why
		}
	}
	fields := (&waSyncAction.SyncActionValue{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		index, is := applied[name]
		switch {
		case is && reasons[name] != "":
			t.Errorf("%s is both applied and ignored", name)
		case !is && reasons[name] == "":
			t.Errorf("%s is new: apply it, or say why not", name)
		case index != "" && !tells(index, set(fields.Get(i))):
			t.Errorf("%s tells nothing", name)
		}
	}
	for name := range applied {
		if fields.ByName(protoreflect.Name(name)) == nil {
			t.Errorf("%s isn't in the schema any more", name)
		}
	}
}

// set is a value with one action, whose fields all say something.
func set(fd protoreflect.FieldDescriptor) *waSyncAction.SyncActionValue {
	v := &waSyncAction.SyncActionValue{Timestamp: proto.Int64(1_800_000_000_000)}
	var fill func(m protoreflect.Message, depth int)
	fill = func(m protoreflect.Message, depth int) {
		for i := range m.Descriptor().Fields().Len() {
			switch fd := m.Descriptor().Fields().Get(i); {
			case fd.IsList() || fd.IsMap():
			case fd.Message() != nil && depth > 0:
				fill(m.Mutable(fd).Message(), depth-1)
			case fd.Kind() == protoreflect.BoolKind:
				m.Set(fd, protoreflect.ValueOfBool(true))
			case fd.Kind() == protoreflect.Int64Kind:
				m.Set(fd, protoreflect.ValueOfInt64(1_800_000_500_000))
			case fd.Kind() == protoreflect.StringKind:
				m.Set(fd, protoreflect.ValueOfString("6281299999999@s.whatsapp.net"))
			case fd.Kind() == protoreflect.EnumKind:
				m.Set(fd, protoreflect.ValueOfEnum(fd.Enum().Values().Get(0).Number()))
			}
		}
	}
	fill(v.ProtoReflect().Mutable(fd).Message(), 2)
	return v
}

// tells tells whether something is made of a value: a chat's or a message's state, a label, or a link of two addresses.
func tells(index string, v *waSyncAction.SyncActionValue) bool {
	m := Mutation{Index: []string{index, "99999999999999@lid", "A", "0", "0"}, Value: v, Order: 5}
	switch index {
	case "label_edit":
		m.Index[1] = "3"
		_, ok := Label(m)
		return ok
	case "label_jid":
		m.Index[1], m.Index[2] = "3", people[0][0].String()
	}
	changes := knowing().Mutation(m)
	return len(changes) == 1 && (len(changes[0].Messages) > 0 || !reflect.ValueOf(changes[0].State).IsZero() || index == "pnForLidChat" && changes[0].Alt != "")
}

// Protocol messages that do something to a chat, and those that speak to the device or of what no chat shows.
var (
	telling  = strings.Fields(`REVOKE MESSAGE_EDIT EPHEMERAL_SETTING`)
	toDevice = strings.Fields(`EPHEMERAL_SYNC_RESPONSE HISTORY_SYNC_NOTIFICATION APP_STATE_SYNC_KEY_SHARE APP_STATE_SYNC_KEY_REQUEST
		MSG_FANOUT_BACKFILL_REQUEST INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC APP_STATE_FATAL_EXCEPTION_NOTIFICATION
		SHARE_PHONE_NUMBER PEER_DATA_OPERATION_REQUEST_MESSAGE PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE
		REQUEST_WELCOME_MESSAGE BOT_FEEDBACK_MESSAGE MEDIA_NOTIFY_MESSAGE CLOUD_API_THREAD_CONTROL_NOTIFICATION
		LID_MIGRATION_MAPPING_SYNC REMINDER_MESSAGE BOT_MEMU_ONBOARDING_MESSAGE STATUS_MENTION_MESSAGE
		STOP_GENERATION_MESSAGE LIMIT_SHARING AI_PSI_METADATA AI_QUERY_FANOUT GROUP_MEMBER_LABEL_CHANGE
		AI_MEDIA_COLLECTION_MESSAGE MESSAGE_UNSCHEDULE CHAT_THEME_SETTING AI_METADATA_OPERATION
		MARK_AS_VERIFIED_ACTION COEX_STATE_SYNC`)
)

func TestProtocolMessages(t *testing.T) {
	values := waE2E.ProtocolMessage_REVOKE.Descriptor().Values()
	for i := range values.Len() {
		kind := waE2E.ProtocolMessage_Type(values.Get(i).Number())
		p := &waE2E.ProtocolMessage{
			Type: &kind, Key: keyOf("OTHER"), TimestampMS: proto.Int64(1), EditedMessage: &waE2E.Message{Conversation: proto.String("x")},
			EphemeralExpiration: proto.Uint32(86400),
		}
		who := people[0][0]
		evt := &events.Message{RawMessage: &waE2E.Message{ProtocolMessage: p}, Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: who, Sender: who}, ID: kindID, Timestamp: time.Unix(1_800_000_000, 0),
		}}
		changes := knowing().Message(evt.UnwrapRaw(), 1, Opened{})
		tells := len(messagesOf(changes)) > 0 || len(changes[0].State.Fields) > 0
		switch name := kind.String(); {
		case contains(telling, name) != tells:
			t.Errorf("%s changes a chat: %t", name, tells)
		case !tells && !contains(toDevice, name):
			t.Errorf("%s is new: say what it does", name)
		}
	}
}
