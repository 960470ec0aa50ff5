# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.core repeats nothing by itself and waits for ever: every task that calls it for a client says how often, and how long."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.tree import ROOT, tracked

# What an administrator runs once, and sees fail.
OF_THE_ADMINISTRATOR = "roles/namespace/"
NEVER_REPEATED = ("Unauthorized", "Forbidden", "Unprocessable Entity")
FILES = [name for name in tracked("roles/*/tasks/*.yml") if not name.startswith(OF_THE_ADMINISTRATOR)]
CALLS: dict[str, dict[str, Any]] = {
    f"{name}: {task['name']}": task
    for name in FILES
    for task in yaml.safe_load((ROOT / name).read_text()) or []
    if "kubernetes.core.k8s" in task
}
DELETIONS = [name for name, task in CALLS.items() if task["kubernetes.core.k8s"]["state"] == "absent"]


def test_such_tasks_are_found() -> None:
    assert len(CALLS) > len(DELETIONS) > 1


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_kubernetes_core_is_repeated_and_given_up(name: str) -> None:
    task = CALLS[name]
    assert task["retries"] > 0
    assert task["delay"] > 0
    assert task["timeout"].endswith("_settings.apply_timeout_seconds }}")
    repeated = " ".join(task["until"].split())
    assert repeated.startswith(f"{task['register']} is not failed or {task['register']}.reason | default('') in ")
    assert all(f"'{reason}'" in repeated for reason in NEVER_REPEATED)


@pytest.mark.parametrize("name", DELETIONS)
def test_a_deletion_takes_just_the_object_that_was_judged(name: str) -> None:
    options = CALLS[name]["kubernetes.core.k8s"]["delete_options"]
    assert options == {"propagationPolicy": "Background", "preconditions": {"uid": "{{ item.uid }}"}}
    assert "'Conflict'" in CALLS[name]["until"]
