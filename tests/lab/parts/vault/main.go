// A HashiCorp Vault for tests, in memory: its core, its HTTP API, the KV engine, and the logins by AppRole and JWT; nothing else of Vault.
//
//	lab-vault -certificate FILE (PEM, with its key)
//
// It is initialised and unsealed when its first line comes: {"url": "https://127.0.0.1:...", "token": of root, "unseal_key": base64}.
// It ends when its standard input does.
package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var logins = map[string]logical.Factory{"approle": approle.Factory, "jwt": jwt.Factory}

// registry tells the core which plugins are built in.
type registry struct{}

func (registry) Contains(name string, kind consts.PluginType) bool {
	_, found := logins[name]
	return kind == consts.PluginTypeCredential && found || kind == consts.PluginTypeSecrets && name == "kv"
}

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory := kv.Factory
	if kind == consts.PluginTypeCredential {
		factory = logins[name]
	}
	return func() (any, error) { return factory, nil }, r.Contains(name, kind)
}

func (registry) Keys(kind consts.PluginType) []string {
	switch kind {
	case consts.PluginTypeCredential:
		return []string{"approle", "jwt"}
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	}
	return nil
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	certificate := flag.String("certificate", "", "PEM file with the certificate and its key")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
	exitOn(err)

	logger := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	storage, err := inmem.NewInmem(nil, logger)
	exitOn(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		Logger:             logger,
		DisableMlock:       true,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: logins,
		BuiltinRegistry:    registry{},
	})
	exitOn(err)
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one})
	exitOn(err)
	_, err = core.Unseal(append([]byte(nil), made.SecretShares[0]...))
	exitOn(err)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	exitOn(err)
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}})
	go func() {
		exitOn(http.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}}), handler))
	}()
	exitOn(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"url":        "https://" + listener.Addr().String(),
		"token":      made.RootToken,
		"unseal_key": base64.StdEncoding.EncodeToString(made.SecretShares[0]),
	}))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab-vault:", err)
		os.Exit(1)
	}
}
