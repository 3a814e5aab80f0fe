package storetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A CA signs certificates of a test. No system trusts it.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
	file string
}

// NewCA makes an authority, good for a day, as long as the test lasts.
func NewCA(t testing.TB) *CA {
	t.Helper()
	cert := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "authority of a test"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	ca := &CA{cert: cert}
	ca.file, _, ca.key = ca.sign(t, cert)
	return ca
}

// File is the authority's certificate, in PEM.
func (ca *CA) File() string { return ca.file }

// Pool trusts this authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue makes a certificate for a server of these names or addresses, and
// returns the files, in PEM, of the certificate and of its key.
func (ca *CA) Issue(t testing.TB, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	cert := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "server of a test"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, host)
		}
	}
	certFile, keyFile, _ = ca.sign(t, cert)
	return certFile, keyFile
}

// sign makes a key and signs cert for it, with the authority's own key or, for
// the authority itself, with the new one. *cert becomes what was signed.
func (ca *CA) sign(t testing.TB, cert *x509.Certificate) (certFile, keyFile string, key crypto.Signer) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("storetest: make a certificate: %v", err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	issuer := ca.key
	if issuer == nil {
		issuer = key
	}
	cert.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	cert.NotBefore = time.Now().Add(-time.Hour) // a clock may be set back
	cert.NotAfter = time.Now().Add(24 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, ca.cert, key.Public(), issuer)
	must(err)
	signed, err := x509.ParseCertificate(der)
	must(err)
	*cert = *signed
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)

	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certFile, keyFile, key
}

// RedisTLS starts a server for this test that speaks TLS and nothing else. Its
// certificate is signed by ca and names host, which need not be where it
// listens; clients show none. args are as for [Redis].
func RedisTLS(t testing.TB, ca *CA, host string, args ...string) *Server {
	t.Helper()
	s := newServer(t, t.TempDir(), args...)
	s.useTLS(t, ca, host)
	t.Cleanup(func() {
		s.Kill()
		s.showLog()
	})
	s.Start()
	return s
}

// useTLS makes a server that has not been started speak TLS only.
func (s *Server) useTLS(t testing.TB, ca *CA, host string) {
	t.Helper()
	s.options["tls-cert-file"], s.options["tls-key-file"] = ca.Issue(t, host)
	s.options["tls-ca-cert-file"] = ca.File()
	s.options["tls-auth-clients"] = "no"
	s.secure = &tls.Config{RootCAs: ca.Pool(), ServerName: host}
	s.choosePorts()
}
