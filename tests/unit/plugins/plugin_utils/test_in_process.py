# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ends: 2 for what failed and for what was given wrongly, 4 for what could not be found out; always with one sentence."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from support.fake_api import FakeApi
from support.playbook import run_playbook

SENTENCE = "made-up answer"
Object = dict[str, t.Any]


def play(folder: Path, *tasks: Object) -> subprocess.CompletedProcess[str]:
    """Run tasks on the local connection under the operator's callback."""
    playbook = folder / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}]))
    quiet = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
    return run_playbook(playbook, env={"ANSIBLE_STDOUT_CALLBACK": "rarus.lms.operator", **quiet})


@pytest.mark.parametrize(("status", "reason", "code"), [(500, "InternalError", 4), (403, "Forbidden", 4)])
@pytest.mark.parametrize("loop", [False, True], ids=["one task", "a loop"])
def test_what_could_not_be_found_out_ends_with_4(
    fake_api: FakeApi, tmp_path: Path, status: int, reason: str, code: int, loop: bool
) -> None:
    fake_api.fail("GET", "/pods", status, reason, SENTENCE, times=9)
    task: Object = {"rarus.lms.environment_info": {**fake_api.params, "clients": ["C42"], "namespace": "lms-dev"}}
    done = play(tmp_path, {**task, "loop": [1]} if loop else task)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.count(SENTENCE) == 1
    assert len(done.stdout.splitlines()) == 1


def test_wrong_input_ends_with_2(fake_api: FakeApi, tmp_path: Path) -> None:
    done = play(tmp_path, {"rarus.lms.environment_info": {**fake_api.params, "clients": ["c42"], "namespace": "lms-dev"}})
    assert (done.returncode, fake_api.requests) == (2, [])


def test_who_ignores_the_unreachable_reads_nothing_of_it(fake_api: FakeApi, tmp_path: Path) -> None:
    fake_api.fail("GET", "/pods", 500, "InternalError", SENTENCE, times=9)
    task: Object = {"rarus.lms.environment_info": {**fake_api.params, "clients": ["C42"], "namespace": "lms-dev"}}
    done = play(tmp_path, {**task, "ignore_unreachable": True, "register": "told"}, {"debug": {"msg": "{{ told.unreachable }}"}})
    assert (done.returncode, done.stdout) == (0, "True\n")
