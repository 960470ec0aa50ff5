package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Settings is what the back end needs after every variable was judged.
type Settings struct {
	Client         string
	Listen         string
	Postgres       Database
	ClickHouse     Database
	rsaKey         *rsa.PrivateKey
	seed           []byte
	logFile        string // empty: standard output alone
	staticFolder   string
	tokenTTL       time.Duration
	passcodeExpiry time.Duration
}

// Database is one DSN and how often to try it.
type Database struct {
	DSN      string
	Interval time.Duration
	Attempts int
}

const (
	clientPattern = `^C[1-9][0-9]{0,8}$`
	seedBytes     = 64
	leastKeyBits  = 2048
)

var unresolved = regexp.MustCompile(`\$\([A-Za-z_][A-Za-z0-9_.-]*\)`)

// reader takes variables one by one and remembers the first fault.
type reader struct {
	env   func(string) (string, bool)
	fault error
}

func (r *reader) fail(name, format string, args ...any) {
	if r.fault == nil {
		r.fault = fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
	}
}

// text takes a variable that must be set and not empty; a reference that the kubelet left as it is is a fault of its own.
func (r *reader) text(name string) string {
	value, set := r.env(name)
	switch {
	case !set:
		r.fail(name, "is not set")
	case strings.TrimSpace(value) == "":
		r.fail(name, "is empty")
	case value != strings.TrimSpace(value):
		r.fail(name, "begins or ends with white space")
	case unresolved.MatchString(value):
		r.fail(name, "still holds the reference %s: no entry above it in the container's env defines that variable", unresolved.FindString(value))
	}
	return value
}

func (r *reader) pattern(name, pattern, expected string) string {
	value := r.text(name)
	if r.fault == nil && !regexp.MustCompile(pattern).MatchString(value) {
		r.fail(name, "is %q; %s is expected", value, expected)
	}
	return value
}

func (r *reader) boolean(name string) bool {
	return r.pattern(name, `^(true|false)$`, "true or false") == "true"
}

func (r *reader) number(name string, least int) int {
	value := r.text(name)
	number, err := strconv.Atoi(value)
	if r.fault == nil && (err != nil || number < least) {
		r.fail(name, "is %q; a whole number of at least %d is expected", value, least)
	}
	return number
}

func (r *reader) folder(name string) string {
	value := r.text(name)
	if r.fault != nil {
		return value
	}
	if info, err := os.Stat(value); !filepath.IsAbs(value) || err != nil || !info.IsDir() {
		r.fail(name, "is %q; an existing folder by its absolute path is expected", value)
	}
	return value
}

func (r *reader) seed(name string) []byte {
	value := r.text(name)
	seed, err := hex.DecodeString(value)
	if r.fault == nil && (err != nil || len(seed) != seedBytes) {
		r.fail(name, "has %d characters that are not %d hexadecimal digits", len(value), 2*seedBytes)
	}
	return seed
}

func (r *reader) privateKey(name string) *rsa.PrivateKey {
	path := r.text(name)
	if r.fault != nil {
		return nil
	}
	key, err := loadKey(path)
	if err != nil {
		r.fail(name, "the key at %s %s", path, err)
	}
	return key
}

func loadKey(path string) (*rsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	key, err := parseKey(block)
	if err != nil {
		return nil, err
	}
	if key.N.BitLen() < leastKeyBits {
		return nil, fmt.Errorf("has %d bits; at least %d are expected", key.N.BitLen(), leastKeyBits)
	}
	digest := sha256.Sum256([]byte("lms"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		return nil, errors.New("cannot sign")
	}
	return key, nil
}

func parseKey(block *pem.Block) (*rsa.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not a readable RSA private key (PKCS#1), or it is encrypted")
		}
		return key, nil
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is not a readable private key (PKCS#8)")
		}
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			return key, nil
		}
		return nil, errors.New("is not an RSA key")
	default:
		return nil, fmt.Errorf("is PEM of type %q; an RSA private key that is not encrypted is expected", block.Type)
	}
}

// dsn checks a DSN's form without ever quoting it: it holds a password.
func (r *reader) dsn(name, scheme string) string {
	value := r.text(name)
	if r.fault != nil {
		return value
	}
	address, err := url.Parse(value)
	switch {
	case err != nil:
		r.fail(name, "is not a URL; a password with special characters must be URL-encoded")
	case address.Scheme != scheme:
		r.fail(name, "begins with %q; %s:// is expected", address.Scheme, scheme)
	case address.Hostname() == "" || address.Port() == "":
		r.fail(name, "names no host with its port")
	case address.User == nil || address.User.Username() == "":
		r.fail(name, "names no user")
	case len(strings.Trim(address.Path, "/")) == 0:
		r.fail(name, "names no database")
	default:
		if password, _ := address.User.Password(); password == "" {
			r.fail(name, "holds no password")
		}
	}
	return value
}

func (r *reader) database(prefix, scheme, folder string) Database {
	r.text(prefix + "_DEMO")
	r.pattern(prefix+"_MIGRATIONS", `^file://\S+/`+folder+`$`, "file://<folder>/"+folder)
	return Database{
		DSN:      r.dsn(prefix+"_DSN", scheme),
		Interval: time.Duration(r.number(prefix+"_INTERVAL_MS", 1)) * time.Millisecond,
		Attempts: r.number(prefix+"_UPDATE_ATTEMPTS", 1),
	}
}

func (r *reader) logs() string {
	folder, name := r.text("LMS_LOGS_DIRECTORY"), r.text("LMS_LOGS_FILENAME")
	toFile := r.boolean("LMS_LOGS_LOG_TO_FILE")
	r.number("LMS_LOGS_MAX_AGE_DAY", 0)
	r.number("LMS_LOGS_MAX_BACKUPS", 0)
	r.number("LMS_LOGS_MAX_SIZE_MB", 1)
	if !toFile {
		return ""
	}
	return filepath.Join(folder, name)
}

// ReadSettings judges all variables of a client and returns the first fault as one sentence that begins with the variable's name.
// A secret's value never stands in it.
func ReadSettings(env func(string) (string, bool)) (Settings, error) {
	r := &reader{env: env}
	settings := Settings{Client: r.pattern("LMS_CLIENT_ID", clientPattern, "C and a number such as C42")}
	r.boolean("LMS_SERVER_DEBUG")
	settings.Listen = r.pattern("LMS_SERVER_PORT", `^:[1-9][0-9]{1,4}$`, "a colon and a port such as :8080")
	settings.staticFolder = r.folder("LMS_SERVER_STATIC")
	settings.seed = r.seed("LMS_KEYS_SECRET_SEED")
	settings.tokenTTL = time.Duration(r.number("LMS_KEYS_TOKEN_TTL_HOURS", 1)) * time.Hour
	settings.rsaKey = r.privateKey("LMS_KEYS_PRIVATE_KEY_PATH")
	settings.logFile = r.logs()
	settings.passcodeExpiry = time.Duration(r.number("LMS_NOTIFICATIONS_SMS4B_PASSCODE_LIFETIME", 1)) * time.Second
	r.text("LMS_NOTIFICATIONS_SMS4B_SENDER")
	r.text("LMS_NOTIFICATIONS_SMS4B_TOKEN")
	settings.ClickHouse = r.database("LMS_STORAGE_CLICKHOUSE", "clickhouse", "clickhouse")
	settings.Postgres = r.database("LMS_STORAGE_POSTGRES", "postgres", "postgres")
	return settings, r.fault
}
