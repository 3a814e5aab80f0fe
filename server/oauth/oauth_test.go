package oauth

import (
	"testing"

	"rollcall/protocol"
)

func TestAProviderThatIsNotConfiguredIsNotUsable(t *testing.T) {
	clock := newClock()
	key := es256(t, "k")
	issuer := newIssuer(t, key)
	token := key.token(t, issuer.claims(clock.Now(), nil))
	proof := Proof{ClientID: player, IDToken: token, AccessToken: "an access token"}
	tests := []struct {
		name, provider string
		cfg            protocol.ProviderConfig
		text           string
	}{
		{"nothing", "corp", protocol.ProviderConfig{}, "client_ids"},
		{"no issuer", "corp", protocol.ProviderConfig{ClientIDs: []string{app}}, "issuer"},
		{"no audiences", "corp", protocol.ProviderConfig{Issuer: issuer.url}, "client_ids"},
		{"empty audience", "corp", protocol.ProviderConfig{Issuer: issuer.url, ClientIDs: []string{""}}, "client_ids"},
		{"issuer by plain HTTP", "corp", protocol.ProviderConfig{Issuer: "http://login.example", ClientIDs: []string{app}}, "https"},
		{"issuer at a private address", "corp", protocol.ProviderConfig{Issuer: "https://10.0.0.1", ClientIDs: []string{app}}, "public"},
		{"Google without audiences", Google, protocol.ProviderConfig{}, "client_ids"},
		{"Facebook without an app", Facebook, protocol.ProviderConfig{AppSecret: "s"}, "client_ids"},
		{"Facebook without a secret", Facebook, protocol.ProviderConfig{ClientIDs: []string{"1"}}, "app_secret"},
		{"no name", "", protocol.ProviderConfig{Mode: protocol.ProviderTrust}, "name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, clock, nil)
			wantStatus(t, v.Verify(t.Context(), "Space Race", tt.provider, tt.cfg, proof), protocol.StatusProviderNotFound, tt.text)
			wantStatus(t, v.Check(tt.provider, tt.cfg), protocol.StatusProviderNotFound, tt.text)
		})
	}
	if discoveries, _ := issuer.counts(); discoveries != 0 {
		t.Errorf("%d discoveries for providers that are not usable", discoveries)
	}
}

func TestWhatAProofNeedsIsAskedFor(t *testing.T) {
	clock := newClock()
	v := newVerifier(t, clock, nil)
	corp := protocol.ProviderConfig{Issuer: "https://login.example", ClientIDs: []string{app}}
	facebook := protocol.ProviderConfig{ClientIDs: []string{"1"}, AppSecret: "s"}
	tests := []struct {
		name, provider string
		cfg            protocol.ProviderConfig
		proof          Proof
		status         protocol.Status
		text           string
	}{
		{"OpenID Connect without an id_token", "corp", corp, Proof{ClientID: player, AccessToken: "x"}, protocol.StatusMissing, "id_token"},
		{"OpenID Connect without a client_id", "corp", corp, Proof{IDToken: "x"}, protocol.StatusMissing, "client_id"},
		{"Facebook without an access token", Facebook, facebook, Proof{ClientID: player, IDToken: "x"}, protocol.StatusMissing, "access_token"},
		{"trust believes the client_id", "corp", protocol.ProviderConfig{Mode: protocol.ProviderTrust}, Proof{ClientID: player}, 0, ""},
		{"trust needs a client_id", "corp", protocol.ProviderConfig{Mode: protocol.ProviderTrust}, Proof{IDToken: "x"}, protocol.StatusMissing, "client_id"},
		{"an unknown mode is no trust", "corp", protocol.ProviderConfig{Mode: "Trust", Issuer: corp.Issuer, ClientIDs: corp.ClientIDs}, Proof{ClientID: player}, protocol.StatusMissing, "id_token"},
		{"openudid of 16 characters", OpenUDID, protocol.ProviderConfig{}, Proof{ClientID: "0123456789abcdef"}, 0, ""},
		{"openudid of 15 characters", OpenUDID, protocol.ProviderConfig{}, Proof{ClientID: "0123456789abcde"}, protocol.StatusOutOfBounds, "16"},
		{"openudid of 15 characters in 30 bytes", OpenUDID, protocol.ProviderConfig{}, Proof{ClientID: "äääääääääääääää"}, protocol.StatusOutOfBounds, "16"},
		{"openudid is a secret in trust too", OpenUDID, protocol.ProviderConfig{Mode: protocol.ProviderTrust}, Proof{ClientID: "short"}, protocol.StatusOutOfBounds, "16"},
		{"openudid without a client_id", OpenUDID, protocol.ProviderConfig{}, Proof{}, protocol.StatusMissing, "client_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantStatus(t, v.Verify(t.Context(), "Space Race", tt.provider, tt.cfg, tt.proof), tt.status, tt.text)
		})
	}
}

func TestAnOpenudidIsFoundByAFormThatDoesNotShowIt(t *testing.T) {
	const secret = "f2ca1bb6c7e907d06dafe4687e579fce"
	form := Identity(OpenUDID, secret)
	if len(form) != 43 || form == secret || form != Identity(OpenUDID, secret) {
		t.Errorf("got %q, want 43 characters, the same each time", form)
	}
	// Fixed: what is stored must be found by later versions too.
	if want := "Pf8y_M-aO_xwgFVn-jdHGF4VtKJLwlNFieZpDTo-228"; form != want {
		t.Errorf("got %q, want %q", form, want)
	}
	if Identity(OpenUDID, secret+"x") == form || Identity(OpenUDID, form) == form {
		t.Error("two identities share a form")
	}
	if got := Identity(Google, player); got != player {
		t.Errorf("got %q, want the client_id itself", got)
	}
}
