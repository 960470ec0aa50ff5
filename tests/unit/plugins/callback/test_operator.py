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


def screen(tmp_path: Path, *options: str) -> str:
    """Return the whole output of a playbook under the callback; both streams."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    tree = Path(__file__).parents[4] / "playbooks" / "collections"
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "rarus.lms.operator",
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(playbook), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 2
    return done.stdout + done.stderr


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
