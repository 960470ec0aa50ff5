# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.core repeats nothing by itself, waits for ever and knows of no Lease: what calls it for a client does so in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.tree import ROOT, tracked

# What an administrator runs once, and sees fail.
OF_THE_ADMINISTRATOR = "roles/namespace/"
INCLUDED, ROLE = "ansible.builtin.include_tasks", "ansible.builtin.include_role"
ATTEMPT = "roles/lease/tasks/attempt.yml"
FINAL = ("Unauthorized", "Forbidden", "Unprocessable Entity", "Conflict")


def tasks(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROOT / name).read_text()) or [])


def test_kubernetes_core_is_called_in_one_place() -> None:
    names = [name for name in tracked("roles/*/tasks/*.yml") if not name.startswith(OF_THE_ADMINISTRATOR)]
    assert ATTEMPT in names
    assert [name for name in names if "kubernetes.core.k8s" in (ROOT / name).read_text()] == [ATTEMPT]


def test_an_attempt_ends_by_itself_and_fails_where_another_one_would_not_help() -> None:
    (attempt,) = tasks(ATTEMPT)
    assert attempt["timeout"] == "{{ lease_settings.apply_timeout_seconds }}"
    assert all(f"'{reason}'" in attempt["failed_when"] for reason in FINAL)


def test_another_attempt_comes_after_a_look_at_the_lease() -> None:
    first, others = tasks("roles/lease/tasks/write.yml")
    assert first["ansible.builtin.import_tasks"] == "attempt.yml"
    assert (others[INCLUDED], others["when"]) == ("again.yml", "__lease_written.result is not defined")
    another, broken = tasks("roles/lease/tasks/again.yml")
    assert (another[INCLUDED], another["loop"]) == ("another.yml", [2, 1, 0])
    assert broken["when"] == "__lease_written.result is not defined", "what broke off is no success"
    (block,) = tasks("roles/lease/tasks/another.yml")
    assert [task.get(INCLUDED) for task in block["block"]] == [None, "main.yml", "attempt.yml"]


@pytest.mark.parametrize("name", ["roles/databases/tasks/run.yml", "roles/environment/tasks/apply.yml"])
def test_what_writes_looks_at_the_lease_right_before(name: str) -> None:
    """A removal looks before and after itself, as it may take long; what is planned again is looked at again."""
    look, again, *writes = tasks(name)[:4]
    assert look[ROLE]["name"] == "rarus.lms.lease"
    assert (again[INCLUDED], again["when"]) == ("plan_again.yml", "lease_held.waited")
    assert tasks(str(Path(name).with_name("plan_again.yml")))[-1][ROLE] == look[ROLE]
    found = [(task.get(ROLE) or task["ansible.builtin.import_role"])["tasks_from"] for task in writes]
    assert found == (["remove", "write"] if "databases" in name else ["write", "remove"])
    assert [task.get("ansible.builtin.include_tasks") for task in tasks("roles/lease/tasks/remove.yml")] == ["main.yml", None, "main.yml"]


@pytest.mark.parametrize("name", ["roles/databases/tasks/run.yml", "roles/environment/tasks/apply.yml"])
def test_a_removal_takes_just_the_object_that_was_judged(name: str) -> None:
    options = tasks(ATTEMPT)[0]["kubernetes.core.k8s"]["delete_options"]
    assert options == {"propagationPolicy": "Background", "preconditions": {"uid": "{{ lease_uid }}"}}
    (removal,) = [task for task in tasks(name) if task.get("vars", {}).get("lease_state") == "absent"]
    assert removal["vars"]["lease_uid"] == "{{ item.uid }}"
    assert removal[ROLE]["tasks_from"] == "remove"
