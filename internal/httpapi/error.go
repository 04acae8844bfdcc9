package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"pesan/internal/chat"
)

// Status is the HTTP status of a code, and 200 of none.
func Status(code chat.Code) int {
	if code == "" {
		return http.StatusOK
	}
	return find(code).status
}

// refusal is an error with a sentence of its own, in Indonesian and in English.
type refusal struct {
	code   chat.Code
	id, en string
}

func (r *refusal) Error() string { return string(r.code) + ": " + r.en }

// Unwrap makes it an error of the contract.
func (r *refusal) Unwrap() error { return &chat.Error{Code: r.code} }

// missing says that a parameter isn't there, and what it is.
func missing(code chat.Code, name, id, en string) error {
	return &refusal{code, "Parameter " + name + " belum diisi: " + id + ".",
		"The parameter " + name + " is missing: it is " + en + "."}
}

// wrong says what a parameter must be.
func wrong(code chat.Code, name, id, en string) error {
	return &refusal{code, "Parameter " + name + " harus " + id + ".", "The parameter " + name + " must be " + en + "."}
}

// failure is what an answer says of a code; {} stands for the error's message.
type failure struct {
	status int
	id, en string
}

func find(code chat.Code) failure {
	if f, ok := failures[code]; ok {
		return f
	}
	return failures[chat.Internal]
}

var failures = map[chat.Code]failure{
	chat.MissingAPIKey: {401, "API key belum diisi: kirim parameter apiKey.",
		"The API key is missing: send the parameter apiKey."},
	chat.InvalidAPIKey: {401, "API key salah atau sudah tidak berlaku.",
		"The API key is wrong or no longer valid."},
	chat.MissingSecret: {401, "Secret belum diisi: kirim parameter secret.",
		"The secret is missing: send the parameter secret."},
	chat.InvalidSecret: {401, "Secret salah.",
		"The secret is wrong."},
	chat.InvalidPhone: {400,
		"Parameter phone harus nomor telepon, misalnya 08123456789 atau +62 812-3456-789, atau JID dari getChats.",
		"The parameter phone must be a phone number, such as 08123456789 or +62 812-3456-789, or a JID as getChats lists it."},
	chat.InvalidLimit: {400, "Parameter limit harus bilangan bulat dari 1 sampai 1000.",
		"The parameter limit must be a whole number from 1 to 1000."},
	chat.InvalidSecond: {400, "Parameter second harus bilangan bulat dari 1 sampai 315360000 (sepuluh tahun), atau kosong.",
		"The parameter second must be a whole number from 1 to 315360000 (ten years), or empty."},
	chat.InvalidCursor: {400, "Parameter cursor tidak dikenal: pakai nextCursor dari jawaban sebelumnya.",
		"The parameter cursor is unknown: use nextCursor of the answer before."},
	chat.InvalidSince: {400, "Parameter since tidak dikenal: pakai nextSince dari jawaban sebelumnya.",
		"The parameter since is unknown: use nextSince of the answer before."},
	chat.SinceTooOld: {410, "Perubahan sejak since itu tidak lagi disimpan: mulai lagi tanpa since.",
		"What has changed since then is no longer kept: start over without since."},
	chat.InvalidParameter: {400, "Parameter {} salah.",
		"The parameter {} is wrong."},
	chat.InvalidBody: {400, "Isi permintaan harus form atau objek JSON yang utuh, dalam UTF-8, paling banyak 100 parameter.",
		"The request body must be a whole form or JSON object, in UTF-8, with at most 100 parameters."},
	chat.BodyTooLarge: {413, "Isi permintaan melebihi 64 KiB.",
		"The request body is over 64 KiB."},
	chat.UnknownEndpoint: {404, "Endpoint tidak dikenal.",
		"The endpoint is unknown."},
	chat.MethodNotAllowed: {405, "Metode HTTP ini tidak berlaku untuk endpoint ini.",
		"The endpoint doesn't take this HTTP method."},
	chat.ChatNotFound: {404, "Chat tidak ditemukan.",
		"The chat was not found."},
	chat.MessageNotFound: {404, "Pesan tidak ditemukan di chat ini.",
		"The message was not found in this chat."},
	chat.MediaNotFound: {404, "Berkas pesan ini sudah tidak ada di WhatsApp maupun di ponsel.",
		"Neither WhatsApp nor the phone has the message's file any more."},
	chat.MediaTooLarge: {413, "Berkas pesan ini terlalu besar untuk diambil.",
		"The message's file is too large to be fetched."},
	chat.DeviceNotFound: {404, "Perangkat tidak ditemukan.",
		"The device was not found."},
	chat.InsufficientScope: {403, "API key ini tidak boleh melakukannya: diperlukan key dengan scope {}.",
		"This API key may not do that: it takes one of the scope {}."},
	chat.QuotaExceeded: {429, "Kuota panggilan API key ini untuk bulan ini sudah habis (kuota, berlaku lagi pada): {}.",
		"This API key has used up its calls of the month (how many, again from): {}."},
	chat.KeyNotFound: {404, "API key dengan nama itu tidak ditemukan; lihat listKeys.",
		"There is no API key of that name; see listKeys."},
	chat.KeyExists: {409, "Nama itu sudah dipakai API key lain: pilih nama lain, atau cabut dulu dengan revokeKey.",
		"Another API key has that name: choose another one, or revoke that key with revokeKey."},
	chat.KeyLimit: {409, "Satu perangkat paling banyak memiliki 20 API key tambahan: cabut satu dulu dengan revokeKey.",
		"A device has at most 20 further API keys: revoke one first with revokeKey."},
	chat.CommandNotFound: {404, "Perintah tidak ditemukan.",
		"The command was not found."},
	chat.WebhookNotFound: {404, "Belum ada webhook; buat dulu dengan setWebhook.",
		"There is no webhook; make one with setWebhook."},
	chat.EventNotFound: {404, "Event ini tidak ada di listDeadLetters.",
		"listDeadLetters has no such event."},
	chat.DeviceNotConnected: {409, "Perangkat tidak terhubung ke WhatsApp; lihat getState.",
		"The device is not connected to WhatsApp; see getState."},
	chat.PasskeyNotAsked: {409,
		"WhatsApp saat ini tidak meminta passkey, atau jawaban ini bukan untuk permintaan yang sekarang; lihat getPasskey.",
		"WhatsApp asks for no passkey now, or this answer isn't for the present request; see getPasskey."},
	chat.IdempotencyConflict: {409, "Idempotency-Key ini sudah dipakai untuk perintah lain.",
		"This Idempotency-Key was used for a different command."},
	chat.PinLimit: {409, "WhatsApp hanya mengizinkan 3 chat (dan 2 saluran) disematkan: lepas satu dulu dengan unpinChat.",
		"WhatsApp allows 3 pinned chats (and 2 channels): unpin one first with unpinChat."},
	chat.BatchNotFound: {404, "Batch tidak ditemukan.",
		"The batch was not found."},
	chat.TooManyOperations: {413, "Paling banyak 50000 operasi per batch: bagi menjadi beberapa batch.",
		"A batch has at most 50000 operations: divide it into several batches."},
	chat.TooManyBatches: {409, "Sudah ada 10 batch yang belum selesai: tunggu atau batalkan satu dengan cancelBatch.",
		"10 batches are open already: wait for one to end, or cancel one with cancelBatch."},
	chat.WhatsAppLimited: {503, "WhatsApp membatasi akun ini untuk sementara; coba lagi nanti.",
		"WhatsApp limits this account for now; try again later."},
	chat.WhatsAppRejected: {502, "WhatsApp menolak perintah ini: {}.",
		"WhatsApp refused the command: {}."},
	chat.RateLimited: {429, "Terlalu banyak permintaan; coba lagi sebentar lagi.",
		"Too many requests; try again in a moment."},
	chat.Unavailable: {503, "Layanan sedang tidak tersedia; coba lagi.",
		"The service is unavailable for now; try again."},
	chat.LeaseHeld: {503, "Layanan sedang dipindahkan; coba lagi.",
		"The service is being moved; try again."},
	chat.Internal: {500, "Terjadi kesalahan di server.",
		"Something went wrong in the server."},
}

