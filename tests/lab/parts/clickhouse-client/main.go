// clickhouse-client stands in for the official client in the image of the lab's Jobs: its options, its configuration file, statements on
// standard input, results as TSV on standard output, and an end at the first error with that error's code.
//
//	clickhouse-client --config-file /tmp/client.xml --multiquery < statements.sql
//
// On an error it writes "Code: N. DB::Exception: ..." to standard error and ends with N % 256, or 1 where that is 0. Unlike the official
// client it never repeats the statement that failed, which may hold a password.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const readTimeout = 5 * time.Minute

// Failure is an error by ClickHouse's number.
type Failure struct {
	code int
	text string
}

func (f Failure) Error() string {
	return fmt.Sprintf("Code: %d. %s", f.code, f.text)
}

func failure(code int, name, text string) Failure {
	return Failure{code, fmt.Sprintf("DB::Exception: %s. (%s)", text, name)}
}

func main() {
	arguments := os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "client" { // as in `clickhouse client`
		arguments = arguments[1:]
	}
	if err := run(arguments); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}

func exitCode(err error) int {
	var known Failure
	if errors.As(err, &known) && known.code%256 != 0 {
		return known.code % 256
	}
	return 1
}

func run(arguments []string) error {
	options, err := ReadOptions(arguments, os.Stdin)
	if err != nil {
		return err
	}
	if options.version {
		fmt.Println("ClickHouse client version 1.0 (the lab's own).")
		return nil
	}
	settings, err := connection(options)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(settings)
	if err != nil {
		return translated(err, options)
	}
	defer conn.Close()
	for _, statement := range Split(options.Script) {
		if err := execute(conn, statement); err != nil {
			return translated(err, options)
		}
	}
	return nil
}

// connection is one connection for the whole script, so that SET, USE and temporary tables hold until its end.
func connection(options Options) (*clickhouse.Options, error) {
	settings := &clickhouse.Options{
		Addr:         []string{net.JoinHostPort(options.Host, fmt.Sprint(options.Port))},
		Auth:         clickhouse.Auth{Username: options.User, Password: options.Password, Database: options.Database},
		DialTimeout:  options.timeout,
		ReadTimeout:  readTimeout,
		MaxOpenConns: 1,
		MaxIdleConns: 1,
	}
	if !options.secure {
		return settings, nil
	}
	settings.TLS = &tls.Config{InsecureSkipVerify: options.Verification == "none"}
	if options.CAFile != "" {
		raw, err := os.ReadFile(options.CAFile)
		settings.TLS.RootCAs = x509.NewCertPool()
		if err != nil || !settings.TLS.RootCAs.AppendCertsFromPEM(raw) {
			return nil, failure(76, "CANNOT_OPEN_FILE", "caConfig names no file of PEM certificates: "+options.CAFile)
		}
	}
	return settings, nil
}

func execute(conn driver.Conn, statement string) error {
	rows, err := conn.Query(context.Background(), statement)
	if errors.Is(err, io.EOF) { // the statement answers nothing
		return nil
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	types := rows.ColumnTypes()
	for rows.Next() {
		values := make([]any, len(types))
		for at, column := range types {
			values[at] = reflect.New(column.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return err
		}
		cells := make([]string, len(values))
		for at, value := range values {
			cells[at] = cell(reflect.ValueOf(value).Elem(), types[at].DatabaseTypeName())
		}
		fmt.Println(strings.Join(cells, "\t"))
	}
	return rows.Err()
}

var escapes = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r", "\b", "\\b", "\f", "\\f", "\x00", "\\0", "'", "\\'")

// cell writes one value as TSV does.
func cell(value reflect.Value, kind string) string {
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		if value.IsNil() {
			return "\\N"
		}
		value = value.Elem()
	}
	switch known := value.Interface().(type) {
	case time.Time:
		if strings.Contains(kind, "DateTime") {
			return known.Format("2006-01-02 15:04:05")
		}
		return known.Format("2006-01-02")
	case bool:
		return fmt.Sprint(known)
	case fmt.Stringer:
		return known.String()
	}
	if value.Kind() == reflect.Slice {
		return list(value, kind)
	}
	return escapes.Replace(fmt.Sprint(value.Interface()))
}

func list(value reflect.Value, kind string) string {
	parts := make([]string, value.Len())
	for at := range parts {
		part := value.Index(at)
		parts[at] = cell(part, kind)
		if part.Kind() == reflect.String {
			parts[at] = "'" + parts[at] + "'"
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// translated gives the driver's errors the official client's codes and form.
func translated(err error, options Options) error {
	var known Failure
	var exception *clickhouse.Exception
	var name *net.DNSError
	var network net.Error
	address := net.JoinHostPort(options.Host, fmt.Sprint(options.Port))
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &exception):
		text := strings.TrimPrefix(exception.Message, "DB::Exception: ")
		return Failure{int(exception.Code), fmt.Sprintf("DB::Exception: Received from %s. DB::Exception: %s", address, text)}
	case errors.As(err, &name):
		return failure(198, "DNS_ERROR", "Not found address of host: "+options.Host)
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout():
		return failure(209, "SOCKET_TIMEOUT", fmt.Sprintf("Timeout exceeded while talking to %s", address))
	default:
		return failure(210, "NETWORK_ERROR", fmt.Sprintf("%v (%s)", err, address))
	}
}
