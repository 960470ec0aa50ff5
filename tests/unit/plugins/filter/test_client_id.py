# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter and the test client_id, and all filters as a playbook sees them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.filter.client_id import client_id
from ansible_collections.rarus.lms.plugins.test.client_id import client_id as is_client_id
from support.playbook import Expression, evaluate
from support.requests import write_catalogue


@pytest.mark.parametrize(("given", "expected"), [("C42", "C42"), (" c42 ", "C42"), ("\tc1\n", "C1"), ("C999999999", "C999999999")])
def test_what_a_person_typed_becomes_the_id(given: str, expected: str) -> None:
    assert client_id(given) == expected


@pytest.mark.parametrize("given", ["", "42", "C042", "C 42", "C0", "C1234567890", "\u042142", "C٤٢", 42, None, ["C42"]])
def test_what_is_no_id_is_refused(given: t.Any) -> None:
    with pytest.raises(AnsibleError, match="is not a client id"):
        client_id(given)
    assert is_client_id(given) is False


@pytest.mark.parametrize(("given", "expected"), [("C42", True), ("c42", False), (" C42", False), ("C42\n", False)])
def test_the_test_is_as_strict_as_the_options(given: str, expected: bool) -> None:
    assert is_client_id(given) is expected


EXPRESSIONS: dict[str, Expression] = {
    "id": "' c42 ' | rarus.lms.client_id",
    "no_id": "'x42' | rarus.lms.client_id",
    "is_id": "['C42', 'c42'] | select('rarus.lms.client_id')",
    "slug": "'Brot & Söhne' | rarus.lms.client_slug",
    "following": "['C7', 'C42'] | rarus.lms.next_client_id",
    "seed": "64 | rarus.lms.hex_seed | length",
    "key": "(2048 | rarus.lms.rsa_private_key).splitlines() | first",
    "given": ("lookup('rarus.lms.given', 'organisation')", {"organisation": "{{ lookup('pipe', 'id') }} {% raw %}"}),
    "nothing": "lookup('rarus.lms.given', 'organisation')",
}


def test_a_playbook_sees_them(tmp_path: Path) -> None:
    found = evaluate(tmp_path, write_catalogue(tmp_path / "catalogue", "lms-dev"), EXPRESSIONS)
    assert 'client_id: "X42" is not a client id' in found.pop("no_id")
    assert found == {
        "id": "C42",
        "is_id": ["C42"],
        "slug": "brot-sohne-" + found["slug"][-8:],
        "following": "C43",
        "seed": 128,
        "key": "-----BEGIN RSA PRIVATE KEY-----",
        "given": "{{ lookup('pipe', 'id') }} {% raw %}",
        "nothing": "",
    }
