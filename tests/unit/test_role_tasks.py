# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.core repeats nothing by itself, waits for ever and knows of no Lease: what calls it for a client does so in one place."""

from __future__ import annotations

from typing import Any

import yaml
from support.tree import ROOT, tracked

# What an administrator runs once, and sees fail.
OF_THE_ADMINISTRATOR = "roles/namespace/"
ATTEMPT = "roles/lease/tasks/attempt.yml"
FINAL = ("Unauthorized", "Forbidden", "Unprocessable Entity", "Conflict")


def tasks(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROOT / name).read_text()) or [])


def test_kubernetes_core_is_called_in_one_place() -> None:
    names = [name for name in tracked("roles/*/tasks/*.yml") if not name.startswith(OF_THE_ADMINISTRATOR)]
    assert ATTEMPT in names
    assert [name for name in names if "kubernetes.core.k8s" in (ROOT / name).read_text()] == [ATTEMPT]


def test_an_attempt_ends_by_itself_and_fails_where_another_one_would_not_help() -> None:
    attempt, last = tasks(ATTEMPT)
    assert attempt["kubernetes.core.k8s"] == last["kubernetes.core.k8s"]
    for task in (attempt, last):
        assert task["timeout"] == "{{ lease_settings.apply_timeout_seconds }}"
    assert all(f"'{reason}'" in attempt["failed_when"] for reason in FINAL)
    assert "failed_when" not in last, "it would hide what a module that broke has said"


def test_an_attempt_comes_after_a_look_at_the_lease() -> None:
    first, attempt, others = tasks("roles/lease/tasks/write.yml")
    assert (first["ansible.builtin.include_tasks"], first["when"]) == ("main.yml", "lease_look")
    assert attempt["ansible.builtin.import_tasks"] == "attempt.yml"
    assert others["ansible.builtin.include_tasks"] == "again.yml"
    (block,) = tasks("roles/lease/tasks/again.yml")
    assert [task.get("ansible.builtin.include_tasks") for task in block["block"]] == [None, "main.yml", "attempt.yml"]


def test_a_removal_takes_just_the_object_that_was_judged() -> None:
    options = tasks(ATTEMPT)[0]["kubernetes.core.k8s"]["delete_options"]
    assert options == {"propagationPolicy": "Background", "preconditions": {"uid": "{{ lease_uid }}"}}
    for name in ("roles/databases/tasks/run.yml", "roles/environment/tasks/apply.yml"):
        (removal,) = [task for task in tasks(name) if task.get("vars", {}).get("lease_state") == "absent"]
        assert removal["vars"]["lease_uid"] == "{{ item.uid }}"
        assert "lease_look" not in removal["vars"]
