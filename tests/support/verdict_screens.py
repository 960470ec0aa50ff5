# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/causes.md: what an operator reads of each cause, written by the tests and held by them.

A cause that the lab produces has the screen of that run, with what is another in every run replaced (`plain`); the others have that of
their recorded case. With RARUS_LMS_GOLDEN=write in the environment the page is written anew, by the unit tests and those of the lab.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import image_of, judge, pods_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.jobs import judge_job
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Finding, Phase, Severity, Verdict
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.recognise import CAUSES
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.screens import (
    screen_of_failure,
    screen_of_job_failure,
    screen_of_state,
)
from ansible_collections.rarus.lms.plugins.module_utils._operations.jobs_info import UNCHANGED

from .diagnosis_cases import ENVIRONMENT_CASES, JOB_CASES, seen_of_case, seen_of_job_case
from .tree import ROOT
from .verdict_faults import FAULTS, Fault
from .verdict_jobs import JOB_FAULTS, JobFault
from .verdict_paths import ANSWER_FAULTS, PATH_FAULTS
from .verdict_world import CLUSTER_FAULTS, SILENT_FAULT, SINGLE_FAULTS, UNSEEN_FAULT

__all__ = [
    "ELSEWHERE",
    "OUTCOMES",
    "PAGE",
    "SHOWN",
    "Page",
    "generated",
    "plain",
    "recorded_screens",
    "screen_of_environment",
    "screen_of_job",
    "screens",
    "writing",
]

