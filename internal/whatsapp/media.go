package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
)

// How long a file may take, and the phone to give WhatsApp one again.
const (
	mediaTime = 2 * time.Minute
	retryTime = 20 * time.Second
)

// mediaTypes are WhatsApp's names of the keys of files.
var mediaTypes = map[string]whatsmeow.MediaType{
	"imageMessage": whatsmeow.MediaImage, "stickerMessage": whatsmeow.MediaImage, "videoMessage": whatsmeow.MediaVideo,
	"ptvMessage": whatsmeow.MediaVideo, "audioMessage": whatsmeow.MediaAudio, "documentMessage": whatsmeow.MediaDocument,
}

// fetchMedia keeps the file of a message, which somebody has asked for. It is decrypted on the disk, and never whole in memory.
func (r *run) fetchMedia(ctx context.Context, c chat.Command) error {
	ctx, cancel := context.WithTimeout(ctx, mediaTime)
	defer cancel()
	found, m, ok, err := chat.FindMedia(ctx, r.Chats, r.account, c.Chat, c.Message, r.Now())
	switch {
	case err != nil:
		return err
	case !ok:
		return &chat.Error{Code: chat.MediaNotFound}
	case r.Devices.Media == nil:
		return &chat.Error{Code: chat.Unavailable, Message: "files aren't kept here"}
	case m.Size > r.MaxMedia:
		return &chat.Error{Code: chat.MediaTooLarge}
	}
	file, err := os.CreateTemp("", "pesan-media-")
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	bounded := &boundedFile{File: file, most: r.MaxMedia + mediaOverhead}
	if err = r.download(ctx, m, bounded); isGone(err) {
		if m.DirectPath, err = r.uploadAgain(ctx, found.Chat, c.Message, m); err == nil {
			err = r.download(ctx, m, bounded)
		}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return &chat.Error{Code: chat.MediaTooLarge}
	case isGone(err), errors.Is(err, whatsmeow.ErrInvalidMediaSHA256), errors.Is(err, whatsmeow.ErrInvalidMediaHMAC),
		errors.Is(err, whatsmeow.ErrInvalidMediaEncSHA256), errors.Is(err, whatsmeow.ErrTooShortFile):
		return &chat.Error{Code: chat.MediaNotFound, Message: "what WhatsApp has isn't the message's file"}
	case err != nil:
		return fmt.Errorf("download file: %w", refusal(err))
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	if size > r.MaxMedia {
		return &chat.Error{Code: chat.MediaTooLarge}
	}
	return r.Devices.Media.PutMedia(ctx, r.account, m, file, size)
}

func (r *run) download(ctx context.Context, m chat.Media, into *boundedFile) error {
	if err := into.Truncate(0); err != nil {
		return err
	}
	if _, err := into.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.wa.DownloadMediaWithPathToFile(ctx, m.DirectPath, m.EncSHA256, m.SHA256, m.Key, mediaTypes[m.Kind], "", false, into)
}

// isGone tells whether WhatsApp doesn't have a file, or not by this path any more.
func isGone(err error) bool {
	return errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403) || errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) ||
		errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410)
}

// uploadAgain asks the phone to give WhatsApp a file again, and returns its new path.
func (r *run) uploadAgain(ctx context.Context, in chat.JID, id string, m chat.Media) (path string, err error) {
	if len(m.Key) == 0 {
		return "", &chat.Error{Code: chat.MediaNotFound}
	}
	index, err := r.index(ctx, in)
	if err != nil {
		return "", err
	}
	fromMe, sender, err := r.author(ctx, in, id, false)
	if err != nil {
		return "", err
	}
	info := &types.MessageInfo{ID: id, MessageSource: types.MessageSource{Chat: index, IsFromMe: fromMe == "1",
		IsGroup: in.Kind() == chat.Group}}
	if info.IsGroup && sender != "0" {
		if info.Sender, err = types.ParseJID(sender); err != nil {
			return "", fmt.Errorf("read sender: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, retryTime)
	defer cancel()
	answer := r.retries.expect(id)
	defer r.retries.forget(id)
	if err := r.wa.SendMediaRetryReceipt(ctx, info, m.Key); err != nil {
		return "", fmt.Errorf("ask for file again: %w", refusal(err))
	}
	select {
	case evt := <-answer:
		told, err := whatsmeow.DecryptMediaRetryNotification(evt, m.Key)
		if err != nil || told.GetResult() != waMmsRetry.MediaRetryNotification_SUCCESS || told.GetDirectPath() == "" {
			return "", &chat.Error{Code: chat.MediaNotFound}
		}
		return told.GetDirectPath(), nil
	case <-r.done:
		return "", &chat.Error{Code: chat.DeviceNotConnected}
	case <-ctx.Done(): // not to be repeated: the phone has been asked
		return "", &chat.Error{Code: chat.WhatsAppRejected,
			Message: "WhatsApp doesn't have the file any more, and the phone doesn't answer"}
	}
}

// retries are the files that the phone was asked for again, by their messages' ids.
type retries struct {
	answers[*events.MediaRetry]
}

func (a *retries) came(evt *events.MediaRetry) { a.ended(string(evt.MessageID), evt) }

// mediaOverhead is by what an encrypted file is larger: its padding and its MAC.
const mediaOverhead = 64

var errTooLarge = errors.New("the file is larger than files may be")

// boundedFile takes no more than most bytes, whatever the sender says of its size.
type boundedFile struct {
	whatsmeow.File
	most int64
}

func (f *boundedFile) Write(b []byte) (int, error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if at+int64(len(b)) > f.most {
		return 0, errTooLarge
	}
	return f.File.Write(b)
}

func (f *boundedFile) WriteAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > f.most {
		return 0, errTooLarge
	}
	return f.File.WriteAt(b, at)
}
