// Code generated from the protocol's tables by go generate ./server/dashboard/...; DO NOT EDIT.

/** The methods that a scope decides about: what a permission may be, who may by the contract's rule (self), and what the method does. */
export const SCOPE_METHODS = [
  {
    "type": "users.accessTokenExpired",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Tells whether a provider's access token has expired, by the server's clock."
  },
  {
    "type": "users.addAuthProvider",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Binds a provider identity to a user, once its proof holds."
  },
  {
    "type": "users.create",
    "choices": [
      "self",
      "off"
    ],
    "self": "any client with the key",
    "doc": "Creates a user. With confirmation the user is inactive until the address is confirmed. An idempotency_key holds for 24 hours per scope: the same key with the same data and password gives the same answer, with other data 600."
  },
  {
    "type": "users.delete",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Deletes a user and answers with the number of records removed, 1 or 0. The user's names are free again and the sessions end."
  },
  {
    "type": "users.get",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Reads a user. Marks no login."
  },
  {
    "type": "users.getAuthProvider",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Reads one provider identity of a user. Only its owner sees the access token."
  },
  {
    "type": "users.login",
    "choices": [
      "self",
      "off"
    ],
    "self": "any client with the key",
    "doc": "Logs a user in on this connection, in place of whoever was, and marks a login event. An inactive user can log in; no event is stored then."
  },
  {
    "type": "users.logout",
    "choices": [
      "self",
      "off"
    ],
    "self": "a logged-in client",
    "doc": "Ends this connection's session, or with all every session of the user. The connection stays, anonymous."
  },
  {
    "type": "users.presence",
    "choices": [
      "self",
      "off"
    ],
    "self": "a logged-in client",
    "doc": "Tells which of at most 100 users of the scope are online."
  },
  {
    "type": "users.removeAuthProvider",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Removes a provider identity from a user."
  },
  {
    "type": "users.resendConfirmation",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Sends the confirmation mail of a pending user again and answers with the user_id."
  },
  {
    "type": "users.resume",
    "choices": [
      "self",
      "off"
    ],
    "self": "any client with the key",
    "doc": "Continues a session on this connection. The session's older connection is closed with 4501."
  },
  {
    "type": "users.sendPasswordReset",
    "choices": [
      "self",
      "off"
    ],
    "self": "any client with the key",
    "doc": "Mails a link to set a new password. Answers true whether or not the address is known."
  },
  {
    "type": "users.update",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Changes a user and answers with the user as changed. A user may set active to false only. A new password ends the user's other sessions. A scope's option reauth asks for the current password in changes of password and email."
  },
  {
    "type": "users.updateAuthProvider",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Changes a provider identity. A new client_id needs a proof."
  },
  {
    "type": "users.updateTokenExpiry",
    "choices": [
      "self",
      "any",
      "off"
    ],
    "self": "the user it names, logged in or created on this connection",
    "doc": "Sets when a provider's access token expires, in UNIX seconds, and optionally the token."
  }
];

/** The feed's events. */
export const FEED_EVENTS = [
  {
    "name": "user.created",
    "doc": "A user was created, by a client or by an admin. method says how the user will log in."
  },
  {
    "name": "user.login",
    "doc": "A user logged in. method is password or the provider's name."
  },
  {
    "name": "user.login_failed",
    "doc": "A login was refused. Where no such user exists the event names nobody. More than 5 a minute for one account or address are counted and not stored."
  },
  {
    "name": "user.resumed",
    "doc": "A session was continued on another connection."
  },
  {
    "name": "user.updated",
    "doc": "A user was changed; fields says what, and never to which value."
  },
  {
    "name": "user.confirmed",
    "doc": "A user confirmed the email address, or an admin vouched for it."
  },
  {
    "name": "user.deleted",
    "doc": "A user was deleted. From then on earlier events of the user are told with the user_id alone."
  },
  {
    "name": "user.banned",
    "doc": "A user was banned, for good or until a moment."
  },
  {
    "name": "user.unbanned",
    "doc": "A ban was lifted."
  },
  {
    "name": "user.online",
    "doc": "A user's first connection."
  },
  {
    "name": "user.offline",
    "doc": "A user's last connection is gone, after a grace of 5 s where it may come back."
  },
  {
    "name": "admin.action",
    "doc": "An admin changed something. action is the type of the message. What concerns no scope stands in the feed of scope \"*\", for admins of all scopes."
  }
];

/** The messages by which an admin changes something, which admin.action names. */
export const ADMIN_ACTIONS = [
  "admin.admins.create",
  "admin.admins.delete",
  "admin.admins.setPassword",
  "admin.scopes.create",
  "admin.scopes.delete",
  "admin.scopes.update",
  "admin.sessions.kick",
  "admin.users.ban",
  "admin.users.confirmLink",
  "admin.users.create",
  "admin.users.delete",
  "admin.users.import",
  "admin.users.resendConfirmation",
  "admin.users.resetLink",
  "admin.users.sendPasswordReset",
  "admin.users.unban",
  "admin.users.update"
];
