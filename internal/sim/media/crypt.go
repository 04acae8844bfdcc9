package media

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	macSize = 10 // bytes of the HMAC that end an encrypted file
	keySize = 32
)

var (
	ErrMAC     = errors.New("media: MAC doesn't match")
	ErrHash    = errors.New("media: hash doesn't match")
	ErrPadding = errors.New("media: bad length or padding")
	ErrKey     = errors.New("media: key must be 32 bytes of a known kind")
)

// Encrypt returns plain as WhatsApp stores it: AES-256-CBC with PKCS#7 padding, then the first 10 bytes of
// HMAC-SHA256(iv‖ciphertext). The key has 32 bytes.
func Encrypt(key []byte, kind Kind, plain []byte) ([]byte, error) {
	k, err := expand(key, kind)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+pad, len(plain)+pad+macSize)
	copy(out, plain)
	for i := len(plain); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(out, out)
	return append(out, k.mac(out)...), nil
}

// Decrypt is the inverse of Encrypt. It fails with ErrMAC, ErrPadding or ErrKey.
func Decrypt(key []byte, kind Kind, file []byte) ([]byte, error) {
	k, err := expand(key, kind)
	if err != nil {
		return nil, err
	}
	if len(file) < aes.BlockSize+macSize || (len(file)-macSize)%aes.BlockSize != 0 {
		return nil, ErrPadding
	}
	body, mac := file[:len(file)-macSize], file[len(file)-macSize:]
	if !hmac.Equal(mac, k.mac(body)) {
		return nil, ErrMAC
	}
	out := make([]byte, len(body))
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(out, body)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, ErrPadding
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, ErrPadding
		}
	}
	return out[:len(out)-pad], nil
}

type keys struct {
	iv     []byte
	block  cipher.Block
	macKey []byte
}

// expand derives the keys of a file: HKDF-SHA256(key, no salt, kind, 112) = iv 16 ‖ cipher key 32 ‖ MAC key 32 ‖ unused.
func expand(key []byte, kind Kind) (keys, error) {
	if len(key) != keySize || kind.MMSType() == "" {
		return keys{}, ErrKey
	}
	b, err := hkdf.Key(sha256.New, key, nil, string(kind), 112)
	if err != nil {
		return keys{}, fmt.Errorf("expand media key: %w", err)
	}
	block, err := aes.NewCipher(b[16:48])
	if err != nil {
		return keys{}, fmt.Errorf("expand media key: %w", err)
	}
	return keys{iv: b[:16], block: block, macKey: b[48:80]}, nil
}

func (k keys) mac(ciphertext []byte) []byte {
	h := hmac.New(sha256.New, k.macKey)
	h.Write(k.iv)
	h.Write(ciphertext)
	return h.Sum(nil)[:macSize]
}
