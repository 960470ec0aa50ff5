# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates Jinja expressions as a playbook does: by ansible-playbook itself, on the host of one catalogue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Expression", "evaluate", "run_playbook"]

# A Jinja expression, or one with variables of its own.
Expression = str | tuple[str, dict[str, Any]]

ROOT = Path(__file__).parents[2]
SECONDS = 120


def run_playbook(playbook: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook of this Python, which finds this checkout's collection; env joins the environment without K8S_AUTH_*."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "ANSIBLE_"))}
    found = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"), "ANSIBLE_NOCOLOR": "1"}
    argv = [sys.executable, "-m", "ansible", "playbook", *arguments, str(playbook)]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=SECONDS, cwd=playbook.parent, env={**inherited, **found, **(env or {})}
    )


def evaluate(folder: Path, inventory: Path, expressions: Mapping[str, Expression], *words: str) -> dict[str, Any]:
    """Return the value of each Jinja expression, or the failure's text where it fails; all in one run of ansible-playbook.

    An expression may come with variables of its own, which win over the catalogue's. words: more of ansible-playbook's own.
    """
    tasks: list[dict[str, Any]] = []
    for name, given in expressions.items():
        expression, variables = (given, {}) if isinstance(given, str) else given
        fact = {"ansible.builtin.set_fact": {"value": "{{ " + expression + " }}"}, "vars": variables}
        tasks.append({**fact, "register": f"of_{name}", "ignore_errors": True})
    found = ", ".join(f"'{name}': of_{name}.ansible_facts.value if of_{name} is success else of_{name}.msg" for name in expressions)
    values = folder / "values.json"
    tasks.append({"ansible.builtin.copy": {"dest": str(values), "mode": "0600", "content": "{{ {" + found + "} | to_json }}"}})
    playbook = folder / "evaluate.yml"
    playbook.write_text(json.dumps([{"hosts": "lms_catalogues", "gather_facts": False, "tasks": tasks}]))
    done = run_playbook(playbook, "-i", str(inventory), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(values.read_text()))
