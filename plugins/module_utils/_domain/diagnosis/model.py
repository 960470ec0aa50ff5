# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the diagnosis: what was seen, what is wrong in Kubernetes' words, and what that means to an operator.

seen (objects of the API) -> symptoms (what Kubernetes says is wrong, `symptoms_*.py`) -> findings (what it means and what to do, by the
tables of causes, `causes_*.py`) -> a verdict (`environment.py`, `jobs.py`). Nothing here reads the API, a file or the clock.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..client_id import ClientId

__all__ = [
    "AGAIN",
    "Cause",
    "Finding",
    "LogKey",
    "Obj",
    "Phase",
    "PublicAnswer",
    "Seen",
    "Severity",
    "Symptom",
    "Verdict",
    "Wanted",
    "condition",
    "dig",
    "is_old",
    "name_of",
    "seconds_of",
]

Obj = dict[str, t.Any]

# How a next step ends; the fact says which command it is (`Seen.waited`).
AGAIN = "then run {again}"


class Severity(StrEnum):
    """fatal: will not heal by itself; waiting: may heal; note: worth knowing, and no fault."""

    FATAL = "fatal"
    WAITING = "waiting"
    NOTE = "note"


class Phase(StrEnum):
    """The state of an environment in one word.

    degraded: something will not heal, and clients are still served; suspended: scaled to zero; retired: the client has left, and nothing
    of it runs; unknown: could not be found out.
    """

    READY = "ready"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    FAILED = "failed"
    SUSPENDED = "suspended"
    ABSENT = "absent"
    RETIRED = "retired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class LogKey:
    """One container's log to read: of its run before, where that is the one that ended. ends: how often it had ended by then."""

    pod: str
    container: str
    previous: bool
    ends: int = 0


@dataclass(frozen=True)
class PublicAnswer:
    """What the public path answered to somebody outside: reason is one word, SERVED where it is what was expected.

    NOT_ASKED is the reason where the Job that was to ask could not; message says why.

    settled: it has been so for long enough that it will not pass by itself. days_left: days until the certificate expires, None unknown.
    """

    SERVED: t.ClassVar[str] = "Served"
    NOT_ASKED: t.ClassVar[str] = "NotAsked"

    address: str
    reason: str
    message: str = ""
    settled: bool = True
    days_left: int | None = None


@dataclass(frozen=True)
class Seen:
    """What the API showed of one client's environment (or of a few Jobs); lists hold objects as the API gives them.

    routes: Ingresses or HTTPRoutes, as `publish` says. logs: last lines, secrets taken out. absent: (kind, name) of what was asked for
    and proven not to exist. nodes: None where they were not read. not_seen: kind to the sentence that says why it could not be read.
    neighbours: routes of the namespace that claim a host and path of this client's, whoever made them.
    probed: the public path is to be asked; answer: what it said then.
    newer_image: what the image's tag stands for by now (`registry.example/lms/backend:dev@sha256:...`), where another one runs.
    claims, quotas: the namespace's PersistentVolumeClaims and ResourceQuotas, where one may be the cause.
    leaving: since when the namespace itself is being deleted, where that may be the cause; empty where it is not.
    recorded: the record says that a Deployment was made.
    began, watched: when the run began, and since when it is waited, seconds since 1970 by the cluster's clock: what is older than both
    proves nothing; 0: everything counts. now: when this was seen, 0 unknown.
    waited: whoever looks waits for it, so that the same command has what was corrected tried again.
    """

    client: ClientId
    namespace: str
    publish: str = "none"
    deployment: Obj | None = None
    replica_sets: t.Sequence[Obj] = ()
    pods: t.Sequence[Obj] = ()
    slices: t.Sequence[Obj] = ()
    routes: t.Sequence[Obj] = ()
    jobs: t.Sequence[Obj] = ()
    events: t.Sequence[Obj] = ()
    logs: t.Mapping[LogKey, t.Sequence[str]] = field(default_factory=dict)
    absent: frozenset[tuple[str, str]] = frozenset()
    nodes: t.Sequence[Obj] | None = None
    neighbours: t.Sequence[Obj] = ()
    probed: bool = False
    answer: PublicAnswer | None = None
    newer_image: str = ""
    claims: t.Sequence[Obj] = ()
    quotas: t.Sequence[Obj] = ()
    leaving: str = ""
    recorded: bool = False
    began: float = 0.0
    watched: float = 0.0
    now: float = 0.0
    waited: bool = True
    not_seen: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What a judgement would need to be sharper.

    logs: to read; events: uids whose events to read; references: (kind, name) to prove absent; nodes, neighbours, answer, claims, quotas,
    namespace: whether to read.
    """

    logs: frozenset[LogKey] = frozenset()
    events: frozenset[str] = frozenset()
    references: frozenset[tuple[str, str]] = frozenset()
    nodes: bool = False
    neighbours: bool = False
    answer: bool = False
    claims: bool = False
    quotas: bool = False
    namespace: bool = False

    def __or__(self, other: Wanted) -> Wanted:
        """Return both together."""
        return Wanted(
            self.logs | other.logs,
            self.events | other.events,
            self.references | other.references,
            self.nodes or other.nodes,
            self.neighbours or other.neighbours,
            self.answer or other.answer,
            self.claims or other.claims,
            self.quotas or other.quotas,
            self.namespace or other.namespace,
        )

    def __sub__(self, other: Wanted) -> Wanted:
        """Return what is wanted here and was not there."""
        return Wanted(
            self.logs - other.logs,
            self.events - other.events,
            self.references - other.references,
            self.nodes and not other.nodes,
            self.neighbours and not other.neighbours,
            self.answer and not other.answer,
            self.claims and not other.claims,
            self.quotas and not other.quotas,
            self.namespace and not other.namespace,
        )

    def __bool__(self) -> bool:
        """Return whether anything is wanted."""
        return self != Wanted()


@dataclass(frozen=True)
class Symptom:
    """One thing that Kubernetes says is wrong.

    subject: what kind of thing it is said of: container, pod, mount, probe, rollout, job, service, ingress, route, node.
    object: `Pod lms-dev/name`; reason, message: Kubernetes' own; since: as the API writes it (RFC 3339, UTC), or empty.
    settled: it was seen often enough that it will not pass by itself. log: where the cause may stand; settled_by_log: what the log says is
    certain, whether settled or not. evidence: further lines that help to believe it.
    stale: it was so before the run began, and nothing has been tried since, so that it proves nothing.
    facts: what sentences may name: pod, container, image, exit_code, ...
    """

    subject: str
    object: str
    reason: str
    message: str = ""
    container: str = ""
    since: str = ""
    settled: bool = True
    settled_by_log: bool = False
    stale: bool = False
    log: LogKey | None = None
    evidence: tuple[str, ...] = ()
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cause:
    """One row of the tables: when a symptom is this cause, and what is said of it.

    name: the cause's name in results and fixtures. subjects, reasons: of the symptom, words with blanks between (no reasons: any).
    pattern: searched in Kubernetes' message (or in the log, for rows about logs); its named groups are facts.
    needs: a fact that must be there.
    sentence, next: texts with facts in braces; next is a command to type or a setting to correct.
    """

    name: str
    subjects: str
    sentence: str
    next: str
    pattern: str = ""
    reasons: str = ""
    needs: str = ""
    severity: Severity = Severity.FATAL

    def facts_of(self, subject: str, reason: str, text: str, facts: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
        """Return the facts of a symptom that is this cause, with the pattern's groups; None where it is another."""
        if subject not in self.subjects.split() or (self.reasons and reason not in self.reasons.split()):
            return None
        match = re.search(self.pattern, text, re.IGNORECASE | re.MULTILINE)
        if match is None:
            return None
        known = {**facts, **{key: value for key, value in match.groupdict().items() if value is not None}}
        return known if not self.needs or known.get(self.needs) else None


