# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each cause of the tables is named by its own case: objects as the API shows them, and the finding that an operator gets (cases/*.yml)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import judge
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.jobs import judge_job
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Finding, Phase
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.recognise import CAUSES
from support.diagnosis_cases import ENVIRONMENT_CASES, JOB_CASES, case_id, seen_of_case, seen_of_job_case


def assert_told(case: dict[str, t.Any], findings: t.Sequence[Finding]) -> None:
    """The first finding says what the case expects, and leaves no fact open."""
    assert findings, "nothing was found"
    found = findings[0]
    assert (found.cause, found.message) == (case["cause"], case["message"])
    assert found.severity.value == case.get("severity", "fatal")
    assert case.get("next", "") in found.next
    assert found.next
    assert found.exit_code == case.get("exit_code", found.exit_code)
    assert found.object == case.get("object", found.object)
    assert found.reason == case.get("reason", found.reason)
    assert case.get("evidence", "") in "\n".join(found.evidence)
    assert "(reason)" not in found.message + found.next
    assert len(found.message) < 200


@pytest.mark.parametrize("case", ENVIRONMENT_CASES, ids=case_id)
def test_environment(case: dict[str, t.Any]) -> None:
    verdict = judge(seen_of_case(case))
    assert_told(case, verdict.findings)
    assert verdict.phase.value == case.get("phase", "failed")


@pytest.mark.parametrize("case", JOB_CASES, ids=case_id)
def test_job(case: dict[str, t.Any]) -> None:
    name, job, seen = seen_of_job_case(case)
    verdict = judge_job(name, job, seen)
    assert_told(case, verdict.findings)
    assert verdict.certain_to_fail == (case.get("severity", "fatal") == "fatal")


def test_every_cause_has_its_case() -> None:
    tried = {case["cause"] for case in [*ENVIRONMENT_CASES, *JOB_CASES]}
    assert {cause.name for cause in CAUSES} - tried == set()
    assert tried - {cause.name for cause in CAUSES} == set()


def test_names_of_causes_are_unique() -> None:
    names = [cause.name for cause in CAUSES]
    assert sorted(names) == sorted(set(names))


def test_the_base_of_all_cases_is_ready() -> None:
    for publish in ("none", "ingress", "httproute"):
        verdict = judge(seen_of_case({"ready": True, "publish": publish}))
        assert (verdict.phase, verdict.findings) == (Phase.READY, ())
