# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.request_templates import run
from support.playbook import ROOT, run_playbook

SERVICE = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lms-service-{{client-id}}"}}'


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "svc.json").write_text(SERVICE)
    (folder / "pods.json").write_text('{"method": "GET"}')
    return folder


def convert(old: Path, new: Path, **context: Any) -> dict[str, Any]:
    return run({"source": str(old), "destination": str(new)}, Context(**context))


def test_templates_are_written_once(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "inventory" / "templates"
    first, second = convert(old, new), convert(old, new)
    assert (first["changed"], second["changed"]) == (True, False)
    assert [path.name for path in new.iterdir()] == ["service.yml.j2"]
    assert (
        first["converted"]
        == second["converted"]
        == [
            {
                "file": str(new / "service.yml.j2"),
                "source": str(old / "svc.json"),
                "changes": ["metadata.name has client-name: a name has no capital letters"],
            }
        ]
    )
    assert [one["source"] for one in first["left_out"]] == [str(old / "pods.json")]


def test_check_mode_writes_nothing(old: Path, tmp_path: Path) -> None:
    assert convert(old, tmp_path / "new", check_mode=True)["changed"] is True
    assert not (tmp_path / "new").exists()


def test_each_change_is_shown(old: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    convert(old, tmp_path / "new", report=lines.append)
    assert lines == [
        "svc.json -> service.yml.j2",
        "  metadata.name has client-name: a name has no capital letters",
        "pods.json is left out: it is no Kubernetes object with a name; the collection asks for the state of pods by itself",
    ]


def test_a_template_that_was_edited_is_not_overwritten(old: Path, tmp_path: Path) -> None:
    convert(old, tmp_path / "new")
    (tmp_path / "new" / "service.yml.j2").write_text("mine")
    with pytest.raises(InputError, match=r"service\.yml\.j2 exists and says something else\. Remove it"):
        convert(old, tmp_path / "new")
    assert (tmp_path / "new" / "service.yml.j2").read_text() == "mine"


def test_a_source_that_cannot_be_is_refused(old: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the source itself"):
        convert(old, old)
    with pytest.raises(InputError, match="cannot be read"):
        convert(tmp_path / "gone", tmp_path / "new")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no requests"):
        convert(tmp_path / "empty", tmp_path / "new")


def test_the_playbook_converts_and_refuses_a_missing_folder(old: Path, tmp_path: Path) -> None:
    playbook = ROOT / "playbooks" / "convert_templates.yml"
    done = run_playbook(playbook, "-e", f"source={old}", "-e", f"destination={tmp_path / 'new'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "svc.json -> service.yml.j2" in done.stdout
    assert (tmp_path / "new" / "service.yml.j2").exists()
    assert run_playbook(playbook).returncode == 2
