# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on Jobs: by their conditions, never by counts of pods; their pods, matched by the Job's uid, say why.

One thing a pod settles by itself: when all its containers have ended well, what the Job is for is done. The Job's own word comes later.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .model import Finding, LogKey, Obj, Seen, Severity, Symptom, Wanted, condition, dig, name_of, seconds_of
from .recognise import recognise
from .symptoms_pods import container_states, events_of, is_gone, pod_symptoms, references
from .symptoms_rollout import of_quotas, with_quota

__all__ = [
    "COMPLETE",
    "FAILED",
    "GONE",
    "RUNNING",
    "JobVerdict",
    "ended_marks",
    "job_findings",
    "job_seconds",
    "judge_job",
    "pods_of_job",
    "state_of",
    "wanted_by_jobs",
]

COMPLETE, FAILED, RUNNING, GONE = "complete", "failed", "running", "absent"


@dataclass(frozen=True)
class JobVerdict:
    """One Job: complete, failed, running or absent, with what is wrong (the first cause first) and what is going on."""

    name: str
    state: str
    findings: tuple[Finding, ...] = ()

    @property
    def certain_to_fail(self) -> bool:
        """Return whether waiting longer would change nothing for the better."""
        return self.state in (FAILED, GONE) or any(one.severity is Severity.FATAL for one in self.findings)


def state_of(job: Obj | None, pods: t.Iterable[Obj] = ()) -> str:
    """Return a Job's state by its conditions, or by a pod of its own that has done its work.

    FailureTarget comes before Failed, while pods are still ending. pods: the Job's own.
    """
    if job is None:
        return GONE
    if condition(job, "Complete").get("status") == "True":
        return COMPLETE
    if _failure(job):
        return FAILED
    return COMPLETE if dig(job, "spec", "completions", default=1) == 1 and any(map(_ended_well, pods)) else RUNNING


def _ended_well(pod: Obj) -> bool:
    """Return whether all of a pod's containers have ended with exit code 0; of one that is being deleted the Job may want another."""
    codes = [dig(status, "state", "terminated", "exitCode") for status in dig(pod, "status", "containerStatuses", default=[])]
    return not is_gone(pod) and set(codes) == {0} and len(codes) == len(dig(pod, "spec", "containers", default=[]))


def judge_job(name: str, job: Obj | None, seen: Seen, stale: t.Collection[str] = ()) -> JobVerdict:
    """Return the verdict on one Job.

    stale: marks (`ended_marks`) of what had ended before this run began; while the Job still tries, that says nothing of the next try.
    """
    state = state_of(job, pods_of_job(job, seen))
    if job is None:
        symptom = Symptom("job", f"Job {seen.namespace}/{name}", "NotFound", facts={"job": name})
        return JobVerdict(name, state, tuple(recognise([symptom], seen, setup=True)))
    if state == COMPLETE:
        return JobVerdict(name, state)
    findings = recognise(_symptoms(job, seen, stale), seen, setup=True)
    if len(findings) > 1:
        findings = [one for one in findings if one.cause not in ("job_failed", "job_deadline")] or findings
    return JobVerdict(name, state, tuple(one.decided() for one in findings) if state == FAILED else tuple(findings))


def job_findings(seen: Seen) -> list[Finding]:
    """Return what is wrong with the Jobs among what was seen of an environment."""
    return [finding for job in seen.jobs for finding in judge_job(name_of(job), job, seen).findings]


def pods_of_job(job: Obj | None, seen: Seen) -> list[Obj]:
    """Return a Job's own pods, the newest first; pods of an earlier Job of the same name are none of them."""
    uid = dig(job, "metadata", "uid", default="")
    mine = [pod for pod in seen.pods if uid in {owner.get("uid") for owner in dig(pod, "metadata", "ownerReferences", default=[])}]
    return sorted(mine, key=lambda pod: str(dig(pod, "metadata", "creationTimestamp", default="")), reverse=True)


def ended_marks(seen: Seen, before: float) -> frozenset[str]:
    """Return marks of what had gone wrong before a time (seconds since 1970): pods that had ended, and failures to create one."""
    pods = {str(dig(pod, "metadata", "uid", default="")) for pod in seen.pods if 0 < _ended(pod) < before}
    creations = [event for event in seen.events if event.get("reason") == "FailedCreate"]
    return frozenset(
        pods | {_mark(event) for event in creations if seconds_of(event.get("lastTimestamp") or event.get("eventTime")) < before}
    )


