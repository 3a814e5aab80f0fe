package protocol

import (
	"time"

	"github.com/google/uuid"
)

// The values that the tables' samples are made of. They appear in asyncapi.yaml.

var (
	sampleTime   = Time{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	sampleExpiry = Time{time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
	sampleID     = uuid.MustParse("289bc36e-0df7-44df-99b1-a6543c6f45eb")
	sampleRef    = UserRef{UserID: sampleID}

	sampleCredentials = Credentials{PasswordHash: PasswordHash("Space Race", "abcd1234")}
	sampleExtra       = Extra{"color": String("red"), "level": Int(3)}

	sampleLogin = Login{
		Active: true, Email: "tina@home.com", Group: "blue", Extra: sampleExtra,
		Scope: "Space Race", UserID: sampleID, Username: "tiny", Validated: true,
		Session: Session{Token: "the-session-token", ExpiresAt: sampleExpiry},
	}
	sampleUser = User{
		Active: true, Email: "tina@home.com", Group: "blue", Extra: sampleExtra,
		Scope: "Space Race", UserID: sampleID, Username: "tiny", Validated: true,
		CreatedAt: sampleTime, UpdatedAt: sampleTime, LastLoginAt: sampleTime, Logins: 1,
		Providers: []string{}, Online: true,
	}
	sampleProvider = ProviderObject{Provider: "google", ClientID: "110169484474386276334", AccessTokenExpiry: 1793534400}
)
