# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of an organisation: any text that a person writes, kept byte for byte; and what of it fits into labels and names."""

from __future__ import annotations

import hashlib
import re
import typing as t
import unicodedata

from .._core.errors import InputError

__all__ = ["LONGEST", "comparable", "organisation_name", "slug"]

# In characters.
LONGEST = 256
# Control characters, halves of characters, and separators of lines and paragraphs: nothing that a person writes in a name.
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}
_SLUG_MOST = 63
_HASH_DIGITS = 8


def organisation_name(value: t.Any, field: str = "organisation") -> str:
    """Return the name as it was given, every character of it. Raises InputError; field is the option's name for the message."""
    if not isinstance(value, str):
        raise InputError(f"{field}: {value!r:.40} is no text. Put the organisation's name in quotes.")
    if len(value) > LONGEST:
        raise InputError(f"{field}: has {len(value)} characters. Expected {LONGEST} at most.")
    if value and not value.strip():
        raise InputError(f"{field}: holds nothing but blanks. Expected a name.")
    for place, char in enumerate(value, 1):
        if unicodedata.category(char) in _UNWRITABLE:
            raise InputError(
                f"{field}: character {place} (U+{ord(char):04X}) is a control character or a line break. Expected one line of text."
            )
    return value


def comparable(name: str) -> str:
    """Return the form by which two names are the same: upper and lower case alike, and each way of writing an accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def slug(text: str) -> str:
    """Return lower-case ASCII letters, digits and hyphens, 63 at most, that stand for a text: valid as a label, and within a name.

    Blanks become hyphens. Where anything else was lost, a hash follows (8 hexadecimal digits), so that texts in other scripts differ too.
    Texts that are the same (`comparable`) have the same; the empty text has none.
    """
    wanted = "-".join(comparable(text).split())
    ascii_only = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    if kept == wanted and len(kept) <= _SLUG_MOST:
        return kept
    short = hashlib.sha256(wanted.encode()).hexdigest()[:_HASH_DIGITS]
    return "-".join(part for part in (kept[: _SLUG_MOST - _HASH_DIGITS - 1].strip("-"), short) if part)
