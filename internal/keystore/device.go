package keystore

import (
	"fmt"

	"github.com/google/uuid"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// deviceRecord is a linked device in the account's item; of key pairs the private keys.
type deviceRecord struct {
	JID                   string `json:"jid"`
	LID                   string `json:"lid,omitempty"`
	Registration          uint32 `json:"registration"`
	NoiseKey              []byte `json:"noise"`
	IdentityKey           []byte `json:"identity"`
	SignedPreKey          []byte `json:"spk"`
	SignedPreKeyID        uint32 `json:"spk_id"`
	SignedPreKeySignature []byte `json:"spk_sig"`
	AdvSecretKey          []byte `json:"adv"`
	Details               []byte `json:"adv_details"`
	AccountSignature      []byte `json:"adv_account_sig"`
	AccountSignatureKey   []byte `json:"adv_account_key"`
	DeviceSignature       []byte `json:"adv_device_sig"`
	Platform              string `json:"platform,omitempty"`
	BusinessName          string `json:"business,omitempty"`
	PushName              string `json:"push_name,omitempty"`
	LIDMigration          int64  `json:"lid_migration,omitempty"`
	CompanionMetaNonce    string `json:"nonce,omitempty"`
	FacebookUUID          []byte `json:"facebook,omitempty"`
}

func recordOf(d *store.Device) (*deviceRecord, error) {
	if d.ID == nil {
		return nil, errNoDevice
	}
	r := &deviceRecord{
		JID: d.ID.String(), LID: d.LID.String(), Registration: d.RegistrationID,
		NoiseKey: d.NoiseKey.Priv[:], IdentityKey: d.IdentityKey.Priv[:],
		SignedPreKey: d.SignedPreKey.Priv[:], SignedPreKeyID: d.SignedPreKey.KeyID, SignedPreKeySignature: d.SignedPreKey.Signature[:],
		AdvSecretKey: d.AdvSecretKey, Details: d.Account.GetDetails(), AccountSignature: d.Account.GetAccountSignature(),
		AccountSignatureKey: d.Account.GetAccountSignatureKey(), DeviceSignature: d.Account.GetDeviceSignature(),
		Platform: d.Platform, BusinessName: d.BusinessName, PushName: d.PushName,
		LIDMigration: d.LIDMigrationTimestamp, CompanionMetaNonce: d.CompanionMetaNonce,
	}
	if d.FacebookUUID != uuid.Nil {
		r.FacebookUUID = d.FacebookUUID[:]
	}
	return r, nil
}

func (r *deviceRecord) device() (*store.Device, error) {
	jid, err := types.ParseJID(r.JID)
	if err != nil {
		return nil, fmt.Errorf("%w: JID", errCorrupt)
	}
	d := &store.Device{
		ID: &jid, RegistrationID: r.Registration, AdvSecretKey: r.AdvSecretKey,
		Account: &waAdv.ADVSignedDeviceIdentity{
			Details: r.Details, AccountSignature: r.AccountSignature, AccountSignatureKey: r.AccountSignatureKey,
			DeviceSignature: r.DeviceSignature,
		},
		Platform: r.Platform, BusinessName: r.BusinessName, PushName: r.PushName,
		LIDMigrationTimestamp: r.LIDMigration, CompanionMetaNonce: r.CompanionMetaNonce,
	}
	if r.LID != "" {
		if d.LID, err = types.ParseJID(r.LID); err != nil {
			return nil, fmt.Errorf("%w: LID", errCorrupt)
		}
	}
	if len(r.NoiseKey) != 32 || len(r.IdentityKey) != 32 || len(r.SignedPreKey) != 32 || len(r.SignedPreKeySignature) != 64 {
		return nil, fmt.Errorf("%w: length of a key", errCorrupt)
	}
	d.NoiseKey = keys.NewKeyPairFromPrivateKey([32]byte(r.NoiseKey))
	d.IdentityKey = keys.NewKeyPairFromPrivateKey([32]byte(r.IdentityKey))
	signature := [64]byte(r.SignedPreKeySignature)
	d.SignedPreKey = &keys.PreKey{
		KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(r.SignedPreKey)), KeyID: r.SignedPreKeyID, Signature: &signature,
	}
	if len(r.FacebookUUID) == len(d.FacebookUUID) {
		d.FacebookUUID = uuid.UUID(r.FacebookUUID)
	}
	return d, nil
}
