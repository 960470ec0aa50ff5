# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken out of texts that other programs wrote."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.redaction import HIDDEN, Redactor, clean, is_secret_key, log_tail

SECRET = 'pä&ss/w+rd "7" %'
ENCODINGS = {
    "plain": SECRET,
    "JSON": json.dumps(SECRET),
    "JSON, characters kept": json.dumps(SECRET, ensure_ascii=False),
    "URL": quote(SECRET, safe=""),
    "URL, lower case": quote(SECRET, safe="").lower(),
    "path": quote(SECRET),
    "form": quote_plus(SECRET),
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal, upper case": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64 without padding": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "coloured": f"\x1b[31m{SECRET}\x1b[0m",
    "split by invisible characters": "\u200b".join(SECRET),
}


@pytest.mark.parametrize("text", ENCODINGS.values(), ids=ENCODINGS)
def test_a_value_is_hidden_in_each_encoding(text: str) -> None:
    hidden = Redactor([SECRET])(f"before {text} after")
    assert HIDDEN in hidden
    assert text not in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_a_value_is_hidden_inside_a_longer_base64_text(before: str) -> None:
    """Basic authentication encodes user and password together, so that the password's own base64 does not stand in it."""
    encoded = base64.b64encode(f"{before}{'correct-horse-battery'}@host".encode()).decode()
    hidden = Redactor(["correct-horse-battery"])(encoded)
    assert HIDDEN in hidden
    assert len(hidden) < len(encoded) - 20


PATTERNS = {
    "a password in a URL": ("dial postgres://c42:hunter2@db:5432/c42", "hunter2"),
    "a password with an @ in a URL": ("clickhouse://c42:hun@ter2@db:9000/c42", "ter2"),
    "an assignment": ("PGPASSWORD=hunter2 psql", "hunter2"),
    "JSON": ('{"password": "hunter2 and more"}', "more"),
    "YAML": ("password: hunter2", "hunter2"),
    "SQL": ("CREATE ROLE c42 LOGIN PASSWORD 'hunter2'", "hunter2"),
    "ClickHouse's SQL": ("IDENTIFIED WITH sha256_password BY 'hunter2'", "hunter2"),
    "a bearer token": ("Authorization: Bearer hunter2hunter2", "hunter2"),
    "a JWT": ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "c2ln"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----", "MIIEabc"),
    "the first half of a private key": ("-----BEGIN PRIVATE KEY-----\nMIIEabc\nnever ended", "MIIEabc"),
    "a seed": ("seed " + "0a" * 64, "0a0a"),
}


@pytest.mark.parametrize(("text", "secret"), PATTERNS.values(), ids=PATTERNS)
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    hidden = Redactor()(text)
    assert secret not in hidden
    assert HIDDEN in hidden


HARMLESS = [
    'FATAL:  password authentication failed for user "postgres"',
    'connection to server at "10.0.0.7", port 5432 failed: Connection refused',
    "registry.example/lms/backend:dev@sha256:" + "0a" * 32,
    'exec: "/etc/passwd": permission denied',
    "GET https://registry.example:5000/v2/ HTTP/1.1",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert Redactor(["a-real-secret"])(text) == text


def test_short_values_are_hidden_as_words_only() -> None:
    assert Redactor(["abc"])("abc abcdef xabc 'abc'") == f"{HIDDEN} abcdef xabc '{HIDDEN}'"


def test_a_key_is_hidden_line_by_line() -> None:
    assert "c2Vjb25k" not in Redactor(["Zmlyc3RsaW5l\nc2Vjb25kbGluZQ\n"])("only c2Vjb25kbGluZQ of it")


def test_empty_values_hide_nothing() -> None:
    assert Redactor(["", " ", "\n"])("a text") == "a text"


def test_trees_are_treated_in_every_text_and_keep_their_shape() -> None:
    tree = {"a": ["x s3cret y", 7, None], "b": {"c": "s3cret"}, "d": True}
    assert Redactor(["s3cret"]).tree(tree) == {"a": [f"x {HIDDEN} y", 7, None], "b": {"c": HIDDEN}, "d": True}


def test_control_characters_and_escape_sequences_are_gone() -> None:
    assert clean("\x1b[2J\x1b]0;title\x07a\x00b\u202ec\rd\r\ne\tf") == "abc\nd\ne\tf"


def test_log_tail_bounds_lines_and_width() -> None:
    text = "\n".join(["first", "", *(f"line {number}" for number in range(30)), "x" * 500])
    lines = log_tail(text, Redactor(), lines=3, width=50)
    assert lines == ["line 28", "line 29", "x" * 47 + "..."]


def test_log_tail_leaves_out_a_line_that_was_cut_within_a_secret() -> None:
    """The log was cut to a number of bytes from its end: what stands first may be the second half of a secret."""
    text = "half-of-it\nFATAL: no\n"
    assert log_tail(text, Redactor(["the-first-half-of-it"]), limit_bytes=len(text)) == ["FATAL: no"]
    assert log_tail(text, Redactor(["the-first-half-of-it"]), limit_bytes=len(text) + 1) == ["half-of-it", "FATAL: no"]


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("keys-secret-seed", True),
        ("token", True),
        ("user", False),
        ("postgres-user", False),
        ("clickhouse_host", False),
        ("users", True),
    ],
)
def test_keys_whose_values_are_no_secrets(key: str, secret: bool) -> None:
    assert is_secret_key(key) == secret