Obj = dict[str, t.Any]
PAGE = ROOT / "docs" / "causes.md"
ADDRESS = "https://backend.lms-dev.example/C42/"
OUTCOMES = {Severity.FATAL: "ends the wait", Severity.WAITING: "is waited for", Severity.NOTE: "is noted"}
# What a back end says of a DNS that is broken is another in every run; the Job's words are shown.
_WITHOUT = {"cluster_dns"}
_LAB: tuple[Fault | JobFault, ...] = (
    *(one for one in FAULTS if one.cause not in _WITHOUT),
    *PATH_FAULTS,
    *ANSWER_FAULTS,
    *CLUSTER_FAULTS,
    SILENT_FAULT,
    UNSEEN_FAULT,
    *SINGLE_FAULTS,
    *JOB_FAULTS,
)
# The causes that the lab produces, each with the first fault that is one: the one that is shown.
SHOWN: dict[str, Fault | JobFault] = {fault.cause: fault for fault in reversed(_LAB)}
# The causes that other tests produce on the lab; their screens here are recorded.
ELSEWHERE = {"certificate_name": "test_probe.py", "image_newer": "test_probe.py"}
# The exit code of a program that could not be started; Kubernetes tells it a moment after the reason.
NOT_STARTED = 128
# The seconds that every screen of the page shows.
SECONDS = 5.2
# A uid may hold what looks like a client's id, and is replaced before that is.
UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# What is another in every run or on every lab, and what the page has in its place; of Kubernetes' words for one thing, the first one.
PLAIN = (
    (r"\b(lms-deployment-c42)-[a-z0-9]{6,10}-[a-z0-9]{5}(?![a-z0-9])", r"\1-6d9f-x2k1p"),
    (r"\b(lms-deployment-c42)-[a-z0-9]{6,10}(?![a-z0-9])", r"\1-6d9f"),
    (r"\b((postgres|clickhouse)-setup-c42-[0-9a-f]{8})-[a-z0-9]{5}\b", r"\1-x7k2p"),
    (r"(?<![A-Za-z0-9./-])verdict(?![\w.=-])", "lms-dev"),
    (r"\b10\.213\.\d+\.(\d+)\b", r"10.0.0.\1"),
    (r"\b10\.214\.\d+\.\d+\b", "10.1.0.5"),
    (r"\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "2026-11-21 10:00:04"),
    (r"sha256:[0-9a-f]{8}[0-9a-f]*", "sha256:1f2e90c4"),
    (r"^Back-off pulling image \"[^\"]+\": ErrImagePull: ", ""),
    (r"^ImagePullBackOff$", "ErrImagePull"),
    (r"^RunContainerError$", "StartError"),
    (r"(node\.kubernetes\.io/[a-z-]+, )+", ""),
    (r'"base/\d+/\d+"', '"base/5/16384"'),
    (r"\bused: ([\w.]+)=\w+", r"used: \1=2Gi"),
    (r"\bby now: ([\w.]+) \w+ of", r"by now: \1 2Gi of"),
    (r"\b0/\d+ nodes are available", "0/1 nodes are available"),
)


def writing() -> bool:
    """Return whether the page is to be written, and not held."""
    return os.environ.get("RARUS_LMS_GOLDEN") == "write"


def screens() -> dict[str, list[str]]:
    """Return the screens of the page as it stands, by their causes."""
    found = re.findall(r"^### `(\w+)`\n[^`]*```\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return {cause: screen.splitlines() for cause, screen in found}


def generated(name: str, text: str, page: Path = PAGE) -> bool:
    """Write a part of a page, or return whether it is as given: what stands between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    head, rest = page.read_text().split(begin)
    old, tail = rest.split(end)
    if writing():
        page.write_text(head + begin + text + end + tail)
    return writing() or old == text


class Page:
    """The screens that tests of the lab see, held against the page's or written into it."""

    def __init__(self) -> None:
        self._seen: dict[str, list[str]] = {}

    def hold(self, cause: str, screen: list[str]) -> None:
        """Compare a screen with the page's; AssertionError where they differ."""
        self._seen[cause] = screen
        another = "docs/causes.md has another screen than this; RARUS_LMS_GOLDEN=write writes it:"
        assert writing() or screen == screens().get(cause), "\n".join([another, *screen])

    def write(self) -> None:
        """Write the screens that were seen, those of recorded cases, and what the page has of the others."""
        if writing():
            recorded = {cause: screen for cause, screen in recorded_screens().items() if cause not in SHOWN}
            generated("screens", sections({**screens(), **recorded, **self._seen}))


def sections(shown: t.Mapping[str, list[str]]) -> str:
    """Return the sections of all causes in their order."""
    return "\n".join(
        f"### `{cause.name}`\n{OUTCOMES[cause.severity].capitalize()}; {_tried(cause.name)}.\n"
        + "".join(f"{line}\n" for line in ["```", *shown[cause.name], "```"])
        for cause in CAUSES
        if cause.name in shown
    )


def _tried(cause: str) -> str:
    if cause in ELSEWHERE:
        return f"produced on the lab by {ELSEWHERE[cause]}, the screen recorded"
    return "produced on the lab" if cause in SHOWN else "recorded"


def recorded_screens() -> dict[str, list[str]]:
    """Return the screen of each cause's first recorded case."""
    found: dict[str, list[str]] = {}
    for case in ENVIRONMENT_CASES:
        seen = seen_of_case(case)
        verdict = judge(seen).given_up()
        if verdict.phase is Phase.READY:
            screen = screen_of_state("C42", "lms-dev", verdict, address=ADDRESS, image=image_of(seen), pods=pods_of(seen))
        else:
            screen = screen_of_failure("C42", "lms-dev", verdict, seconds=SECONDS)
        found.setdefault(case["cause"], screen)
    for case in JOB_CASES:
        name, job, seen = seen_of_job_case(case)
        findings = [finding.decided() for finding in judge_job(name, job, seen).findings]
        found.setdefault(case["cause"], screen_of_job_failure("C42", "lms-dev", name, findings, seconds=SECONDS, state=UNCHANGED))
    return found


def screen_of_environment(told: Obj, *, seconds: float = SECONDS) -> list[str]:
    """Return the screen of an environment from its result."""
    verdict = Verdict(Phase(told["phase"]), tuple(map(_finding, told["findings"])), serving=told["serving"])
    if verdict.phase is Phase.READY:
        facts = {"address": told["address"], "image": told["image"], "pods": told["pods"]}
        return screen_of_state(told["client"], told["namespace"], verdict, **facts)
    not_seen = [text for text in told["not_seen"] if not (verdict.findings and "IngressClass" in text)]
    return screen_of_failure(told["client"], told["namespace"], verdict, seconds=seconds, not_seen=not_seen)


def screen_of_job(told: Obj, *, namespace: str = "lms-dev", seconds: float = SECONDS) -> list[str]:
    """Return the screen of a Job that failed from its result."""
    findings = [_finding(one).decided() for one in told["findings"]]
    return screen_of_job_failure(told["client"], namespace, told["name"], findings, seconds=seconds, state=UNCHANGED)


def _finding(told: Obj) -> Finding:
    severity = Severity(told["severity"])
    return Finding(**{**told, "severity": severity, "evidence": tuple(told["evidence"]), "log": tuple(told["log"])})


def plain(told: t.Any, client: str) -> t.Any:
    """Return a result of the lab with what is its own replaced by what people know: the client is C42, the namespace lms-dev."""
    if isinstance(told, dict):
        shown = {key: plain(value, client) for key, value in told.items()}
        return {**shown, "exit_code": NOT_STARTED} if shown.get("reason") == "StartError" else shown
    if isinstance(told, list):
        return [plain(value, client) for value in told]
    if not isinstance(told, str):
        return told
    text = UID.sub("8e7c0d52-1f2e-90c4-aabb-ccddeeff0011", told)
    text = re.sub(rf"\b{client}\b", "C42", re.sub(rf"(?<![a-z0-9]){client.lower()}(?![a-z0-9])", "c42", text))
    for pattern, known in PLAIN:
        text = re.sub(pattern, known, text)
    return text
