# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets and control characters out of text that other programs wrote, before a person or a log sees it."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from urllib.parse import quote, quote_plus

__all__ = ["HIDDEN", "Redactor", "clean", "is_secret_key", "log_tail", "passwords_of_login"]

HIDDEN = "***"

# Values shorter than this would, taken out wherever they stand, make text unreadable: they are taken out as whole words only.
SHORT = 4
# The least number of base64 characters by which a value is recognised inside a longer base64 text.
BASE64_LEAST = 8
# Keys of a Secret whose values are names and addresses: they are needed to understand an error, and are no secrets.
_OPEN_KEY = re.compile(r"(?:^|[._-])(user|username|login|host|hostname|port|database|dbname)$", re.IGNORECASE)

# Where a registry's login has its secrets.
_LOGIN_KEYS = ("password", "auth", "identitytoken", "registrytoken")

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# C0 but tab and newline, DEL, C1, and the characters that reorder, join or hide others on a screen.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

# What looks like a secret whatever its value: (pattern, what stays).
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*):[^\s]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=:-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(IDENTIFIED\s+(?:WITH\s+\w+\s+)?BY|PASSWORD)(\s+)'[^']*'?", re.IGNORECASE), rf"\1\2'{HIDDEN}'"),
    (
        re.compile(
            r"((?<![/\w])\w*(?:password|passwd|passphrase|pwd|api[_-]?key|access[_-]?token|client[_-]?secret)[\"']?\s*[=:]\s*)"
            r"(\"[^\"]*\"?|'[^']*'?|[^\s,;&]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b[0-9A-Fa-f]{128}\b"), HIDDEN),
)


def is_secret_key(key: str) -> bool:
    """Return whether the value under this key of a Secret has to be hidden; user names, hosts, ports and databases do not."""
    return _OPEN_KEY.search(key) is None


def passwords_of_login(value: str) -> list[str]:
    """Return the passwords inside a pull secret's JSON (`.dockerconfigjson`); empty for every other value."""
    if not value.lstrip().startswith("{"):
        return []
    try:
        logins = json.loads(value)["auths"].values()
        return [str(login[key]) for login in logins for key in _LOGIN_KEYS if login.get(key)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


class Redactor:
    """Hides given values in any of their usual encodings, and what looks like a secret.

    secrets: the values in clear. Those of several lines (a key in PEM) are hidden line by line too.
    """

    def __init__(self, secrets: t.Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            for value in {secret, secret.strip(), *secret.split("\n")}:
                forms |= _forms(value.strip("\r"))
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(ordered)) if ordered else None

    def __call__(self, text: str) -> str:
        """Return the text without control characters and without secrets."""
        text = clean(text)
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, kept in _PATTERNS:
            text = pattern.sub(kept, text)
        return text

    def tree(self, value: t.Any) -> t.Any:
        """Return a copy of JSON-like data with every text in it treated; keys stay."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, t.Mapping):
            return {key: self.tree(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(part) for part in value]
        return value


def _forms(value: str) -> set[str]:
    """Return patterns for one value: as it is, JSON-escaped, URL-encoded, hexadecimal, base64 (alone and inside a longer text)."""
    if not value.strip():
        return set()
    if len(value) < SHORT:
        return {rf"(?<!\w){re.escape(value)}(?!\w)"}
    raw = value.encode()
    plain = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *_base64_forms(raw)}
    caseless = {quote(value, safe=""), quote(value), quote_plus(value), raw.hex()} - {value}
    return {re.escape(form) for form in plain} | {f"(?i:{re.escape(form)})" for form in caseless}


def _base64_forms(raw: bytes) -> set[str]:
    """Return the base64 texts of a value, in both alphabets: whole, and what is left of it at each position inside a longer text."""
    forms = {base64.b64encode(raw).decode(), base64.b64encode(raw).decode().rstrip("=")}
    for offset, unsure in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        forms.add(encoded[unsure : (offset + len(raw)) * 8 // 6])
    forms |= {form.replace("+", "-").replace("/", "_") for form in forms}
    return {form for form in forms if len(form) >= BASE64_LEAST}


def clean(text: str) -> str:
    """Return the text without escape sequences and control characters; line ends are newlines."""
    text = _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("", text)


def log_tail(text: str, redact: t.Callable[[str], str], *, lines: int = 20, width: int = 400, limit_bytes: int = 0) -> list[str]:
    """Return the last lines of a log, treated and cut to `width` characters each; empty lines are left out.

    limit_bytes: how much was asked for; of a text as long as that the beginning was cut off, and its first line may hold half a secret.
    """
    if limit_bytes and len(text.encode()) >= limit_bytes:
        text = text.partition("\n")[2]
    kept = [line.rstrip().replace("\t", "    ") for line in redact(text).split("\n") if line.strip()][-lines:]
    return [line if len(line) <= width else line[: width - 3] + "..." for line in kept]