def _ended(pod: Obj) -> float:
    """Return when the last of a pod's containers ended (seconds since 1970), 0 where none has."""
    return max([seconds_of(dig(status, "state", "terminated", "finishedAt")) for status in container_states(pod)], default=0.0)


def wanted_by_jobs(seen: Seen) -> Wanted:
    """Return what would make the judgement of the Jobs sharper; nothing where all of them go well."""
    needed = Wanted()
    for job in seen.jobs:
        pods = pods_of_job(job, seen)
        if state_of(job, pods) == COMPLETE:
            continue
        symptoms = [symptom for pod in pods[:1] for symptom in pod_symptoms(pod, seen, retried=False)]
        running = bool(pods) and dig(pods[0], "status", "phase") == "Running" and not symptoms
        watched = [] if running else [*pods[:1], *([] if pods else [job])]
        needed |= Wanted(
            logs=frozenset(_logs(symptoms)),
            events=frozenset(str(dig(one, "metadata", "uid", default="")) for one in watched),
            references=frozenset(references(pods[0])) if symptoms else frozenset(),
            nodes=any(symptom.subject == "scheduling" for symptom in symptoms),
            quotas=not pods and of_quotas(_message(event) for event in _refusals(job, seen)),
        )
    return needed


def _logs(symptoms: t.Iterable[Symptom]) -> set[LogKey]:
    return {symptom.log for symptom in symptoms if symptom.log is not None}


def _symptoms(job: Obj, seen: Seen, stale: t.Collection[str]) -> list[Symptom]:
    """Return what is wrong with a Job: by its newest pod, by failures to create one, and by its own conditions."""
    failed = bool(_failure(job))
    found = []
    for pod in pods_of_job(job, seen)[:1]:
        fresh = dig(pod, "metadata", "uid", default="") not in stale
        for symptom in pod_symptoms(pod, seen, retried=False):
            ended = symptom.subject == "crash"
            found.append(replace(symptom, settled=failed if ended else symptom.settled, settled_by_log=fresh))
    reference = f"Job {seen.namespace}/{name_of(job)}"
    if not found and not pods_of_job(job, seen):
        found += _creation_symptoms(job, seen, reference, stale)
    facts = {"job": name_of(job), "seconds": dig(job, "spec", "activeDeadlineSeconds", default="?")}
    if dig(job, "spec", "suspend", default=False):
        found.append(Symptom("job", reference, "Suspended", facts=facts))
    if failed:
        told = _failure(job)
        since = str(told.get("lastTransitionTime", ""))
        found.append(Symptom("job", reference, str(told.get("reason", "")), str(told.get("message", "")), since=since, facts=facts))
    return found


def _creation_symptoms(job: Obj, seen: Seen, reference: str, stale: t.Collection[str]) -> list[Symptom]:
    """Return why the Job controller could not make a pod."""
    return [
        with_quota(
            Symptom(
                "creation",
                reference,
                "FailedCreate",
                _message(event),
                since=str(event.get("firstTimestamp") or ""),
                settled=_mark(event) not in stale,
            ),
            seen,
        )
        for event in _refusals(job, seen)
    ]


def _refusals(job: Obj, seen: Seen) -> list[Obj]:
    """Return the last event that says why no pod could be made, if there is one: a Job has no condition for this."""
    return [event for event in events_of(job, seen) if event.get("reason") == "FailedCreate"][-1:]


def _message(event: Obj) -> str:
    return str(event.get("message") or "")


def _failure(job: Obj) -> Obj:
    """Return the condition that says that a Job has failed, or is certain to; empty where none does."""
    return next((told for kind in ("Failed", "FailureTarget") if (told := condition(job, kind)).get("status") == "True"), {})


def _mark(event: Obj) -> str:
    return f"{dig(event, 'metadata', 'uid', default='')}/{event.get('count', 1)}"


def job_seconds(job: Obj | None, pods: t.Iterable[Obj] = ()) -> int:
    """Return how many seconds a Job that has ended took, by the cluster's clock; 0 where it has not. pods: the Job's own."""
    told = dig(job, "status", "completionTime") or _failure(job or {}).get("lastTransitionTime")
    ended = seconds_of(told) if told else max(map(_ended, filter(_ended_well, pods)), default=0.0)
    begun = dig(job, "status", "startTime") or dig(job, "metadata", "creationTimestamp")
    return int(ended - seconds_of(begun)) if ended and begun else 0
