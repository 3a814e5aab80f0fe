package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// Most programs need Dial, the methods of users.*, and Close.
func Example() {
	server := newFakeServer() // in your program: a server's URL is enough
	defer server.close()
	ctx := context.Background()

	c, err := client.Dial(ctx, "ws://127.0.0.1:7600", client.Options{
		Scope:      "Space Race",
		Key:        "the-server-key",
		HTTPClient: server.client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	password := protocol.Credentials{Password: "abcd1234"}
	created, err := c.Create(ctx, protocol.CreateParams{
		Username:    "tiny",
		Credentials: password,
		Email:       "tina@home.com",
		Extra:       protocol.Extra{"color": protocol.String("red"), "level": protocol.Int(3)},
	})
	if err != nil {
		log.Fatal(err)
	}
	login, err := c.Login(ctx, protocol.LoginParams{Username: "tiny", Credentials: password})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(login.Username, login.UserID == created.UserID)

	user, err := c.Get(ctx, login.UserID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Email, user.Extra["color"].Text(), user.Extra["level"].Text())
	// Output:
	// tiny true
	// tina@home.com red 3
}

// Errors carry the status that the server answered with.
func Example_statuses() {
	server := newFakeServer()
	defer server.close()
	ctx := context.Background()
	c, err := client.Dial(ctx, "ws://127.0.0.1:7600", client.Options{Scope: "Space Race", Key: "the-server-key", HTTPClient: server.client()})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, err = c.Login(ctx, protocol.LoginParams{Username: "nobody", Credentials: protocol.Credentials{Password: "abcd1234"}})
	var e *protocol.Error
	if errors.As(err, &e) {
		fmt.Println(e.Status, e.Text(), e.Temporary)
	}
	fmt.Println(errors.Is(err, &protocol.Error{Status: protocol.StatusUserNotFound}))
	// Output:
	// 604 user not found false
	// true
}

// A stored session token logs a returning player in without a password.
func Example_resume() {
	server := newFakeServer()
	defer server.close()
	ctx := context.Background()
	opt := client.Options{Scope: "Space Race", Key: "the-server-key", HTTPClient: server.client()}

	first, err := client.Dial(ctx, "ws://127.0.0.1:7600", opt)
	if err != nil {
		log.Fatal(err)
	}
	password := protocol.Credentials{Password: "abcd1234"}
	if _, err := first.Create(ctx, protocol.CreateParams{Username: "tiny", Credentials: password}); err != nil {
		log.Fatal(err)
	}
	login, err := first.Login(ctx, protocol.LoginParams{Username: "tiny", Credentials: password})
	if err != nil {
		log.Fatal(err)
	}
	first.Close() // the session lives on

	opt.Session = login.Session.Token
	second, err := client.Dial(ctx, "ws://127.0.0.1:7600", opt)
	if err != nil {
		log.Fatal(err)
	}
	defer second.Close()
	switch user, err := second.User(); {
	case errors.Is(err, client.ErrSessionExpired):
		fmt.Println("show the login screen")
	case user != nil:
		fmt.Println("welcome back,", user.Username)
	}
	// Output: welcome back, tiny
}

// Update merges extra data; Null removes a key.
func ExampleClient_Update() {
	server := newFakeServer()
	defer server.close()
	ctx := context.Background()
	c, err := client.Dial(ctx, "ws://127.0.0.1:7600", client.Options{Scope: "Space Race", Key: "the-server-key", HTTPClient: server.client()})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	password := protocol.Credentials{Password: "abcd1234"}
	extra := protocol.Extra{"color": protocol.String("red"), "level": protocol.Int(3)}
	if _, err := c.Create(ctx, protocol.CreateParams{Username: "tiny", Credentials: password, Extra: extra}); err != nil {
		log.Fatal(err)
	}
	login, err := c.Login(ctx, protocol.LoginParams{Username: "tiny", Credentials: password})
	if err != nil {
		log.Fatal(err)
	}

	user, err := c.Update(ctx, protocol.UpdateParams{
		UserRef: protocol.UserRef{UserID: login.UserID},
		Update: protocol.UserUpdate{
			Email: protocol.Set("some@email.com"),
			Extra: protocol.Extra{"color": protocol.Null, "level": protocol.Int(4)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Email, len(user.Extra), user.Extra["level"].Text())
	// Output: some@email.com 1 4
}

// Any message of the contract can be sent by Call; an admin's client is dialled
// with Admin in place of a scope.
func ExampleCall() {
	server := newFakeServer()
	defer server.close()
	ctx := context.Background()
	c, err := client.Dial(ctx, "ws://127.0.0.1:7600", client.Options{
		Admin:      &protocol.AdminLoginParams{Name: "admin", Password: "the-admin-password"},
		HTTPClient: server.client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	scopes, err := client.Call(ctx, c, protocol.AdminScopesList, protocol.None{})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range scopes {
		fmt.Println(s.Name)
	}
	// Output: Space Race
}

// OnState tells what a game may want to show.
func ExampleOptions_onState() {
	server := newFakeServer()
	defer server.close()
	c, err := client.Dial(context.Background(), "ws://127.0.0.1:7600", client.Options{
		Scope:      "Space Race",
		Key:        "the-server-key",
		HTTPClient: server.client(),
		OnState: func(s client.State) {
			switch {
			case errors.Is(s.Err, client.ErrSessionExpired):
				fmt.Println("log in again")
			case s.Phase == client.Waiting:
				fmt.Println("back in", s.RetryIn)
			default:
				fmt.Println(s.Phase)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	// Output:
	// connecting
	// connected
	// closed
}

// An admin follows what happens in all scopes, over losses of the connection.
func ExampleClient_Subscribe() {
	server := newFakeServer()
	defer server.close()
	server.answer = (&fakeFeed{answers: []func(*fakeConn, protocol.Request){
		enrols(protocol.Subscription{Subscription: "s1", Recovered: true}, event("Space Race", 43)),
	}}).answer
	ctx := context.Background()
	c, err := client.Dial(ctx, "ws://127.0.0.1:7600", client.Options{
		Admin:      &protocol.AdminLoginParams{Name: "admin", Password: "the-admin-password"},
		HTTPClient: server.client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	logins := make(chan protocol.Push)
	sub, err := c.Subscribe(ctx, client.SubscribeOptions{
		Scope:   protocol.AllScopes,
		Events:  []string{protocol.EventUserLogin},
		OnEvent: func(p protocol.Push) { logins <- p },
		OnResume: func(r client.Resumed) {
			if !r.Recovered {
				log.Printf("away for %v, and events of %q are lost", r.Away, r.Lost)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()

	login := <-logins
	var user protocol.EventData
	if err := protocol.DecodeResult(login.Data, &user); err != nil {
		log.Fatal(err)
	}
	fmt.Println(login.Scope, login.Seq, user.Username)
	// Output: Space Race 43 tiny
}
