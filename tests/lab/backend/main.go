// lms-backend stands in for the LMS back end: it reads every variable that a client's container gets, uses what they point at, and serves.
//
// A wrong variable ends it with exit code 1 and one line on standard error that names the variable, never a secret's value.
//
//	/         JSON: client, version, path, hostname, and whether both databases answer
//	/healthz  200, or 503 when a database does not answer
//	/echo     JSON: method, path and headers as they arrived
//	/db       JSON: who a new login to each database is, or 503 and the reason
//	/slow     answers after ?ms=N milliseconds (default 1000)
//
// On SIGTERM it goes on accepting for LAB_DRAIN seconds, then finishes what is in flight and ends with exit code 0. faults.go lists the settings that make it misbehave.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const finishTimeout = 20 * time.Second

// version is the image's: it is set in the image's config, so that two tags differ and share one binary.
func version() string {
	if value, set := os.LookupEnv("LMS_BACKEND_VERSION"); set {
		return value
	}
	return "unversioned"
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lms-backend:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	settings, err := ReadSettings(os.LookupEnv)
	if err != nil {
		return err
	}
	faults, err := ReadFaults(os.LookupEnv)
	if err != nil {
		return err
	}
	if err := logTo(settings.logFile); err != nil {
		return err
	}
	stores, err := OpenStores(ctx, settings)
	if err != nil {
		return err
	}
	log.Printf("client %s, version %s: settings and both databases are in order", settings.Client, version())
	faults.Begin(stores)
	if faults.failReady != "" && faults.failReady != "http" {
		log.Print("LAB_FAIL_READY: the port stays closed, as asked")
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(faults.slowStart):
	}
	return serve(ctx, settings, faults, handler(settings, faults, stores))
}

// logTo sends the log to standard error, and to the file too where LMS_LOGS_LOG_TO_FILE asks for it.
func logTo(path string) error {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("LMS_LOGS_DIRECTORY: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("LMS_LOGS_FILENAME: %w", err)
	}
	log.SetOutput(io.MultiWriter(os.Stderr, file))
	return nil
}

// serve answers until SIGTERM, goes on accepting for the drain's time, then finishes what is in flight.
func serve(ctx context.Context, settings Settings, faults Faults, routes http.Handler) error {
	server := &http.Server{Addr: settings.Listen, Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("serving on %s", settings.Listen)
	select {
	case err := <-failed:
		return fmt.Errorf("LMS_SERVER_PORT: %w", err)
	case <-ctx.Done():
	}
	log.Printf("SIGTERM: accepting for %s more", faults.drain)
	<-time.After(faults.drain)
	finish, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	err := server.Shutdown(finish)
	log.Print("drained")
	return err
}

func handler(settings Settings, faults Faults, stores *Stores) http.Handler {
	hostname, _ := os.Hostname()
	routes := http.NewServeMux()
	routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{
			"client": settings.Client, "version": version(), "path": r.URL.Path, "databases": stores.Alive(r.Context()), "hostname": hostname,
		})
	})
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		alive := stores.Alive(r.Context())
		status := http.StatusOK
		if faults.failReady == "http" || !alive["postgres"] || !alive["clickhouse"] {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, map[string]any{"databases": alive})
	})
	routes.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "host": r.Host, "headers": r.Header})
	})
	routes.HandleFunc("/db", func(w http.ResponseWriter, r *http.Request) {
		who, err := stores.Login(r.Context())
		if err != nil {
			answer(w, http.StatusServiceUnavailable, map[string]any{"error": err.Error()})
			return
		}
		answer(w, http.StatusOK, who)
	})
	routes.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		wait, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil {
			wait = 1000
		}
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(wait) * time.Millisecond):
			answer(w, http.StatusOK, map[string]any{"waited_ms": wait})
		}
	})
	return routes
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil && !errors.Is(err, context.Canceled) {
		log.Printf("an answer could not be sent: %v", err)
	}
}
