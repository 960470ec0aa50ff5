# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clean room takes for a second demo: one that builds nothing and changes nothing."""

from __future__ import annotations

import clean_room
import pytest

SECOND = """
--- a cluster of its own: lab demo
lab demo serves after 1.9 s; /var/lib/rarus-lms/labs/demo/lab.json says where everything is
$ cd playbooks && ansible-playbook provision_client.yml -e client=C42
C42 is ready, nothing changed (1.9 s)   https://backend.lms-dev.example/C42/
Run it again: `make demo` builds nothing and changes nothing. Stop: make lab-down NAME=demo
"""


def test_a_second_demo_builds_and_changes_nothing() -> None:
    assert clean_room.unlike_a_second(SECOND) == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("virtualenv: installing py311.txt into /root/.cache", "'virtualenv: installing py311.txt into /root/.cache'"),
        ("building etcd 3.7.3; this happens once for these versions", "'building etcd"),
        ("etcd 3.7.3: built in 97 s", "'etcd 3.7.3: built in 97 s'"),
        ("pushing registry.example/lms/backend:dev (14 MiB)", "'pushing registry.example"),
        ("  client       C42 is new: registered    0.0 s", "'client       C42 is new: registered    0.0 s'"),
    ],
)
def test_one_that_does_is_told_by_its_line(line: str, words: str) -> None:
    assert words in clean_room.unlike_a_second(f"{SECOND}{line}\n")


def test_one_that_does_not_say_so_is_told() -> None:
    assert clean_room.unlike_a_second("C42 is ready after 9.5 s") == "it does not say that nothing changed"
