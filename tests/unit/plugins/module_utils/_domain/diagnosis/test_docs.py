# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and screens of causes in docs/ are those of the code.

With RARUS_LMS_GOLDEN=write in the environment they are written anew; the screens of causes that the lab produces by test_verdict.py alone.
"""

from __future__ import annotations

import re

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Cause
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.recognise import CAUSES
from support.tree import ROOT
from support.verdict_failures import FAILURES, table
from support.verdict_screens import ELSEWHERE, OUTCOMES, SHOWN, Page, generated, plain, recorded_screens, screens, writing

VERDICT = ROOT / "docs" / "verdict.md"
RECORDED = sorted({cause.name for cause in CAUSES} - set(SHOWN))


def row(cause: Cause) -> str:
    """Return one cause's row: its facts in italics, what it does to a wait, and how it was tried."""
    sentence = re.sub(r"\{(\w+)\}", r"*\1*", cause.sentence).replace("|", "\\|")
    tried = "lab" if cause.name in {*SHOWN, *ELSEWHERE} else "recorded"
    return f"| [`{cause.name}`](causes.md#{cause.name}) | {sentence} | {OUTCOMES[cause.severity]} | {tried} |\n"


def test_the_table_of_causes_is_that_of_the_code() -> None:
    head = "| cause | what is told | a wait | tried on |\n| --- | --- | --- | --- |\n"
    assert generated("causes", head + "".join(map(row, CAUSES)), VERDICT), "RARUS_LMS_GOLDEN=write writes docs/verdict.md anew"


def test_the_table_of_failures_is_whole() -> None:
    assert [failure.number for failure in FAILURES] == list(range(1, 39))
    assert {cause for failure in FAILURES for cause in failure.causes} <= {cause.name for cause in CAUSES}
    assert generated("failures", table()), "RARUS_LMS_GOLDEN=write writes docs/causes.md anew"


def test_every_cause_has_its_screen() -> None:
    Page().write()
    assert list(screens()) == [cause.name for cause in CAUSES], "RARUS_LMS_GOLDEN=write, and test_verdict.py for those of the lab"
    assert max(len(line) for screen in screens().values() for line in screen) <= 100


@pytest.mark.parametrize("cause", RECORDED)
def test_the_screen_of_a_recorded_cause(cause: str) -> None:
    assert writing() or screens()[cause] == recorded_screens()[cause], "RARUS_LMS_GOLDEN=write writes docs/causes.md anew"


PLAIN = {
    "Pod verdict/lms-deployment-c101-79bbcdc4f-8bb5f, container c101": "Pod lms-dev/lms-deployment-c42-6d9f-x2k1p, container c42",
    'ReplicaSet "lms-deployment-c143-5f6d8b9c4" has timed out': 'ReplicaSet "lms-deployment-c42-6d9f" has timed out',
    "Job verdict/postgres-setup-c201-0badc0de": "Job lms-dev/postgres-setup-c42-0badc0de",
    "postgres-setup-c201-0badc0de-zx81k": "postgres-setup-c42-0badc0de-x7k2p",
    "kubectl -n verdict get pvc": "kubectl -n lms-dev get pvc",
    "example.com/verdict keeps https://verdict.example/C305/": "example.com/verdict keeps https://verdict.example/C42/",
    'at "10.213.7.115", port 5432; dial tcp 10.214.7.33:8080': 'at "10.0.0.115", port 5432; dial tcp 10.1.0.5:8080',
    'Back-off pulling image "a:b": ErrImagePull: failed to pull': "failed to pull",
    "exceeded quota: verdict, requested: limits.memory=40Gi, used: limits.memory=3008Mi": (
        "exceeded quota: lms-dev, requested: limits.memory=40Gi, used: limits.memory=2Gi"
    ),
    "off the nodes: node.kubernetes.io/not-ready, node.kubernetes.io/unreachable, example.com/verdict=yes (C101)": (
        "off the nodes: example.com/verdict=yes (C42)"
    ),
    'pod: "lms-deployment-c101-6d9f8c7b5-tkqkn_verdict(0f6c1bde-2c34-4f1e-9a77-52a1c1d1f7aa)"': (
        'pod: "lms-deployment-c42-6d9f-x2k1p_lms-dev(8e7c0d52-1f2e-90c4-aabb-ccddeeff0011)"'
    ),
    "2026/11/21 03:10:17 client C143, version dev": "2026-11-21 10:00:04 client C42, version dev",
}


@pytest.mark.parametrize(("told", "shown"), PLAIN.items(), ids=PLAIN.values())
def test_what_is_a_labs_own_is_not_shown(told: str, shown: str) -> None:
    client = next(found for found in ("C101", "C143", "C201", "C305") if found.lower() in told.lower() or found == "C305")
    assert plain([{"told": told}], client) == [{"told": shown}]


def test_a_uid_that_holds_what_looks_like_the_client_is_replaced_whole() -> None:
    assert plain("/pods/4cda12a1-c150-4370-8c5b-ddf9725fd54c/c150", "C150") == "/pods/8e7c0d52-1f2e-90c4-aabb-ccddeeff0011/c42"
