# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_info import OPERATION
from support.fake_api import FakeApi
from support.registry import operate, register

ANNA, BERT = [{"name": "Anna", "phones": ["+4930901820"]}], [{"name": "Bert", "mailboxes": ["bert@company.example"]}]


@pytest.fixture
def listed(fake_api: FakeApi) -> FakeApi:
    """Five clients: C10 registered before C9."""
    register(fake_api, client="C10", organisation="Brot & Söhne", contacts=ANNA)
    register(fake_api, client="C9", organisation="Завод {{ x }}", contacts=BERT)
    register(fake_api, client="C1")
    register(fake_api, client="C2", organisation="BROT AG", catalogue="lms-prod")
    register(fake_api, client="C3", organisation="Gone")
    register(fake_api, client="C3", state="retired", confirm="C3")
    register(fake_api, client="C1", state="suspended")
    fake_api.requests.clear()
    return fake_api


FILTERS: list[tuple[dict[str, t.Any], list[str]]] = [
    ({}, ["C1", "C2", "C3", "C9", "C10"]),
    ({"client": "C9"}, ["C9"]),
    ({"client": "C11"}, []),
    ({"organisation": "brot"}, ["C2", "C10"]),
    ({"organisation": "brot", "catalogue": "lms-dev"}, ["C10"]),
    ({"organisation": "{{ X"}, ["C9"]),
    ({"phase": ["suspended", "retired"]}, ["C1", "C3"]),
    ({"contact": "ANNA"}, ["C10"]),
    ({"contact": "+4930"}, ["C10"]),
    ({"contact": "@company"}, ["C9"]),
    ({"contact": "anna", "organisation": "Завод"}, []),
    ({"client": "C9", "contact": "anna"}, []),
    ({"client": "C9", "catalogue": "lms-prod"}, []),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_the_list_is_filtered_and_sorted_by_number(listed: FakeApi, filters: dict[str, t.Any], expected: list[str]) -> None:
    result = operate(listed, OPERATION, **filters)
    assert ([one["client"] for one in result["clients"]], result["changed"]) == (expected, False)
    assert not any("contacts" in one for one in result["clients"])
    assert listed.writes() == []


COSTS: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"client": "C9"}, ["/configmaps/lms-client-c9"]),
    ({"client": "C9", "contacts": True}, ["/configmaps/lms-client-c9", "/secrets/lms-contacts-c9"]),
    ({}, ["/configmaps"]),
    ({"contacts": True}, ["/configmaps", "/secrets"]),
    ({"contact": "anna"}, ["/configmaps", "/secrets"]),
]


@pytest.mark.parametrize(("filters", "paths"), COSTS)
def test_what_it_costs(listed: FakeApi, filters: dict[str, t.Any], paths: list[str]) -> None:
    operate(listed, OPERATION, **filters)
    assert listed.reads() == [f"/api/v1/namespaces/lms-dev{path}" for path in paths]


def test_contacts_are_told_where_they_are_asked_for(listed: FakeApi) -> None:
    told = {one["client"]: one["contacts"] for one in operate(listed, OPERATION, contacts=True)["clients"]}
    assert told["C10"] == [{"name": "Anna", "role": "", "phones": ["+4930901820"], "mailboxes": []}]
    assert told["C1"] == []


@pytest.mark.parametrize(("filters", "words"), [({"client": "c9"}, "is not a client id"), ({"catalogue": "a,b=c"}, "catalogue: ")])
def test_what_cannot_be_is_refused(listed: FakeApi, filters: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        operate(listed, OPERATION, **filters)
    assert listed.requests == []


def test_a_copy_of_a_record_is_named(listed: FakeApi) -> None:
    copy = listed.stored("ConfigMap", "lms-client-c9")
    assert copy is not None
    listed.add({**copy, "metadata": {**copy["metadata"], "name": "lms-client-c9-copy"}})
    with pytest.raises(LmsError, match="ConfigMap lms-dev/lms-client-c9-copy is damaged: it says that it is the record of C9"):
        operate(listed, OPERATION)
