# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as an operator reads it: one screen, the cause first, then how it is known, then the next step."""

from __future__ import annotations

import typing as t

from ..screen import failure, short_image
from .model import Finding, Obj, Phase, Severity, Verdict

__all__ = ["headline", "screen_of_failure", "screen_of_job_failure", "screen_of_state", "state_of_environment"]

LOG_LINES_SHOWN = 6
EVIDENCE_SHOWN = 300
HEADLINES = {Phase.FAILED: "FAILED", Phase.DEGRADED: "is DEGRADED"}
UNTOUCHED = "nothing to clean up"


def headline(verdict: Verdict) -> str:
    """Return the first cause in one line; what is waited for where nothing is wrong."""
    told = next((one.message for one in verdict.findings if one.severity is not Severity.NOTE), "")
    return told or (verdict.progress[-1] if verdict.progress else f"it is {verdict.phase.value}")


def state_of_environment(verdict: Verdict) -> str:
    """Return what is left standing, in words for who has to decide whether to hurry."""
    if verdict.phase is Phase.UNKNOWN:
        return "not known: it was not looked at, and nothing was touched"
    if verdict.serving:
        fatal = [one for one in verdict.findings if one.severity is Severity.FATAL]
        replaced = any(one.object.startswith(("Pod ", "ReplicaSet ")) or one.cause.startswith("rollout_") for one in fatal)
        return f"requests are still served by the pods of before; {UNTOUCHED}" if replaced else f"the pods are ready and serve; {UNTOUCHED}"
    return f"nothing serves this client; what was applied stays, its data and credentials are kept; {UNTOUCHED}"


def screen_of_failure(client: str, namespace: str, verdict: Verdict, *, seconds: float, not_seen: t.Iterable[str] = ()) -> list[str]:
    """Return the screen of an environment that is not ready and will not be."""
    first = f"{client} in {namespace} {HEADLINES.get(verdict.phase, 'FAILED')} after {seconds:.1f} s: {headline(verdict)}"
    return failure(first, [*_facts(verdict.findings), ("state", [state_of_environment(verdict)]), *_next(verdict.findings, not_seen)])


def screen_of_job_failure(
    client: str, namespace: str, job: str, findings: t.Sequence[Finding], *, seconds: float, state: str, not_seen: t.Iterable[str] = ()
) -> list[str]:
    """Return the screen of a Job that failed or is certain to."""
    first = f"{client} in {namespace} FAILED after {seconds:.1f} s: {findings[0].message}"
    return failure(first, [*_facts(findings, job=job), ("state", [state]), *_next(findings, not_seen)])


def screen_of_state(
    client: str,
    namespace: str,
    verdict: Verdict,
    *,
    address: str,
    image: str,
    pods: t.Sequence[Obj],
    not_seen: t.Iterable[str] = (),
    why: str = "",
) -> list[str]:
    """Return the screen of an environment as it stands, without waiting; why says what else is known of one that is absent."""
    name = f"{client} in {namespace} is {verdict.phase.value}"
    notes = [one for one in verdict.findings if one.severity is Severity.NOTE]
    if verdict.phase is Phase.READY:
        facts = [("image", [short_image(image)] if image else []), ("pods", [_pod_line(pod) for pod in pods])]
        told = [("note", [one.message for one in notes]), ("next", list(dict.fromkeys(one.next for one in notes)))]
        return failure(f"{name}   {address}".rstrip(), [*facts, *told])
    if verdict.phase in (Phase.ABSENT, Phase.SUSPENDED):
        return failure(f"{name}: {why}" if why else name, _facts(verdict.findings))
    facts = [*_facts(verdict.findings), ("pods", [_pod_line(pod) for pod in pods]), ("state", [state_of_environment(verdict)])]
    return failure(f"{name}: {headline(verdict)}", [*facts, *_next(verdict.findings, not_seen)])


def _facts(findings: t.Sequence[Finding], *, job: str = "") -> list[tuple[str, list[str]]]:
    """Return where the first cause is and how it is known, then the other causes."""
    told = [one for one in findings if one.severity is not Severity.NOTE]
    if not told:
        return []
    first, others = told[0], told[1:]
    reason = [f"{first.reason}: {_cut(line)}" for line in first.evidence[:1]] or ([] if first.log else [first.reason])
    return [
        ("object", [_object(first, job)]),
        ("reason", [*reason, *first.evidence[1:]]),
        ("log", list(first.log[-LOG_LINES_SHOWN:])),
        ("also", [f"{one.message} ({one.object})" for one in others]),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= EVIDENCE_SHOWN else text[:EVIDENCE_SHOWN] + "..."


def _next(findings: t.Sequence[Finding], not_seen: t.Iterable[str]) -> list[tuple[str, list[str]]]:
    told = [one.next for one in findings if one.severity is not Severity.NOTE]
    return [("next", list(dict.fromkeys(told))), ("unseen", list(not_seen))]


def _object(finding: Finding, job: str) -> str:
    """Return the object, its container and exit code; a Job's pod by the end of its name."""
    parts = [finding.object]
    if job and finding.object.startswith("Pod "):
        pod = finding.object.partition("/")[2]
        parts = [f"Job {job}", f"pod ...{pod.removeprefix(job)}" if pod.startswith(job) else f"pod {pod}"]
    if finding.container:
        parts.append(f"container {finding.container}")
    if finding.exit_code is not None:
        parts.append(f"exit code {finding.exit_code}")
    return ", ".join(parts)


def _pod_line(pod: Obj) -> str:
    """Return one pod and its containers' states on one line, in the API's words."""
    states = []
    for container in pod["containers"]:
        for word, detail in container["state"].items():
            more = detail.get("reason") or ("ready" if container.get("ready") else "not ready" if word == "running" else "")
            restarts = f", {container['restarts']} restarts" if container.get("restarts") else ""
            states.append(f"{container['name']} {word}{f' ({more})' if more else ''}{restarts}")
    return f"{pod['name']}: {'; '.join(states) or pod['phase']}"