// known is err as an answer shows it: with a code of the contract.
func known(err error) *chat.Error {
	e := chat.AsError(err)
	switch _, ok := failures[e.Code]; {
	case errors.Is(err, context.DeadlineExceeded):
		return &chat.Error{Code: chat.Unavailable}
	case !ok:
		return &chat.Error{Code: chat.Internal}
	}
	return e
}

// sentence says in the client's language what went wrong.
func sentence(err error, acceptLanguage string) string {
	e := known(err)
	f := find(e.Code)
	if own := (*refusal)(nil); errors.As(err, &own) {
		f.id, f.en = own.id, own.en
	}
	s := f.id
	if prefersEnglish(acceptLanguage) {
		s = f.en
	}
	detail := strings.TrimRight(strings.ToValidUTF8(e.Message, ""), ". ")
	if detail == "" {
		detail = "-"
	}
	return strings.Replace(s, "{}", detail, 1)
}

// prefersEnglish tells whether Accept-Language puts English before Indonesian, which stands for all other languages.
func prefersEnglish(header string) bool {
	var english, indonesian float64
	for choice := range strings.SplitSeq(header, ",") {
		name, quality := splitQuality(choice)
		language, _, _ := strings.Cut(strings.ToLower(name), "-")
		switch language {
		case "en":
			// Of two that are equally welcome the first is meant.
			if quality > english && quality > indonesian {
				english = quality
			}
		case "id", "in":
			if quality > indonesian && quality > english {
				indonesian = quality
			}
		}
	}
	return english > indonesian
}

// fail writes the error's answer. What is our own fault is logged here and nowhere else.
func (c *call) fail(ctx context.Context, err error) (status int) {
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		err = &chat.Error{Code: chat.Unavailable} // the client has gone; nobody reads this
	case Status(chat.CodeOf(err)) >= http.StatusInternalServerError && chat.CodeOf(err) != chat.WhatsAppRejected:
		c.Logger.LogAttrs(ctx, slog.LevelError, "call failed", slog.String("request", c.request.id),
			slog.String("endpoint", c.endpoint.Name), slog.String("account", c.account), slog.Any("error", err))
	}
	e := known(err)
	status = Status(e.Code)
	c.out, c.contentType = c.out[:0], ""
	p := problem{Code: status, Error: e.Code, Message: sentence(err, c.request.header("Accept-Language"))}
	if own := (*rejection)(nil); errors.As(err, &own) {
		p.Results = own.results
	}
	c.json(p)
	return status
}

type problem struct {
	Code    int       `json:"code"`
	Error   chat.Code `json:"error"`
	Message string    `json:"message"`
	Results any       `json:"results,omitempty"` // what was refused, where that takes more than a sentence
}
