# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts: their one form, and refusals that repeat nothing of what was given."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.contacts import contacts_object, contacts_of, has_contact, read_contacts

C42 = ClientId(42)
ANNA = {"name": "Anna {{ x }} Петрова", "role": "", "phones": ["+4930901820"], "mailboxes": ["anna@company.example"]}


def test_numbers_and_mailboxes_have_one_form() -> None:
    given = [{"name": ANNA["name"], "phones": ["+49 (30) 90-18-20", "+4930901820"], "mailboxes": "anna@COMPANY.example"}]
    assert read_contacts(given) == [ANNA]
    assert read_contacts([ANNA]) == [ANNA]


def test_a_national_number_needs_its_country() -> None:
    assert read_contacts([{"phones": "030 901820"}], "DE")[0]["phones"] == ["+4930901820"]
    with pytest.raises(InputError, match="Without \\+ it needs phone_region"):
        read_contacts([{"phones": "030 901820"}])
    with pytest.raises(InputError, match="phone_region: 'Germany' is not a country"):
        read_contacts([{"phones": "030 901820"}], "Germany")


REFUSED: list[tuple[t.Any, list[str]]] = [
    ("{", ["contacts: is not JSON."]),
    ("{}", ["contacts: is no list."]),
    (["x-canary"], ["contacts[0]: is no contact."]),
    ([{}], ["contacts[0]: says nobody."]),
    ([{"name": "a", "mail": "x-canary"}], ["contacts[0]: has a key that there is none of."]),
    ([{"name": 5}], ["contacts[0].name: is no text."]),
    ([{"name": "a\nb"}], ["contacts[0].name: character 2 (U+000A)"]),
    ([{"phones": {"x-canary": 1}}], ["contacts[0].phones: is no list."]),
    ([{"phones": ["+49 x-canary"]}], ["contacts[0].phones[0]: is not a telephone number."]),
    ([{"phones": ["+4930901820 ext. 5"]}], ["contacts[0].phones[0]: has an extension"]),
    ([{"phones": ["+49 1"]}], ["contacts[0].phones[0]: is not a "]),
    (
        [{"mailboxes": ["x-canary", "a@b", "a@@b.example"]}, {"phones": ["1"]}],
        ["contacts[0].mailboxes[0]:", "contacts[0].mailboxes[1]:", "contacts[0].mailboxes[2]:", "contacts[1].phones[0]:"],
    ),
]


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_all_that_is_wrong_is_told_and_no_value_with_it(given: t.Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_contacts(given)
    lines = caught.value.message.split("\n  ")
    assert len(lines) == len(words)
    assert all(line.startswith(word) for line, word in zip(lines, words, strict=True))
    assert "x-canary" not in caught.value.message


def test_the_secret_keeps_what_is_not_ours() -> None:
    found = {
        "metadata": {"resourceVersion": "7", "labels": {"theirs": "x"}, "managedFields": []},
        "data": {"other": "eA=="},
        "type": "Opaque",
    }
    secret = contacts_object(C42, "registry", [ANNA], found)
    assert (secret["metadata"]["name"], secret["metadata"]["resourceVersion"]) == ("lms-contacts-c42", "7")
    assert secret["metadata"]["labels"]["theirs"] == "x"
    assert set(secret["data"]) == {"other", "contacts"}
    assert contacts_of(secret, C42) == [ANNA]


@pytest.mark.parametrize("data", [{}, {"contacts": "!"}, {"contacts": "e30="}, {"contacts": "WzFd"}])
def test_a_damaged_secret_is_named(data: dict[str, str]) -> None:
    secret = {**contacts_object(C42, "registry", [], {}), "data": data}
    with pytest.raises(LmsError, match="Secret registry/lms-contacts-c42 is damaged"):
        contacts_of(secret, C42)


def test_somebody_elses_secret_is_refused() -> None:
    with pytest.raises(LmsError, match="does not hold this collection's contacts of C7"):
        contacts_of(contacts_object(C42, "registry", [], {}), ClientId(7))


@pytest.mark.parametrize(("text", "found"), [("ПЕТРОВА", True), ("+4930", True), ("ANNA@", True), ("bert", False)])
def test_a_contact_is_found_by_any_part(text: str, found: bool) -> None:
    assert has_contact([ANNA], text) is found
