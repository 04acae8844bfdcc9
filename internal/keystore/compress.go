package keystore

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A write is paid for by the kilobyte. whatsmeow's sessions are JSON and have about one; compressed they have half of it.

const (
	plain byte = iota
	compressed
)

// least is the size from which compressing may pay.
const least = 256

// compress makes what an item holds of a value; nil for none.
func compress(value []byte) []byte {
	switch {
	case len(value) == 0:
		return nil
	case len(value) >= least:
		if b := encoder().EncodeAll(value, []byte{compressed}); len(b) <= len(value) {
			return b
		}
	}
	return append([]byte{plain}, value...)
}

// expand undoes compress.
func expand(data []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, nil
	case data[0] == plain:
		return data[1:], nil
	case data[0] == compressed:
		value, err := decoder().DecodeAll(data[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCorrupt, err)
		}
		return value, nil
	}
	return nil, errCorrupt
}

// dictionary is what sessions and sender keys have in common. What is stored can't be read with another.
const (
	dictionaryID = 1
	dictionary   = `{"SigningKeyPrivate":"","SigningKeyPublic":"","Keys":[{"KeyID":,"SenderChainKey":{"Iteration":,"ChainKey":"` +
		`"SenderMessageKeys":[{"Iteration":,"Seed":"",{"CipherKey":"","MacKey":"","IV":"","Index":}],` +
		`{"SessionState":{"LocalIdentityPublic":"B","LocalRegistrationID":,"NeedsRefresh":false,"PendingKeyExchange":null,` +
		`"PendingPreKey":null,"PreviousCounter":4294967295,"ReceiverChains":[{"SenderRatchetKeyPublic":"B",` +
		`"SenderRatchetKeyPrivate":null,"ChainKey":{"Key":"=","Index":1},"MessageKeys":[]}],"RemoteIdentityPublic":"B",` +
		`"RemoteRegistrationID":,"RootKey":"=","SenderBaseKey":"B","SenderChain":{"SenderRatchetKeyPublic":"B",` +
		`"SenderRatchetKeyPrivate":"=","ChainKey":{"Key":"=","Index":0},"MessageKeys":[]},"SessionVersion":3},"PreviousStates":[]}`
)

var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(dictionaryID, []byte(dictionary)), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// maxValue bounds the memory that a value may take.
const maxValue = 16 << 20

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictionaryID, []byte(dictionary)), zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxMemory(maxValue))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})
