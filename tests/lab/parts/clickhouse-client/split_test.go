package main

import (
	"reflect"
	"testing"
)

func TestSplit(t *testing.T) {
	cases := map[string][]string{
		"":                                     nil,
		" ; ;\n-- nothing\n;":                  nil,
		"SELECT 1":                             {"SELECT 1"},
		"SELECT 1;SELECT 2;":                   {"SELECT 1", "SELECT 2"},
		"SELECT ';', \";\", `;`; SELECT 2":     {"SELECT ';', \";\", `;`", "SELECT 2"},
		`SELECT 'a\';b'; SELECT 'it''s;'`:      {`SELECT 'a\';b'`, `SELECT 'it''s;'`},
		"SELECT 1 -- ; no\n + 2; SELECT 3":     {"SELECT 1 -- ; no\n + 2", "SELECT 3"},
		"/* ; ' */ SELECT 1; # ;\nSELECT 2":    {"/* ; ' */ SELECT 1", "# ;\nSELECT 2"},
		"SELECT $$a;b$$; SELECT $t$;$$;$t$":    {"SELECT $$a;b$$", "SELECT $t$;$$;$t$"},
		"SELECT $1; SELECT '$'; SELECT 'open;": {"SELECT $1", "SELECT '$'", "SELECT 'open;"},
	}
	for script, want := range cases {
		if got := Split(script); !reflect.DeepEqual(got, want) {
			t.Errorf("Split(%q) = %q, want %q", script, got, want)
		}
	}
}
