package protocol

var (
	sampleHeads    = map[string]FeedPosition{"Space Race": {Seq: 42, Epoch: "k3v9", EventID: "b1a7"}}
	sampleScope    = Scope{Name: "Space Race", CreatedAt: sampleTime, Permissions: map[string]string{"users.get": PermitAny}, Providers: map[string]ProviderConfig{}, Sessions: SessionsMany}
	sampleSession  = SessionObject{SessionID: "q83v…", UserID: sampleID, CreatedAt: sampleTime, ExpiresAt: sampleExpiry, Node: "n1", ConnectedAt: sampleTime, IP: "203.0.113.7"}
	sampleAdmin    = Admin{Name: "ops", Role: RoleOperator, CreatedAt: sampleTime}
	sampleSubjects = []string{"user.login", "user.login_failed"}
)

// The admin.* table.
var (
	AdminLogin = define(Message{
		Type: "admin.login", Access: AccessFirst, Order: OrderBarrier,
		Doc:      "Opens an admin's connection, in place of core.init.",
		Statuses: []Status{StatusPasswordInvalid, StatusSessionInvalid, StatusTooManyRequests, StatusBusy, StatusOutOfOrder},
	}, AdminLoginParams{Name: "admin", Password: "the-admin-password"},
		AdminSession{Name: "admin", Role: RoleOwner, Token: "the-admin-token", ExpiresAt: sampleExpiry})

	AdminLogout = define(Message{
		Type: "admin.logout", Access: AccessViewer, Order: OrderBarrier,
		Doc: "Ends the token by which this connection was opened, on every node. All connections that it opened are closed (4506), " +
			"this one once it was answered; the account's other tokens live on.",
	}, None{}, true)

	AdminSubscribe = define(Message{
		Type: "admin.subscribe", Access: AccessViewer, Order: OrderWrite,
		Doc: "Subscribes to the feed of a scope, or of all. With since, every event after those positions follows, once each and in order; " +
			"where the history no longer reaches back, recovered is false and lost names the scopes. With last, that many of the newest events come first. " +
			"A subscriber that does not read is dropped (4002) and comes back with since.",
		Statuses: []Status{StatusScopeNotFound},
	}, SubscribeParams{Scope: "Space Race", Events: sampleSubjects}, Subscription{Subscription: "s1", Recovered: true, Heads: sampleHeads})

	AdminUnsubscribe = define(Message{
		Type: "admin.unsubscribe", Access: AccessViewer, Order: OrderWrite,
		Doc: "Ends a subscription.",
	}, UnsubscribeParams{Subscription: "s1"}, true)

	AdminStats = define(Message{
		Type: "admin.stats", Access: AccessViewer,
		Doc:      "Statistics of a scope, or of all.",
		Statuses: []Status{StatusScopeNotFound},
	}, StatsParams{Scope: "Space Race"}, Stats{Online: 12, Users: 340, DAU: 120, WAU: 200, MAU: 300, Steps: []StatStep{{Time: sampleTime, Logins: 3, OnlinePeak: 12}}})

	AdminNodes = define(Message{
		Type: "admin.nodes", Access: AccessViewer,
		Doc: "The server processes that share this store.",
	}, None{}, []NodeObject{{Node: "n1", Version: "0.1.0", StartedAt: sampleTime, Connections: 12, Sessions: 10}})

	AdminServer = define(Message{
		Type: "admin.server", Access: AccessOperator,
		Doc:      "The server process that this connection leads to: its settings, secrets masked, with where each came from, and warnings about what is unsafe. For accounts of all scopes (606).",
		Statuses: []Status{StatusNotPermitted},
	}, None{}, ServerInfo{Node: "n1", Version: "0.1.0", Go: "go1.26.0", Store: StoreEmbedded,
		Settings: []Setting{{Name: "listen", Value: `":7600"`, Source: "flag"}, {Name: "redis", Value: `""`, Source: "default", Note: "the embedded store"}},
		Warnings: []Warning{{Code: "embedded_store", Text: "The embedded store is for trying Rollcall out."}}})

	AdminUsersList = define(Message{
		Type: "admin.users.list", Access: AccessViewer,
		Doc:      "One page of a scope's users, by username (compared as usernames are) or by time of creation. A page may be short of the limit where the filter is sparse.",
		Statuses: []Status{StatusScopeNotFound},
	}, ListUsersParams{Scope: "Space Race", Filter: UserFilter{Username: "ti"}, Limit: 50}, UserList{Users: []User{sampleUser}, Cursor: "dGlueQ"})

	AdminUsersGet = define(Message{
		Type: "admin.users.get", Access: AccessViewer, Order: OrderRead,
		Doc:      "A user with sessions, providers and the last 50 events.",
		Statuses: []Status{StatusUserNotFound},
	}, sampleRef, UserDetail{User: sampleUser, Sessions: []SessionObject{sampleSession}, ProviderObjects: []ProviderObject{}, Events: []Push{}})

	AdminUsersCreate = define(Message{
		Type: "admin.users.create", Access: AccessOperator, Changes: true,
		Doc:      "Creates a user. Without a username one is generated.",
		Statuses: []Status{StatusUserExists, StatusScopeNotFound, StatusEmailInvalid, StatusBusy},
	}, AdminCreateUserParams{Scope: "Space Race", Username: "tiny", Credentials: sampleCredentials}, CreateResult{UserID: sampleID})

	AdminUsersUpdate = define(Message{
		Type: "admin.users.update", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc:      "Changes a user, as users.update does, and may set active to true.",
		Statuses: []Status{StatusUserNotFound, StatusUserExists, StatusEmailInvalid, StatusBusy},
	}, AdminUpdateUserParams{UserRef: sampleRef, Update: UserUpdate{Group: Set("blue")}}, sampleUser)

	AdminUsersDelete = define(Message{
		Type: "admin.users.delete", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc: "Deletes a user; the number of records removed, 1 or 0.",
	}, sampleRef, 1)

	AdminUsersResendConfirmation = define(Message{
		Type: "admin.users.resendConfirmation", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc:      "Sends a pending user's confirmation mail again.",
		Statuses: []Status{StatusUserNotFound, StatusPendingNotFound, StatusEmailNotSent, StatusEmailNotConfigured},
	}, sampleRef, sampleID)

	AdminUsersSendPasswordReset = define(Message{
		Type: "admin.users.sendPasswordReset", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc:      "Mails a user a link to set a new password.",
		Statuses: []Status{StatusUserNotFound, StatusEmailNotSent, StatusEmailNotConfigured, StatusEmailInvalid},
	}, sampleRef, true)

	AdminUsersConfirmLink = define(Message{
		Type: "admin.users.confirmLink", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Makes a confirmation link for a pending user, to be handed over by other means than mail. Good for 48 hours and one use.",
		Statuses: []Status{StatusUserNotFound, StatusPendingNotFound, StatusEmailNotConfigured},
	}, sampleRef, Link{Link: "https://example.com/confirm?code=the-code", ExpiresAt: sampleExpiry})

	AdminUsersResetLink = define(Message{
		Type: "admin.users.resetLink", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Makes a link by which a user sets a new password, to be handed over by other means than mail. Good for one hour and one use.",
		Statuses: []Status{StatusUserNotFound, StatusEmailNotConfigured},
	}, sampleRef, Link{Link: "https://example.com/reset?code=the-code", ExpiresAt: sampleExpiry})

	AdminUsersBan = define(Message{
		Type: "admin.users.ban", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc:      "Bans a user, who then can't log in (608), and ends the sessions on every node.",
		Statuses: []Status{StatusUserNotFound},
	}, BanParams{UserRef: sampleRef, Reason: "aimbot"}, sampleUser)

	AdminUsersUnban = define(Message{
		Type: "admin.users.unban", Access: AccessOperator, Order: OrderWrite, Changes: true,
		Doc:      "Lifts a ban.",
		Statuses: []Status{StatusUserNotFound},
	}, sampleRef, sampleUser)

	AdminUsersExport = define(Message{
		Type: "admin.users.export", Access: AccessOwner, Order: OrderRead,
		Doc:      "Everything that is stored about a user, less secrets.",
		Statuses: []Status{StatusUserNotFound},
	}, sampleRef, Export{User: sampleUser, Sessions: []SessionObject{}, Providers: []ProviderObject{}, Events: []Push{}})

	AdminUsersImport = define(Message{
		Type: "admin.users.import", Access: AccessOwner, Changes: true,
		Doc: "Brings users in with hashes made elsewhere; a result each, in order: user_id, or error and status, so that a bad one does not stop the others. " +
			"A login by a hash of the kind argon2id or bcrypt asks for the password once (610).",
		Statuses: []Status{StatusScopeNotFound},
	}, ImportParams{Scope: "Space Race", Users: []ImportUser{{Username: "tiny", Kind: "unknown"}}}, []ImportResult{{UserID: sampleID}})

	AdminSessionsList = define(Message{
		Type: "admin.sessions.list", Access: AccessViewer,
		Doc:      "The connected sessions of a scope, 1,000 at most, or all sessions of one user.",
		Statuses: []Status{StatusScopeNotFound, StatusUserNotFound},
	}, SessionsParams{Scope: "Space Race"}, []SessionObject{sampleSession})

	AdminSessionsKick = define(Message{
		Type: "admin.sessions.kick", Access: AccessOperator, Changes: true,
		Doc:      "Ends a user's sessions, or one; the number ended.",
		Statuses: []Status{StatusUserNotFound},
	}, KickParams{UserID: sampleID}, 1)

	AdminScopesList = define(Message{
		Type: "admin.scopes.list", Access: AccessViewer,
		Doc: "The scopes that this admin may see.",
	}, None{}, []Scope{sampleScope})

	AdminScopesCreate = define(Message{
		Type: "admin.scopes.create", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Creates a scope. Its name never changes.",
		Statuses: []Status{StatusScopeExists},
	}, ScopeParams{Name: "Space Race"}, sampleScope)

	AdminScopesUpdate = define(Message{
		Type: "admin.scopes.update", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Changes a scope; what is absent stays.",
		Statuses: []Status{StatusScopeNotFound},
	}, ScopeParams{Name: "Space Race", Permissions: map[string]string{"users.get": PermitAny}}, sampleScope)

	AdminScopesDelete = define(Message{
		Type: "admin.scopes.delete", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Deletes a scope that has no users; 606 while it has some.",
		Statuses: []Status{StatusScopeNotFound},
	}, ScopeRef{Name: "Space Race"}, true)

	AdminScopesDeliveries = define(Message{
		Type: "admin.scopes.deliveries", Access: AccessViewer,
		Doc:      "How far a scope's webhook has come, and its last attempts.",
		Statuses: []Status{StatusScopeNotFound},
	}, ScopeRef{Name: "Space Race"}, WebhookState{
		Position: FeedPosition{Seq: 42, Epoch: "k3v9", EventID: "b1a7"}, Failures: 1, RetryAt: sampleExpiry,
		Deliveries: []WebhookAttempt{{Time: sampleTime, HTTPStatus: 503, Events: 2, DurationMS: 31}},
	})

	AdminAdminsList = define(Message{
		Type: "admin.admins.list", Access: AccessOwner,
		Doc: "The admin accounts that this owner may see: all, or for an account of some scopes those that are for none but these.",
	}, None{}, []Admin{sampleAdmin})

	AdminAdminsCreate = define(Message{
		Type: "admin.admins.create", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Creates an admin account, for all scopes when it names none. An owner whose own account is for some scopes can make it for these only (606).",
		Statuses: []Status{StatusUserExists, StatusSessionInvalid, StatusBusy},
	}, AdminParams{Name: "ops", Role: RoleOperator, Password: "the-admin-password"}, sampleAdmin)

	AdminAdminsDelete = define(Message{
		Type: "admin.admins.delete", Access: AccessOwner, Order: OrderWrite, Changes: true,
		Doc:      "Deletes an admin account; its tokens end, and its connections on every node (4506). The last owner of all scopes stays (606).",
		Statuses: []Status{StatusUserNotFound, StatusNotPermitted, StatusSessionInvalid, StatusBusy},
	}, AdminRef{Name: "ops"}, true)

	AdminAdminsSetPassword = define(Message{
		Type: "admin.admins.setPassword", Access: AccessViewer, Order: OrderWrite, Changes: true,
		Doc: "Sets an admin's password: an owner's right for accounts that he may see, and everybody's for his own. " +
			"The account's other tokens end, and its connections on every node (4506) but this one.",
		Statuses: []Status{StatusUserNotFound, StatusNotPermitted, StatusSessionInvalid, StatusBusy},
	}, AdminPasswordParams{Name: "ops", Password: "the-admin-password"}, sampleAdmin)
)
