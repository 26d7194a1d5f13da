// Answerer stands in for kube-controller-manager and kube-scheduler in a measurement of many tenants: it answers their
// probes and does nothing else, so that a machine's cores are left to the API servers and to the operator.
//
// It knows which of the two it is by the name it was started with, ignores all other arguments and serves with a
// certificate that it makes for itself: the kubelet does not verify one.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log"
	"math/big"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

var addresses = map[string]string{
	"kube-controller-manager": ":10257",
	"kube-scheduler":          ":10259",
}

func main() {
	address, known := addresses[filepath.Base(os.Args[0])]
	if !known {
		log.Fatalf("started as %s: start it as kube-controller-manager or kube-scheduler", os.Args[0])
	}
	certificate, err := ownCertificate()
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              address,
		Handler:           http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { answer.Write([]byte("ok")) }),
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ErrorLog:          log.New(os.Stderr, "", 0),
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ended.Done()
		server.Close()
	}()
	if err := server.ListenAndServeTLS("", ""); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

func ownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key}, err
}
