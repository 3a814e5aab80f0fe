package protocol

import "github.com/google/uuid"

// The users.* table.
var (
	UsersCreate = define(Message{
		Type: "users.create", Access: AccessKey, Order: OrderNone,
		Doc: "Creates a user. With confirmation the user is inactive until the address is confirmed. " +
			"An idempotency_key holds for 24 hours per scope: the same key with the same data and password gives the same answer, with other data 600.",
		Statuses: []Status{StatusUserExists, StatusUserNotCreated, StatusProviderExists, StatusProviderNotFound, StatusProofRejected, StatusEmailInvalid, StatusBusy},
	}, CreateParams{Username: "tiny", Credentials: sampleCredentials, Email: "tina@home.com", Extra: sampleExtra},
		CreateResult{UserID: sampleID})

	UsersLogin = define(Message{
		Type: "users.login", Access: AccessKey, Order: OrderBarrier,
		Doc:      "Logs a user in on this connection, in place of whoever was, and marks a login event. An inactive user can log in; no event is stored then.",
		Statuses: []Status{StatusPasswordInvalid, StatusUserNotFound, StatusServerLoginRequired, StatusUserBanned, StatusPasswordNeeded, StatusProviderNotFound, StatusProofRejected, StatusBusy},
	}, LoginParams{Username: "tiny", Credentials: sampleCredentials}, sampleLogin)

	UsersResume = define(Message{
		Type: "users.resume", Access: AccessKey, Order: OrderBarrier,
		Doc:      "Continues a session on this connection. The session's older connection is closed with 4501.",
		Statuses: []Status{StatusSessionInvalid, StatusUserBanned},
	}, ResumeParams{Session: "the-session-token"}, sampleLogin)

	UsersLogout = define(Message{
		Type: "users.logout", Access: AccessUser, Order: OrderBarrier,
		Doc: "Ends this connection's session, or with all every session of the user. The connection stays, anonymous.",
	}, LogoutParams{}, true)

	UsersGet = define(Message{
		Type: "users.get", Access: AccessSubject, Order: OrderRead,
		Doc:      "Reads a user. Marks no login.",
		Statuses: []Status{StatusUserNotFound},
	}, sampleRef, sampleUser)

	UsersUpdate = define(Message{
		Type: "users.update", Access: AccessSubject, Order: OrderWrite,
		Doc: "Changes a user and answers with the user as changed. A user may set active to false only. " +
			"A new password ends the user's other sessions. A scope's option reauth asks for the current password in changes of password and email.",
		Statuses: []Status{StatusUserNotFound, StatusUserExists, StatusPasswordInvalid, StatusEmailInvalid, StatusBusy},
	}, UpdateParams{UserRef: sampleRef, Update: UserUpdate{Email: Set("some@email.com"), Extra: Extra{"color": Null}}}, sampleUser)

	UsersDelete = define(Message{
		Type: "users.delete", Access: AccessSubject, Order: OrderWrite,
		Doc: "Deletes a user and answers with the number of records removed, 1 or 0. The user's names are free again and the sessions end.",
	}, sampleRef, 1)

	UsersResendConfirmation = define(Message{
		Type: "users.resendConfirmation", Access: AccessSubject, Order: OrderWrite,
		Doc:      "Sends the confirmation mail of a pending user again and answers with the user_id.",
		Statuses: []Status{StatusUserNotFound, StatusPendingNotFound, StatusEmailNotSent, StatusEmailNotConfigured, StatusEmailInvalid},
	}, sampleRef, sampleID)

	UsersSendPasswordReset = define(Message{
		Type: "users.sendPasswordReset", Access: AccessKey, Order: OrderNone,
		Doc:      "Mails a link to set a new password. Answers true whether or not the address is known.",
		Statuses: []Status{StatusEmailNotConfigured, StatusEmailInvalid},
	}, PasswordResetParams{Email: "tina@home.com"}, true)

	UsersAddAuthProvider = define(Message{
		Type: "users.addAuthProvider", Access: AccessSubject, Order: OrderWrite,
		Doc:      "Binds a provider identity to a user, once its proof holds.",
		Statuses: []Status{StatusUserNotFound, StatusProviderExists, StatusProviderNotFound, StatusProofRejected},
	}, AddAuthProviderParams{UserRef: sampleRef, Provider: "google", Auth: ProviderAuth{ClientID: "110169484474386276334", IDToken: "the-id-token"}}, sampleProvider)

	UsersGetAuthProvider = define(Message{
		Type: "users.getAuthProvider", Access: AccessSubject, Order: OrderRead,
		Doc:      "Reads one provider identity of a user. Only its owner sees the access token.",
		Statuses: []Status{StatusUserNotFound, StatusProviderNotFound},
	}, ProviderRef{sampleRef, "google"}, sampleProvider)

	UsersUpdateAuthProvider = define(Message{
		Type: "users.updateAuthProvider", Access: AccessSubject, Order: OrderWrite,
		Doc:      "Changes a provider identity. A new client_id needs a proof.",
		Statuses: []Status{StatusUserNotFound, StatusProviderExists, StatusProviderNotFound, StatusProofRejected},
	}, UpdateAuthProviderParams{UserRef: sampleRef, Provider: "google", Update: ProviderAuth{AccessToken: "the-access-token", AccessTokenExpiry: 1793534400}}, sampleProvider)

	UsersRemoveAuthProvider = define(Message{
		Type: "users.removeAuthProvider", Access: AccessSubject, Order: OrderWrite,
		Doc:      "Removes a provider identity from a user.",
		Statuses: []Status{StatusUserNotFound, StatusProviderNotFound},
	}, ProviderRef{sampleRef, "google"}, sampleRef)

	UsersAccessTokenExpired = define(Message{
		Type: "users.accessTokenExpired", Access: AccessSubject, Order: OrderRead,
		Doc:      "Tells whether a provider's access token has expired, by the server's clock.",
		Statuses: []Status{StatusUserNotFound, StatusProviderNotFound},
	}, ProviderRef{sampleRef, "google"}, TokenExpired{})

	UsersUpdateTokenExpiry = define(Message{
		Type: "users.updateTokenExpiry", Access: AccessSubject, Order: OrderWrite,
		Doc:      "Sets when a provider's access token expires, in UNIX seconds, and optionally the token.",
		Statuses: []Status{StatusUserNotFound, StatusProviderNotFound},
	}, UpdateTokenExpiryParams{UserRef: sampleRef, Provider: "google", Expiry: 1793534400}, sampleProvider)

	UsersPresence = define(Message{
		Type: "users.presence", Access: AccessUser, Order: OrderNone,
		Doc: "Tells which of at most 100 users of the scope are online.",
	}, PresenceParams{UserIDs: []uuid.UUID{sampleID}}, map[string]string{sampleID.String(): Online})
)
