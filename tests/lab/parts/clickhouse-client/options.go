package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is what the official client's configuration file may say; the name of its root element does not matter.
type Config struct {
	Host           string `xml:"host"`
	Port           int    `xml:"port"`
	User           string `xml:"user"`
	Password       string `xml:"password"`
	Database       string `xml:"database"`
	Secure         string `xml:"secure"`
	ConnectTimeout int    `xml:"connect_timeout"`
	CAFile         string `xml:"openSSL>client>caConfig"`
	Verification   string `xml:"openSSL>client>verificationMode"`
}

// Options are the configuration after the command line had its say.
type Options struct {
	Config
	Script  string
	secure  bool
	timeout time.Duration
	version bool
}

const defaultTimeout = 10 * time.Second

// ReadOptions takes the command line, then the configuration file, then the script: --query, --queries-file, or standard input.
func ReadOptions(arguments []string, input io.Reader) (Options, error) {
	var options Options
	var configFile, query, queriesFile string
	var ignored, secure bool
	flags := flag.NewFlagSet("clickhouse-client", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the package's own message would repeat the faulty argument
	for _, name := range []string{"config-file", "C"} {
		flags.StringVar(&configFile, name, "", "XML file")
	}
	given := Config{}
	for _, name := range []string{"host", "h"} {
		flags.StringVar(&given.Host, name, "", "")
	}
	flags.IntVar(&given.Port, "port", 0, "")
	for _, name := range []string{"user", "u"} {
		flags.StringVar(&given.User, name, "", "")
	}
	flags.StringVar(&given.Password, "password", "", "")
	for _, name := range []string{"database", "d"} {
		flags.StringVar(&given.Database, name, "", "")
	}
	for _, name := range []string{"query", "q"} {
		flags.StringVar(&query, name, "", "")
	}
	flags.StringVar(&queriesFile, "queries-file", "", "")
	for _, name := range []string{"multiquery", "n", "multiline", "m"} {
		flags.BoolVar(&ignored, name, false, "always on")
	}
	for _, name := range []string{"secure", "s"} {
		flags.BoolVar(&secure, name, false, "")
	}
	for _, name := range []string{"version", "V"} {
		flags.BoolVar(&options.version, name, false, "")
	}
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		return options, failure(552, "UNRECOGNIZED_ARGUMENTS", "Unrecognized option; see the list in options.go")
	}
	if options.version {
		return options, nil
	}
	if err := options.readConfig(configFile); err != nil {
		return options, err
	}
	options.override(given, secure)
	return options, options.readScript(query, queriesFile, input)
}

// readConfig reads the file that was named, or the first of the official client's own places that exists.
func (o *Options) readConfig(named string) error {
	places := []string{named}
	if named == "" {
		home, _ := os.UserHomeDir()
		places = []string{"clickhouse-client.xml", filepath.Join(home, ".clickhouse-client/config.xml"), "/etc/clickhouse-client/config.xml"}
	}
	for _, place := range places {
		raw, err := os.ReadFile(place)
		if errors.Is(err, os.ErrNotExist) && named == "" {
			continue
		}
		if err != nil {
			return failure(76, "CANNOT_OPEN_FILE", fmt.Sprintf("Cannot open configuration file %s", place))
		}
		if xml.Unmarshal(raw, &o.Config) != nil { // the parser's message may quote the file
			return failure(1000, "POCO_EXCEPTION", fmt.Sprintf("Configuration file %s is not XML of the expected form", place))
		}
		return nil
	}
	return nil
}

func (o *Options) override(given Config, secure bool) {
	for _, pair := range []struct{ into, from *string }{
		{&o.Host, &given.Host}, {&o.User, &given.User}, {&o.Password, &given.Password}, {&o.Database, &given.Database},
	} {
		if *pair.from != "" {
			*pair.into = *pair.from
		}
	}
	if given.Port != 0 {
		o.Port = given.Port
	}
	word := strings.ToLower(strings.TrimSpace(o.Secure))
	o.secure = secure || word == "1" || word == "true" || word == "yes"
	o.timeout = defaultTimeout
	if o.ConnectTimeout > 0 {
		o.timeout = time.Duration(o.ConnectTimeout) * time.Second
	}
	if o.Host == "" {
		o.Host = "localhost"
	}
	if o.User == "" {
		o.User = "default"
	}
	if o.Port == 0 {
		o.Port = map[bool]int{false: 9000, true: 9440}[o.secure]
	}
}

func (o *Options) readScript(query, queriesFile string, input io.Reader) error {
	if query != "" {
		o.Script = query
		return nil
	}
	read := func() ([]byte, error) { return io.ReadAll(input) }
	if queriesFile != "" {
		read = func() ([]byte, error) { return os.ReadFile(queriesFile) }
	}
	raw, err := read()
	o.Script = string(raw)
	if err != nil {
		return failure(76, "CANNOT_OPEN_FILE", "Cannot read the statements: "+err.Error())
	}
	return nil
}
