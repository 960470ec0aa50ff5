# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads on the terminal, and what not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: A task that goes well
      ansible.builtin.set_fact:
        quiet: true
    - name: A task whose failure is expected
      ansible.builtin.fail:
        msg: expected
      ignore_errors: true
    - name: A loop with one bad item
      ansible.builtin.assert:
        that: item != 2
        fail_msg: "item 2 is bad"
      loop: [1, 2]
      when: loops | bool
    - name: A sentence of a lookup's
      ansible.builtin.debug:
        msg: "{{ lookup('rarus.lms.requests', 'c42', settings={}) }}"
      when: lookups | default(false) | bool
    - name: A secret task
      ansible.builtin.fail:
        msg: canary-4711
      no_log: true
"""


WAITING = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Say a line, and go on until it was read
      waiting:
        until: "{{ seen }}"
"""
# An entry point as the callback sees it: it reports a line, and its task goes on.
WAITING_ACTION = """
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.rarus.lms.plugins.module_utils._k8s.waiting import looks
from ansible_collections.rarus.lms.plugins.plugin_utils.in_process import show


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        show("waiting")
        if any(Path(self._task.args["until"]).exists() for _look in looks(10)):
            return super().run(tmp, task_vars)
        return {"failed": True, "msg": "nobody has read the line"}
"""


def begun(folder: Path, playbook: str, *options: str) -> subprocess.Popen[str]:
    """Begin to run a playbook under the callback."""
    path = folder / "playbook.yml"
    path.write_text(playbook)
    tree = Path(__file__).parents[4] / "playbooks" / "collections"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        "ANSIBLE_STDOUT_CALLBACK": "rarus.lms.operator",
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def screen(tmp_path: Path, *options: str) -> str:
    """Return the whole output of a playbook under the callback; both streams."""
    with begun(tmp_path, PLAYBOOK, *options) as run:
        output, errors = run.communicate(timeout=60)
    assert run.returncode == 2
    return output + errors


def test_a_line_is_seen_at_once_through_a_pipe(tmp_path: Path) -> None:
    seen, actions = tmp_path / "seen", tmp_path / "action_plugins"
    actions.mkdir()
    (actions / "waiting.py").write_text(WAITING_ACTION)
    with begun(tmp_path, WAITING, "-e", f"seen={seen}") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "waiting\n"
        seen.touch()
        rest, errors = run.communicate(timeout=60)
    assert run.returncode == 0, rest + errors


def test_one_line_a_failed_item_and_nothing_else(tmp_path: Path) -> None:
    assert screen(tmp_path, "-e", "loops=true") == "item 2 is bad\n"


def test_a_lookup_s_sentence_stands_alone(tmp_path: Path) -> None:
    shown = screen(tmp_path, "-e", "loops=false", "-e", "lookups=true")
    assert shown == 'client: "c42" is not a client id. Expected C and a number without leading zeros, such as C42.\n'


def test_a_hidden_failure_is_named_without_its_text(tmp_path: Path) -> None:
    assert screen(tmp_path, "-e", "loops=false") == "A secret task: failed; its output is hidden because it may hold secrets\n"


@pytest.mark.parametrize("banner", ["TASK [A task that goes well]", "PLAY RECAP"])
def test_verbose_shows_the_banners(tmp_path: Path, banner: str) -> None:
    assert banner in screen(tmp_path, "-e", "loops=false", "-v")
