# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._operations import client_export
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_import import OPERATION
from support.fake_api import FakeApi
from support.registry import operate, register

ROWS: list[dict[str, t.Any]] = [
    {
        "client": "C9",
        "organisation": "=Завод {{ x }}",
        "settings": {"replicas": 2},
        "contacts": [{"name": "Anna", "phones": ["+4930901820"]}],
    },
    {"client": "C40", "organisation": "Gone", "phase": "retired", "created": "2020-01-02T03:04:05Z", "created_by": "old system"},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "clients.json"
    found.write_text(json.dumps(ROWS), encoding="utf-8")
    return found


def bring(fake_api: FakeApi, path: Path, lines: list[str] | None = None, **more: t.Any) -> dict[str, t.Any]:
    return operate(fake_api, OPERATION, lines, **{"catalogue": "lms-dev", "path": str(path), "actor": "anna@desk", **more})


def data_of(fake_api: FakeApi, name: str) -> dict[str, str]:
    stored = fake_api.stored("ConfigMap", name)
    assert stored is not None
    return dict(stored["data"])


def test_a_dry_run_says_what_a_real_one_does_and_the_second_changes_nothing(fake_api: FakeApi, path: Path) -> None:
    lines: list[str] = []
    dry = bring(fake_api, path, lines, check_mode=True)
    assert fake_api.writes() == []
    assert lines[:2] == ["  C9 would be registered", "  C40 would be registered"]
    real = bring(fake_api, path)
    assert real == dry == {"changed": True, "registered": ["C9", "C40"], "known": 0}
    gone = data_of(fake_api, "lms-client-c40")
    assert [gone[key] for key in ("phase", "created", "created_by")] == ["retired", "2020-01-02T03:04:05Z", "old system"]
    assert data_of(fake_api, "lms-client-counter") == {"last": "40"}
    secret = fake_api.stored("Secret", "lms-contacts-c9")
    assert secret is not None
    assert json.loads(base64.b64decode(secret["data"]["contacts"]))[0]["name"] == "Anna"
    fake_api.requests.clear()
    assert bring(fake_api, path) == {"changed": False, "registered": [], "known": 2}
    assert fake_api.writes() == []
    assert register(fake_api, organisation="next") == "C41"


def test_a_run_that_was_killed_is_ended_by_the_next(fake_api: FakeApi, path: Path) -> None:
    bring(fake_api, path)
    fake_api.remove("Secret", "lms-contacts-c9")
    fake_api.remove("ConfigMap", "lms-client-c40")
    assert bring(fake_api, path) == {"changed": True, "registered": ["C40"], "known": 1}
    assert fake_api.stored("Secret", "lms-contacts-c9") is not None


def test_organisations_are_taken_for_those_that_are_imported_and_those_that_are_known(fake_api: FakeApi, path: Path) -> None:
    bring(fake_api, path)
    index = organisation_index_name(ROWS[0]["organisation"])
    assert data_of(fake_api, index) == {"client": "C9", "organisation": ROWS[0]["organisation"]}
    assert fake_api.stored("ConfigMap", organisation_index_name("Gone")) is None, "C40 has left"
    fake_api.remove("ConfigMap", index)
    assert bring(fake_api, path, check_mode=True)["changed"] is True
    assert fake_api.stored("ConfigMap", index) is None
    assert bring(fake_api, path) == {"changed": True, "registered": [], "known": 2}
    assert data_of(fake_api, index)["client"] == "C9"
    with pytest.raises(InputError, match="organisation: is that of C9 already"):
        register(fake_api, organisation=ROWS[0]["organisation"])


def test_of_several_clients_of_one_organisation_the_first_counts(fake_api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_text("client,organisation\nC8,ACME\nC7,Acme\n")
    bring(fake_api, path, same_organisation=True)
    assert data_of(fake_api, organisation_index_name("acme"))["client"] == "C7"


def test_all_problems_are_told_in_the_order_of_their_lines(fake_api: FakeApi, tmp_path: Path) -> None:
    register(fake_api, client="C7", organisation="Acme")
    path = tmp_path / "clients.csv"
    path.write_text('client,organisation,contacts\nC8,ACME,\nC9,,"[{""phones"": [""12345 x-canary""]}]"\nC8,Brot,\nc7,,\n')
    writes = len(fake_api.writes())
    with pytest.raises(InputError) as caught:
        bring(fake_api, path)
    title, *problems = caught.value.message.split("\n  ")
    assert title == f"{path}: 4 problems, nothing was touched:"
    assert [problem[:8] for problem in problems] == ["line 2: ", "line 3: ", "line 4: ", "line 5: "]
    assert "x-canary" not in caught.value.message
    assert len(fake_api.writes()) == writes


@pytest.mark.parametrize("name", ["all.csv", "all.yml", "all.json"])
def test_the_whole_list_goes_into_a_file_and_into_an_empty_registry(fake_api: FakeApi, path: Path, tmp_path: Path, name: str) -> None:
    bring(fake_api, path)
    register(fake_api, client="C50", organisation="'@x'")
    register(fake_api, client="C51")
    whole = tmp_path / name
    operate(fake_api, client_export.OPERATION, path=str(whole), contacts=True)
    assert bring(fake_api, whole)["changed"] is False
    bring(fake_api, whole, registry_namespace="other")
    again = tmp_path / f"again-{name}"
    operate(fake_api, client_export.OPERATION, path=str(again), contacts=True, registry_namespace="other", phase=["registered"])
    operate(fake_api, client_export.OPERATION, path=str(whole), contacts=True, phase=["registered"])
    assert again.read_bytes() == whole.read_bytes()


def test_a_low_id_does_not_move_the_counter_back(fake_api: FakeApi, path: Path) -> None:
    register(fake_api, client="C100")
    register(fake_api, organisation="counted")
    bring(fake_api, path)
    assert data_of(fake_api, "lms-client-counter") == {"last": "101"}


def test_a_client_that_somebody_registers_meanwhile_stops_the_import(fake_api: FakeApi, path: Path) -> None:
    register(fake_api, client="C1")
    register(fake_api, organisation="counted")
    fake_api.fail("POST", "/configmaps", 409, "AlreadyExists")
    with pytest.raises(ConflictError, match="C9 of line 1 was registered by somebody else meanwhile"):
        bring(fake_api, path)


FILES: list[tuple[str, bytes | None, str]] = [
    ("clients.xls", b"", "does not say which form it has"),
    ("missing.csv", None, "cannot be read (No such file or directory)"),
    ("latin.csv", b"client,organisation\nC1,S\xf6hne\n", "is not UTF-8"),
    ("clients.csv", b"name\n", "line 1: the heading"),
]


@pytest.mark.parametrize(("name", "content", "words"), FILES)
def test_a_file_that_cannot_be_read_is_named(fake_api: FakeApi, tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        bring(fake_api, tmp_path / name)
    assert name in caught.value.message
    assert words in caught.value.message
    assert fake_api.requests == []


def test_what_a_spreadsheet_saves_is_read(fake_api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_bytes("\ufeffclient;organisation\r\nC5;Söhne\r\n".encode())
    assert bring(fake_api, path)["registered"] == ["C5"]
    assert data_of(fake_api, "lms-client-c5")["organisation"] == "Söhne"
