# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict for machines: JSON by docs/report-schema.json, or JUnit as test systems read it."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from .client_id import ClientId

__all__ = ["SCHEMA", "Report", "not_judged"]

SCHEMA = 1
Obj = dict[str, t.Any]
# What JUnit calls each phase; others have passed.
_FAILURES, _ERRORS, _SKIPPED = ("failed", "degraded", "progressing"), ("unknown",), ("suspended", "absent", "retired")


@dataclass(frozen=True)
class Report:
    """What was found: environments as rarus.lms.environment_info returns them; written is a time (ISO 8601, UTC), seconds what it took.

    ended: why the run ended before the verdict, empty where there is one.
    """

    namespace: str
    written: str
    version: str
    seconds: float
    environments: t.Sequence[Obj]
    ended: str = ""

    def as_json(self) -> str:
        """Return the report by the published schema."""
        document = {
            "schema": SCHEMA,
            "written": self.written,
            "version": self.version,
            "namespace": self.namespace,
            "seconds": self.seconds,
            **({"ended": self.ended} if self.ended else {}),
            "phases": dict(sorted(Counter(one["phase"] for one in self.environments).items())),
            "environments": list(self.environments),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def as_junit(self) -> str:
        """Return the report as JUnit's XML: one test suite, a test case for each client, or one where the run ended before it had any."""
        ended = {"client": "run", "phase": "unknown", "seconds": self.seconds, "message": self.ended, "findings": []}
        environments = self.environments or ([ended] if self.ended else [])
        phases = [one["phase"] for one in environments]
        counts = {
            "tests": len(phases),
            "failures": sum(phase in _FAILURES for phase in phases),
            "errors": sum(phase in _ERRORS for phase in phases),
            "skipped": sum(phase in _SKIPPED for phase in phases),
        }
        attributes = {name: str(count) for name, count in counts.items()}
        times = {"timestamp": self.written.rstrip("Z"), "time": str(self.seconds)}
        suite = ET.Element("testsuite", {"name": f"rarus.lms {self.namespace}", **attributes, **times})
        for one in environments:
            case = ET.SubElement(suite, "testcase", {"classname": self.namespace, "name": one["client"], "time": str(one["seconds"])})
            tag = _tag(one["phase"])
            if tag:
                first = one["findings"][0]["cause"] if one["findings"] else one["phase"]
                ET.SubElement(case, tag, {"type": first, "message": _legal(one["message"] or one["phase"])}).text = _legal(_told(one))
        ET.indent(suite)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def not_judged(client: ClientId, namespace: str, task: str, message: str, findings: t.Sequence[Obj] = ()) -> Obj:
    """Return an environment that a run did not come to judge, in the form of those that were.

    task, message: where the run ended, and why. findings: what is known of it all the same, as that its database Job failed.
    """
    ended = {
        "cause": "run_ended",
        "severity": "fatal",
        "object": f"Task {task}",
        "container": "",
        "reason": "",
        "message": message,
        "since": "",
    }
    none: Obj = {"evidence": [], "log": [], "next": "correct that, then run the same command again", "exit_code": None}
    return {
        "client": client.id,
        "namespace": namespace,
        "organisation": "",
        "phase": "failed" if findings else "unknown",
        "message": findings[0]["message"] if findings else message,
        "serving": False,
        "address": "",
        "image": "",
        "seconds": 0.0,
        "findings": list(findings) or [{**ended, **none}],
        "pods": [],
        "not_seen": ["the environment: the run ended before it was looked at"],
    }


def _tag(phase: str) -> str:
    """Return the element that a phase becomes, empty for one that has passed."""
    return "failure" if phase in _FAILURES else "error" if phase in _ERRORS else "skipped" if phase in _SKIPPED else ""


def _told(one: Obj) -> str:
    """Return the findings of one environment as lines."""
    lines = []
    for finding in one["findings"]:
        lines += [f"{finding['object']}: {finding['message']} ({finding['reason']})", *finding["evidence"], *finding["log"]]
        lines += [f"next: {finding['next']}"]
    return "\n".join(lines)


def _legal(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(char for char in text if char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff")
