# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run waits longer for the database Jobs than Kubernetes lets any of them run, so that it is Kubernetes who says why one ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from support.playbook import ROOT, Expression, evaluate
from support.requests import write_catalogue

# The longest deadline among the Jobs, the catalogue's own, and how long the run waits.
CASES = {"own": (900, 300, 910), "catalogue": (60, 300, 310), "none": (0, 120, 130)}


def test_the_wait_is_longer_than_every_deadline(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "databases" / "tasks" / "run.yml").read_text())
    (wait,) = (task["rarus.lms.jobs_info"]["wait_timeout"] for task in tasks if "rarus.lms.jobs_info" in task)
    expressions: dict[str, Expression] = {
        name: (wait.strip("{} "), _variables(longest, catalogue)) for name, (longest, catalogue, _waits) in CASES.items()
    }
    found = evaluate(tmp_path, write_catalogue(tmp_path / "lms-dev", "lms-dev"), expressions)
    assert {name: int(value) for name, value in found.items()} == {name: waits for name, (_longest, _catalogue, waits) in CASES.items()}


def _variables(longest: int, catalogue: int) -> dict[str, Any]:
    return {"databases_plan": {"jobs": {"deadline": longest}}, "databases_settings": {"job_deadline_seconds": catalogue}}
