# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId

SENTENCE = " is not a client id. Expected C and a number without leading zeros, such as C42."


@pytest.mark.parametrize(("value", "name", "number"), [("C42", "c42", 42), ("C1", "c1", 1), ("C999999999", "c999999999", 999999999)])
def test_an_id_has_three_forms(value: str, name: str, number: int) -> None:
    client = ClientId.parse(value)
    assert (client.id, str(client), client.name, client.number) == (value, value, name, number)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("42", '"42"'),
        ("c42", '"c42"'),
        ("C042", '"C042"'),
        ("C0", '"C0"'),
        ("C-1", '"C-1"'),
        ("C", '"C"'),
        ("", '""'),
        (" C42", '" C42"'),
        ("C42 \n", '"C42 \\n"'),
        ("C42\n", '"C42\\n"'),
        ("C٤٢", '"C\\u0664\\u0662"'),
        ("\u042142", '"\\u042142"'),  # a Cyrillic letter that looks like C
        ('C4"2', '"C4\\"2"'),
        ("['C42']", "\"['C42']\""),
        (42, "42 (int)"),
        (None, "None (NoneType)"),
        (["C42"], "['C42'] (list)"),
    ],
)
def test_what_is_no_id_is_refused_in_one_sentence(value: t.Any, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        ClientId.parse(value)
    assert caught.value.as_result()["msg"] == f"client: {shown}{SENTENCE}"


def test_a_number_that_is_too_long_is_cut_and_said_to_be() -> None:
    with pytest.raises(InputError) as caught:
        ClientId.parse("C" + "1" * 60)
    assert caught.value.as_result()["msg"] == f'client: "C{"1" * 39}..."{SENTENCE} It has at most nine digits.'
    with pytest.raises(InputError) as caught:
        ClientId.parse("C1000000000")
    assert "nine digits" in caught.value.hint


def test_the_message_names_the_option() -> None:
    with pytest.raises(InputError, match=r"^statuses: "):
        ClientId.parse("x", "statuses")


def test_ids_sort_by_number() -> None:
    assert [client.id for client in sorted(map(ClientId.parse, ["C10", "C9", "C100"]))] == ["C9", "C10", "C100"]
