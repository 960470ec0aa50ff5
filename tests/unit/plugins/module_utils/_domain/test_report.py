# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports for machines: JSON by the published schema, JUnit by its counts."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Phase
from ansible_collections.rarus.lms.plugins.module_utils._domain.report import Report

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report-schema.json").read_text())
FINDING = {
    "cause": "crash",
    "severity": "fatal",
    "object": "Pod lms-dev/x",
    "container": "c42",
    "reason": "Error",
    "message": "it ends with <exit code> 3",
    "since": "2026-11-21T10:00:00Z",
    "evidence": ["a\x00b"],
    "log": ["ends now"],
    "next": "correct it",
    "exit_code": 3,
}


def environment(phase: str, **more: t.Any) -> dict[str, t.Any]:
    """Return one environment as the verdict has it."""
    facts: dict[str, t.Any] = {"client": "C42", "namespace": "lms-dev", "organisation": "", "phase": phase, "message": "", "serving": True}
    return {**facts, "address": "", "image": "", "seconds": 0.5, "findings": [], "pods": [], "not_seen": [], **more}


def report(*environments: dict[str, t.Any]) -> Report:
    return Report("lms-dev", "2026-11-21T10:00:00Z", "0.1.0", 1.5, environments)


def test_json_is_what_the_schema_says() -> None:
    told = json.loads(report(environment("ready"), environment("failed", findings=[FINDING], message="x")).as_json())
    jsonschema.validate(told, SCHEMA)
    assert told["phases"] == {"failed": 1, "ready": 1}


def test_the_schema_knows_every_phase() -> None:
    assert set(SCHEMA["$defs"]["phase"]["enum"]) == {phase.value for phase in Phase}


@pytest.mark.parametrize("wrong", [{"phase": "broken"}, {"client": "c42"}, {"findings": [{}]}])
def test_the_schema_refuses_what_is_no_report(wrong: dict[str, t.Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(report({**environment("ready"), **wrong}).as_json()), SCHEMA)


def test_junit_counts_and_tells() -> None:
    bad = environment("failed", findings=[FINDING], message=FINDING["message"])
    suite = ET.fromstring(report(environment("ready"), bad, environment("unknown"), environment("suspended")).as_junit())
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("crash", "it ends with <exit code> 3")
    assert failure.text is not None
    assert "ends now" in failure.text
    assert "ab" in failure.text
