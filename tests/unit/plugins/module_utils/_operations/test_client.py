# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._operations.client import run
from support.fake_api import FakeApi

NAME = "lms-client-c42"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(transport, "REPEAT_SECONDS", 0.05)


def options(fake_api: FakeApi, **changes: t.Any) -> dict[str, t.Any]:
    given = {"client": "C42", "must": "any", "namespace": "lms-dev", "catalogue": "lms-dev", "registry_namespace": "", "actor": "anna@desk"}
    return {**fake_api.params, **given, **changes}


def register(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    report = (lines if lines is not None else []).append
    return run(options(fake_api, **changes), Context(check_mode=check_mode, report=report))


def test_a_new_client_gets_a_record_by_one_create(fake_api: FakeApi) -> None:
    lines: list[str] = []
    result = register(fake_api, lines)
    assert (result["changed"], result["new"]) == (True, True)
    assert fake_api.writes() == ["POST /api/v1/namespaces/lms-dev/configmaps"]
    stored = fake_api.stored("ConfigMap", NAME)
    assert stored is not None
    assert {key: stored["data"][key] for key in ("client", "phase", "credentials", "created_by", "version")} == {
        "client": "C42",
        "phase": "registered",
        "credentials": "none",
        "created_by": "anna@desk",
        "version": "0.1.0",
    }
    assert result["record"]["created"] == stored["data"]["created"]
    assert len(lines) == 1
    assert lines[0].startswith("  client       C42 registered (new)")
    assert lines[0].endswith(" s")


def test_a_known_client_is_found_by_one_get_and_nothing_is_said(fake_api: FakeApi) -> None:
    first = register(fake_api)
    fake_api.requests.clear()
    lines: list[str] = []
    second = register(fake_api, lines)
    assert (second["changed"], second["new"], second["record"], lines) == (False, False, first["record"], [])
    assert (len(fake_api.requests), fake_api.writes()) == (1, [])


def test_the_registry_may_lie_elsewhere(fake_api: FakeApi) -> None:
    register(fake_api, registry_namespace="registry")
    assert fake_api.stored("ConfigMap", NAME, "registry") is not None


def test_check_mode_tells_and_writes_nothing(fake_api: FakeApi) -> None:
    lines: list[str] = []
    result = register(fake_api, lines, check_mode=True)
    assert (result["changed"], result["new"], result["record"]["client"]) == (True, True, "C42")
    assert fake_api.writes() == []
    assert "C42 would be registered" in lines[0]


def test_who_loses_the_race_takes_the_winners_record(fake_api: FakeApi) -> None:
    register(fake_api, actor="bert@desk")
    fake_api.answer("GET", NAME, status=404, body=not_found())
    result = register(fake_api)
    assert (result["new"], result["changed"], result["record"]["created_by"]) == (False, False, "bert@desk")


def test_an_answer_that_was_lost_does_not_make_the_client_old(fake_api: FakeApi) -> None:
    fake_api.answer("POST", "/configmaps", lose="answer")
    assert register(fake_api, must="be_new")["new"] is True


@pytest.mark.parametrize(
    ("must", "known", "words"),
    [
        ("exist", False, "client: C42 is not on the list of clients (there is no ConfigMap lms-dev/lms-client-c42)."),
        ("be_new", True, "client: C42 is not new: registered 20"),
    ],
)
def test_certainty_can_be_asked_for(fake_api: FakeApi, must: str, known: bool, words: str) -> None:
    if known:
        register(fake_api)
    writes = len(fake_api.writes())
    with pytest.raises(InputError) as caught:
        register(fake_api, must=must)
    assert caught.value.message.startswith(words)
    assert len(fake_api.writes()) == writes


def test_another_catalogue_is_refused_by_name(fake_api: FakeApi) -> None:
    register(fake_api)
    with pytest.raises(InputError, match="C42 belongs to catalogue lms-dev, not to lms-prod"):
        register(fake_api, catalogue="lms-prod")


def test_somebody_elses_config_map_is_not_a_record(fake_api: FakeApi) -> None:
    fake_api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": "lms-dev"}, "data": {}})
    with pytest.raises(LmsError, match="exists and is not this collection's record"):
        register(fake_api)
    assert fake_api.writes() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_a_doubtful_read_registers_nobody(fake_api: FakeApi, status: int) -> None:
    fake_api.fail("GET", NAME, status, times=1000)
    with pytest.raises(UnknownStateError):
        register(fake_api)
    assert fake_api.writes() == []


def test_an_id_is_judged_before_anything_is_asked(fake_api: FakeApi) -> None:
    with pytest.raises(InputError, match="is not a client id"):
        register(fake_api, client="c42")
    assert fake_api.requests == []


def not_found() -> dict[str, t.Any]:
    details = {"name": NAME, "kind": "configmaps"}
    return {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "details": details, "code": 404}
