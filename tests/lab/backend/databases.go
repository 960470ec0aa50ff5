package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	_ "github.com/ClickHouse/clickhouse-go/v2"
	_ "github.com/jackc/pgx/v5/stdlib"
)

const queryTimeout = 3 * time.Second

// Who one login turned out to be; both databases answer in this shape.
type Who struct {
	User     string `json:"user"`
	Database string `json:"database"`
	Version  string `json:"version"`
}

// store is one database: its driver's name, the settings, and the questions that prove that it can be worked with.
type store struct {
	driver, variable string
	settings         Database
	who, usable      string
	pool             *sql.DB
}

// Stores are both databases of a client.
type Stores struct {
	all  map[string]*store
	lost atomic.Bool // LAB_LOSE_DATABASE has come true
}

// OpenStores opens both pools and asks each database its questions, as often and at such intervals as the settings say.
func OpenStores(ctx context.Context, settings Settings) (*Stores, error) {
	stores := &Stores{all: map[string]*store{
		"postgres": {
			driver: "pgx", variable: "LMS_STORAGE_POSTGRES_DSN", settings: settings.Postgres,
			who: "SELECT current_user::text, current_database()::text, current_setting('server_version')",
			// gen_random_uuid() is PostgreSQL's own since 13, so digest() is what proves pgcrypto.
			usable: "SELECT encode(digest('lms', 'sha256'), 'hex') || gen_random_uuid()::text || uuid_generate_v4()::text",
		},
		"clickhouse": {
			driver: "clickhouse", variable: "LMS_STORAGE_CLICKHOUSE_DSN", settings: settings.ClickHouse,
			who:    "SELECT currentUser(), currentDatabase(), version()",
			usable: "SELECT name FROM system.databases WHERE name = currentDatabase()",
		},
	}}
	for _, name := range []string{"postgres", "clickhouse"} {
		if err := stores.all[name].open(ctx); err != nil {
			return nil, err
		}
	}
	return stores, nil
}

func (s *store) open(ctx context.Context) error {
	pool, err := sql.Open(s.driver, s.settings.DSN)
	if err != nil {
		return fmt.Errorf("%s: the driver does not take this DSN", s.variable) // the driver's own message may quote it
	}
	pool.SetMaxOpenConns(4)
	s.pool = pool
	for attempt := 1; ; attempt++ {
		_, err = ask(ctx, pool, s.who)
		if err == nil || attempt >= s.settings.Attempts {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.settings.Interval):
		}
	}
	if err != nil {
		return fmt.Errorf("%s: cannot log in: %w", s.variable, err)
	}
	var proof string
	if err := pool.QueryRowContext(ctx, s.usable).Scan(&proof); err != nil {
		return fmt.Errorf("%s: logged in, but the database cannot be used: %w", s.variable, err)
	}
	return nil
}

func ask(ctx context.Context, db *sql.DB, question string) (Who, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var who Who
	err := db.QueryRowContext(ctx, question).Scan(&who.User, &who.Database, &who.Version)
	return who, err
}

// Alive asks both databases through the pools: connections that were open before count.
func (s *Stores) Alive(ctx context.Context) map[string]bool {
	alive := map[string]bool{}
	for name, one := range s.all {
		_, err := ask(ctx, one.pool, one.who)
		alive[name] = err == nil && !s.lost.Load()
	}
	return alive
}

// Login makes a new connection to each database, so that it proves the password of this moment.
func (s *Stores) Login(ctx context.Context) (map[string]Who, error) {
	if s.lost.Load() {
		return nil, errors.New("the databases are lost (LAB_LOSE_DATABASE)")
	}
	answers := map[string]Who{}
	for name, one := range s.all {
		db, err := sql.Open(one.driver, one.settings.DSN)
		if err != nil {
			return nil, fmt.Errorf("%s: the driver does not take this DSN", one.variable)
		}
		who, err := ask(ctx, db, one.who)
		db.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.variable, err)
		}
		answers[name] = who
	}
	return answers, nil
}
