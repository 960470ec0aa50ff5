# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_export import OPERATION
from support.fake_api import FakeApi
from support.registry import operate, register


@pytest.fixture
def listed(fake_api: FakeApi) -> FakeApi:
    register(fake_api, client="C10", organisation="=Brot", contacts=[{"name": "Anna"}])
    register(fake_api, client="C9", settings={"replicas": 2})
    fake_api.requests.clear()
    return fake_api


def test_the_list_is_shown_as_a_table(listed: FakeApi) -> None:
    lines: list[str] = []
    assert operate(listed, OPERATION, lines) == {"changed": False, "count": 2}
    assert [line.split()[0] for line in lines] == ["client", "C9", "C10", "2"]


def test_the_list_is_shown_to_programs(listed: FakeApi) -> None:
    lines: list[str] = []
    operate(listed, OPERATION, lines, format="json", contacts=True)
    told = json.loads("\n".join(lines))
    assert [(one["client"], one["settings"], [person["name"] for person in one["contacts"]]) for one in told] == [
        ("C9", {"replicas": 2}, []),
        ("C10", {}, ["Anna"]),
    ]


@pytest.mark.parametrize("name", ["clients.csv", "clients.yml", "clients.json", "clients.txt"])
def test_a_file_is_written_once_for_its_owner_alone(listed: FakeApi, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    lines: list[str] = []
    assert operate(listed, OPERATION, lines, path=str(path), check_mode=True)["changed"] is True
    assert not path.exists()
    assert operate(listed, OPERATION, lines, path=str(path))["changed"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Anna" not in path.read_text()
    assert operate(listed, OPERATION, lines, path=str(path))["changed"] is False
    assert lines == [f"2 clients would be written to {path}", f"2 clients written to {path}", f"2 clients are in {path}"]
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_name_that_says_no_form_and_a_folder_that_is_none_are_refused(listed: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say which form it has"):
        operate(listed, OPERATION, path=str(tmp_path / "clients.xls"))
    with pytest.raises(InputError, match="is not the path of a file in a folder that exists"):
        operate(listed, OPERATION, path=str(tmp_path / "none" / "clients.csv"))
    assert listed.requests == []
    operate(listed, OPERATION, path=str(tmp_path / "clients.xls"), format="csv")
    assert (tmp_path / "clients.xls").read_text().startswith("client,")
