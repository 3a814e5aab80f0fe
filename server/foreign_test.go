package server_test

import (
	"testing"

	"golang.org/x/crypto/bcrypt"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
	"rollcall/store/storetest"
)

func TestAnImportedHashIsReplacedAtTheFirstLoginWithThePassword(t *testing.T) {
	url := storetest.Redis(t).URL()
	n := startOn(t, url)
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hash, err := bcrypt.GenerateFromPassword([]byte(thePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	record, err := passwords.NewForeign("bcrypt", string(hash))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateUser(t.Context(), store.NewUser{Scope: theScope, Username: "tiny", Active: true, Password: record}); err != nil {
		t.Fatal(err)
	}
	c := n.client()
	hashed := obj{"username": "tiny", "password_hash": protocol.PasswordHash(theScope, thePassword)}
	want(t, c.Call("users.login", hashed), 610)
	want(t, c.Call("users.login", obj{"username": "tiny", "password": "wrong"}), 603)
	want(t, c.Call("users.login", hashed), 610)
	ok(t, c.Call("users.login", obj{"username": "tiny", "password": thePassword}))
	ok(t, c.Call("users.login", hashed)) // from then on the password stays on the device
}
