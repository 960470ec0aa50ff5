# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of many environments: the worst first, no line wider than the screen."""

from __future__ import annotations

from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import judge
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Phase, Verdict
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.overview import WORST_FIRST, overview
from support.diagnosis_cases import ENVIRONMENT_CASES, seen_of_case

FAILED = judge(seen_of_case(next(case for case in ENVIRONMENT_CASES if case["cause"] == "image_not_found")))


def test_the_worst_comes_first() -> None:
    rows = [
        (ClientId(7), Verdict(Phase.READY), "Ромашка", ""),
        (ClientId(8), Verdict(Phase.ABSENT), "", "there is no Deployment lms-deployment-c8"),
        (ClientId(42), FAILED, "有限公司" * 10, ""),
    ]
    lines = overview("lms-dev", rows, 1.25)
    assert lines[0] == "lms-dev: 3 clients: 1 failed, 1 absent, 1 ready (1.2 s)"
    assert [line.split()[:2] for line in lines[1:]] == [["C42", "failed"], ["C8", "absent"], ["C7", "ready"]]
    assert "not found in" in lines[1]
    assert lines[3] == "  C7   ready        Ромашка"
    assert max(map(len, lines)) <= 100


def test_nobody() -> None:
    assert overview("lms-dev", [], 0.1) == ["lms-dev: 0 clients: nobody is on the list (0.1 s)"]


def test_every_phase_has_its_rank() -> None:
    assert set(WORST_FIRST) == set(Phase)
