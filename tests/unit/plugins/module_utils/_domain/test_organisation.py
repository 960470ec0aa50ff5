# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of organisations: what is taken, what counts as the same, and what of it fits into a label."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.organisation import comparable, organisation_name, slug

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

SLUGS: list[tuple[str, str]] = [
    ("C42", "c42"),
    ("Acme", "acme"),
    ("Acme  Ltd", "acme-ltd"),
    ("a-b", "a-b"),
    ("x" * 63, "x" * 63),
]
LOST = ["Brot & Söhne", "Brot & Sohne", "Завод", "漢字", "!!!", "-", "x" * 64, "ﬁ", "{{ x }}", "a_b", "-a"]


@pytest.mark.parametrize(("text", "expected"), SLUGS)
def test_what_fits_stays(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_where_something_was_lost_a_hash_keeps_texts_apart() -> None:
    slugs = [slug(text) for text in LOST]
    assert len(set(slugs)) == len(LOST)
    assert [one for one in slugs if not LABEL.fullmatch(one)] == []
    assert slug("Brot & Söhne").startswith("brot-sohne-")
    assert slug("") == slug("  ") == ""


@pytest.mark.parametrize(("one", "other"), [("Straße", "STRASSE"), ("caf\u00e9", "CAFE\u0301"), ("ΟΔΟΣ", "οδος")])
def test_the_same_name_has_the_same_label(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)
    assert slug(one) == slug(other)


@pytest.mark.parametrize("name", ["", "a", "x" * 256, "{{ x }}", "\u200fشركة", "\U0001f469\u200d\U0001f52c", " a "])
def test_a_name_is_kept_as_it_is(name: str) -> None:
    assert organisation_name(name) == name


REFUSED: list[tuple[t.Any, str]] = [
    (42, "organisation: 42 is no text"),
    ("x" * 257, "organisation: has 257 characters"),
    ("\t", "organisation: holds nothing but blanks"),
    ("a\tb", "character 2 (U+0009)"),
    ("a\u2028b", "character 2 (U+2028)"),
    ("a\x7f", "character 2 (U+007F)"),
    ("a\ud800", "character 2 (U+D800)"),
]


@pytest.mark.parametrize(("name", "words"), REFUSED)
def test_what_nobody_writes_is_refused(name: t.Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        organisation_name(name)
    assert words in caught.value.message
