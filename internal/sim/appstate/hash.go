package appstate

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// lthash sums up a set of value MACs regardless of their order: 64 little-endian 16-bit numbers, to each of which every
// member adds its own, modulo 2^16.
type lthash [128]byte

func (h *lthash) add(valueMAC []byte) error {
	return h.each(valueMAC, func(a, b uint16) uint16 { return a + b })
}

func (h *lthash) subtract(valueMAC []byte) error {
	return h.each(valueMAC, func(a, b uint16) uint16 { return a - b })
}

func (h *lthash) each(valueMAC []byte, op func(a, b uint16) uint16) error {
	b, err := hkdf.Key(sha256.New, valueMAC, nil, "WhatsApp Patch Integrity", len(h))
	if err != nil {
		return fmt.Errorf("hash of a value MAC: %w", err)
	}
	for i := 0; i < len(h); i += 2 {
		sum := op(binary.LittleEndian.Uint16(h[i:]), binary.LittleEndian.Uint16(b[i:]))
		binary.LittleEndian.PutUint16(h[i:], sum)
	}
	return nil
}
