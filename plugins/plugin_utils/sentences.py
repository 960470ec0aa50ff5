# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says in one sentence why a task failed; kubernetes.core tells it by an object in JSON, a Python exception or a word of its own."""

from __future__ import annotations

import json
import re
import typing as t

__all__ = ["sentence_of", "sentence_of_kubernetes_core"]

AGAIN = "Run the same again: what was written is found by it."
# What it says where a list of kinds could not be read, as well as where a kind is not served.
NO_SUCH_KIND = re.compile(r"Failed to find exact match for (\S+) by")
TIME_OUT = re.compile(r"Timed out after (\d+) second")
SHOWN = 300
NEIGHBOUR = "kubernetes.core."
# What Ansible puts before a sentence: which option a lookup of ours was for, or that a role's options are wrong.
BEFORE_THE_SENTENCE = re.compile(r"^(.*The lookup plugin 'rarus\.lms\.\w+' failed: |Validation of arguments failed:\n)", re.DOTALL)


def sentence_of(task: str, action: str, facts: t.Mapping[str, t.Any]) -> str:
    """Return why a task failed: its result's message, or the task's name where no_log hides the result."""
    if facts.get("censored"):
        return f"{task}: failed; its output is hidden because it may hold secrets"
    message = BEFORE_THE_SENTENCE.sub("", str(facts.get("msg") or task))
    return sentence_of_kubernetes_core(task, message) if action.startswith(NEIGHBOUR) and message != task else message


def sentence_of_kubernetes_core(task: str, message: str) -> str:
    """Return what an operator reads of a task of kubernetes.core's that failed, the task's name first."""
    if kind := NO_SUCH_KIND.search(message):
        return f"{task}: the API did not tell that it serves {kind[1]}: it is too busy, or lacks that kind. {AGAIN}"
    if seconds := TIME_OUT.search(message):
        return f"{task}: the API stayed silent, and was given up after {seconds[1]} s. {AGAIN}"
    status = _status(message)
    if status:
        said = str(status.get("message", "")).rstrip(".")
        return f"{task}: Kubernetes answered {status.get('code', '')} {status.get('reason', '')}: {said}."
    first = " ".join(re.sub(r"<[^>]*>|\\n", " ", message).split())[:SHOWN].rstrip(".")
    return f"{task}: {first}. {AGAIN}"


def _status(message: str) -> dict[str, t.Any]:
    """Return the Status of Kubernetes' that a message ends with, empty where there is none."""
    begin = message.find("{")
    try:
        found = json.loads(message[begin:]) if begin >= 0 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}
