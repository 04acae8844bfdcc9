package chat

import "errors"

// Code names a kind of failure. Codes are stable: clients and stored records hold them.
type Code string

// The codes. Which HTTP status and sentence each has is the business of the HTTP contract.
const (
	MissingAPIKey       Code = "MISSING_API_KEY"
	InvalidAPIKey       Code = "INVALID_API_KEY"
	MissingSecret       Code = "MISSING_SECRET"
	InvalidSecret       Code = "INVALID_SECRET"
	InvalidPhone        Code = "INVALID_PHONE"
	InvalidLimit        Code = "INVALID_LIMIT"
	InvalidSecond       Code = "INVALID_SECOND"
	InvalidCursor       Code = "INVALID_CURSOR"
	InvalidSince        Code = "INVALID_SINCE"
	SinceTooOld         Code = "SINCE_TOO_OLD"     // what has changed since isn't known any more
	InvalidParameter    Code = "INVALID_PARAMETER" // Message names the parameter
	InvalidBody         Code = "INVALID_BODY"
	BodyTooLarge        Code = "BODY_TOO_LARGE"
	UnknownEndpoint     Code = "UNKNOWN_ENDPOINT"
	MethodNotAllowed    Code = "METHOD_NOT_ALLOWED"
	ChatNotFound        Code = "CHAT_NOT_FOUND"
	MessageNotFound     Code = "MESSAGE_NOT_FOUND"
	MediaNotFound       Code = "MEDIA_NOT_FOUND" // neither WhatsApp nor the phone has the file any more
	MediaTooLarge       Code = "MEDIA_TOO_LARGE"
	DeviceNotFound      Code = "DEVICE_NOT_FOUND"
	CommandNotFound     Code = "COMMAND_NOT_FOUND"
	WebhookNotFound     Code = "WEBHOOK_NOT_FOUND"
	EventNotFound       Code = "EVENT_NOT_FOUND" // among those that couldn't be delivered
	DeviceNotConnected  Code = "DEVICE_NOT_CONNECTED"
	PasskeyNotAsked     Code = "PASSKEY_NOT_ASKED"    // WhatsApp asks for no passkey now, or not for this answer
	IdempotencyConflict Code = "IDEMPOTENCY_CONFLICT" // the id belongs to a different command
	InsufficientScope   Code = "INSUFFICIENT_SCOPE"   // Message is the scope that is needed
	QuotaExceeded       Code = "QUOTA_EXCEEDED"       // Message says which quota, and until when
	KeyNotFound         Code = "KEY_NOT_FOUND"
	KeyExists           Code = "KEY_EXISTS" // another key has the name
	KeyLimit            Code = "KEY_LIMIT"
	PinLimit            Code = "PIN_LIMIT"         // as many chats are pinned as WhatsApp allows
	WhatsAppRejected    Code = "WHATSAPP_REJECTED" // Message is WhatsApp's reason
	WhatsAppLimited     Code = "WHATSAPP_LIMITED"  // WhatsApp wants the account to be slower
	BatchNotFound       Code = "BATCH_NOT_FOUND"
	TooManyOperations   Code = "TOO_MANY_OPERATIONS" // more than a batch has room for
	TooManyBatches      Code = "TOO_MANY_BATCHES"    // MaxOpenBatches are open
	RateLimited         Code = "RATE_LIMITED"
	Unavailable         Code = "UNAVAILABLE" // for now; trying again may help
	LeaseHeld           Code = "LEASE_HELD"  // another host owns the shard
	Internal            Code = "INTERNAL"
)

// Error is the one error that crosses boundaries, the queue included. Message is a detail in English for logs and for
// the codes that say so; it may be empty and never holds a secret.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message,omitempty"`
}

func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Is makes errors.Is(err, &Error{Code: c}) compare codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf is the code of err: Internal for an error that is not an Error, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// AsError is err as an Error; anything foreign becomes INTERNAL without its text, which must not leak.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal}
}
