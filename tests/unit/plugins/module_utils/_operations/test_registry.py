# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._operations import registry
from support.fake_api import FakeApi

C7, C42, C99 = (ClientId.parse(text) for text in ("C7", "C42", "C99"))


def record(client: ClientId, **changes: t.Any) -> Record:
    return Record(client=client, catalogue="a", namespace="a", registry_namespace="a", **changes)


@pytest.mark.parametrize(("clients", "calls"), [([C42], 1), ([C7, C42, C99], 1)])
def test_records_are_read_at_once(fake_api: FakeApi, clients: list[ClientId], calls: int) -> None:
    fake_api.add(record(C7).to_object(), record(C42).to_object())
    api = connect(fake_api.params)
    found = registry.read_records(api, "a", clients)
    assert list(found) == [client for client in clients if client != C99]
    assert api.calls == calls


def test_a_change_that_changes_nothing_is_not_written(fake_api: FakeApi) -> None:
    fake_api.add(record(C42).to_object())
    api = connect(fake_api.params)
    found = registry.known_record(api, "a", C42)
    assert registry.change_record(api, found, lambda one: one) == (found, False)
    assert fake_api.writes() == []


def test_a_change_is_made_on_what_somebody_else_has_written_meanwhile(fake_api: FakeApi) -> None:
    fake_api.add(record(C42).to_object())
    api = connect(fake_api.params)
    stale = registry.known_record(api, "a", C42)
    registry.change_record(api, stale, lambda one: one.with_(phase="ready"))
    changed, written = registry.change_record(api, stale, lambda one: one.with_(credentials="made"))
    assert (changed.phase, changed.credentials, written) == ("ready", "made", True)


def test_who_acts_is_kept_as_given() -> None:
    assert registry.actor_or_default("AWX job 7 of anna") == "AWX job 7 of anna"


def test_who_acts_is_the_user_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWX_HOST", "TOWER_HOST", "JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    assert re.fullmatch(r"[^@ ]+@[^@ ]+", registry.actor_or_default(""))
    monkeypatch.setenv("AWX_HOST", "https://awx.example")
    monkeypatch.setenv("JOB_ID", "17")
    assert registry.actor_or_default("").endswith(" (AWX job 17)")