@dataclass(frozen=True)
class Finding:
    """One cause found: what it is, where, since when, how it is known, and what to do next.

    stale: it was so before the run began, and nothing has been tried since.
    """

    cause: str
    severity: Severity
    object: str
    container: str
    reason: str
    message: str
    since: str
    evidence: tuple[str, ...]
    log: tuple[str, ...]
    next: str
    exit_code: int | None = None
    stale: bool = False

    def as_result(self) -> dict[str, t.Any]:
        """Return the finding as data."""
        return {
            "cause": self.cause,
            "severity": self.severity.value,
            "object": self.object,
            "container": self.container,
            "reason": self.reason,
            "message": self.message,
            "since": self.since,
            "evidence": list(self.evidence),
            "log": list(self.log),
            "next": self.next,
            "exit_code": self.exit_code,
        }

    def decided(self) -> Finding:
        """Return the finding as one that will not be waited for any longer."""
        return replace(self, severity=Severity.FATAL) if self.severity is Severity.WAITING else self


@dataclass(frozen=True)
class Verdict:
    """A phase, the findings (the first cause first), and what is going on in a few words, a line each.

    serving: requests reach a pod. overdue: Kubernetes itself has given the rollout up, though nothing says that it cannot heal.
    """

    phase: Phase
    findings: tuple[Finding, ...] = ()
    progress: tuple[str, ...] = ()
    serving: bool = False
    overdue: bool = False

    def given_up(self) -> Verdict:
        """Return the verdict once nobody waits any longer: what might have healed has not."""
        if self.certain:
            return self
        phase = Phase.DEGRADED if self.serving else Phase.FAILED
        return replace(self, phase=phase, findings=tuple(finding.decided() for finding in self.findings))

    @property
    def stuck(self) -> bool:
        """Return whether something failed before the run began and waits for its next try, which may be minutes away."""
        return self.phase is Phase.PROGRESSING and any(one.stale for one in self.findings)

    @property
    def certain(self) -> bool:
        """Return whether waiting longer would change nothing."""
        return self.phase not in (Phase.PROGRESSING, Phase.UNKNOWN)


def dig(obj: t.Any, *path: str | int, default: t.Any = None) -> t.Any:
    """Return what stands at a path of keys and positions, or the default where something on the way is missing or null."""
    for step in path:
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return default
        if obj is None:
            return default
    return obj


def name_of(obj: Obj) -> str:
    """Return an object's name."""
    return str(dig(obj, "metadata", "name", default=""))


def seconds_of(time: t.Any) -> float:
    """Return a time as the API writes it in seconds since 1970, 0 where there is none."""
    return dt.datetime.fromisoformat(str(time)).timestamp() if time else 0.0


def is_old(told: t.Any, made: t.Any, seen: Seen) -> bool:
    """Return whether what was told last of an object was so before it was waited for, and the object is older than the run."""
    return seconds_of(told) < seen.watched and seconds_of(made) < seen.began


def condition(obj: t.Any, kind: str) -> Obj:
    """Return the condition of that type in an object's status, empty where there is none."""
    return next((one for one in dig(obj, "status", "conditions", default=[]) if one.get("type") == kind), {})
