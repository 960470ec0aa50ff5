# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for the clients' database Jobs, all together, and says why one of them will not end well."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._core.errors import InputError, LmsError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.diagnosis.jobs import COMPLETE, RUNNING, JobVerdict, ended_marks, job_seconds, judge_job, pods_of_job, wanted_by_jobs
from .._domain.diagnosis.model import Obj, Seen, dig, name_of
from .._domain.diagnosis.screens import screen_of_job_failure
from .._domain.names import JOB_UID_LABEL
from .._domain.screen import progress, stage
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .._k8s.observation import Observer
from .._k8s.waiting import Patience, looks
from .client_lease import LEASE_OPTIONS, beats

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run", "watch"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "jobs": {"type": "dict", "required": True},
    "namespace": {"type": "str", "required": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "since": {"type": "float"},
    **LEASE_OPTIONS,
    "redact_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
}

STAGE = "databases"
# Seconds by which the cluster's clock may be behind this machine's.
CLOCKS_APART = 3
# A selector that names more Jobs than this makes too long a URL; then the pods of all Jobs are listed.
MOST_NAMED = 100
UNCHANGED = "the environment was not touched, credentials are kept; nothing to clean up"


@dataclass(frozen=True)
class Judged:
    """One Job as it was last seen, among what was seen of its client."""

    seen: Seen
    job: Obj | None
    verdict: JobVerdict

    @property
    def client(self) -> ClientId:
        """Return whose Job it is."""
        return self.seen.client


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return state and seconds of each Job; with wait, once all are complete. Raises LmsError at the first that is certain to fail."""
    jobs = {ClientId.parse(client, "jobs"): _names(client, names) for client, names in params["jobs"].items()}
    observer = Observer(connect(params), params["namespace"], redact_secrets=params["redact_secrets"])
    return watch(observer, jobs, params, context)


def watch(
    observer: Observer, jobs: t.Mapping[ClientId, t.Sequence[str]], params: t.Mapping[str, t.Any], context: Context
) -> dict[str, t.Any]:
    """Do what run says, with an observer that is connected."""
    started = time.time()
    told: set[str] = set()
    stale: frozenset[str] | None = None
    judged: list[Judged] = []
    taken = 0.0
    patience = Patience(lambda text: context.report(progress(STAGE, taken, text)), beats(observer.api, params["lease"]))
    for taken, last in looks(params["wait_timeout"] if params["wait"] and jobs else 0):
        seen = patience(lambda: _look(observer, list(jobs)), last=last)
        if seen is None:
            continue
        if stale is None:
            stale = frozenset(mark for one in seen.values() for mark in ended_marks(one, (params["since"] or started) - CLOCKS_APART))
        judged = [_judge(name, seen[client], stale) for client, names in jobs.items() for name in names]
        if not params["wait"] or all(one.verdict.state == COMPLETE for one in judged):
            break
        lost = [one for one in judged if one.verdict.certain_to_fail] or [one for one in judged if last and one.verdict.state != COMPLETE]
        if lost:
            raise _failure(observer, lost, judged, params, context, time.time() - (params["since"] or started))
        _report(judged, told, taken, context)
    messages = _messages(observer, judged) if params["wait"] else {}
    screen = [stage(STAGE, _summary(judged), time.time() - started)] if params["wait"] and judged else []
    screen += [f"  {'':<{len(STAGE) + 4}}{client}: {text}" for client, texts in messages.items() for text in texts]
    for line in screen:
        context.report(line)
    return {"changed": False, "jobs": [_shown(one) for one in judged], "told": messages, "screen": screen, "calls": observer.api.calls}


def _names(client: str, names: t.Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"jobs.{client}: is not a list of Jobs' names. Expected it as rarus.lms.requests_info returns jobs.pending.")
    return names


def _look(observer: Observer, clients: t.Sequence[ClientId]) -> dict[ClientId, Seen]:
    """Look once at all Jobs, and closer at those that have not ended well."""
    found = observer.jobs(clients) if clients else {}
    wants = {client: wanted_by_jobs(seen) for client, seen in found.items()}
    sharp = observer.sharpened(found, wants)
    return observer.sharpened(sharp, {client: wanted_by_jobs(seen) - wants[client] for client, seen in sharp.items()})


def _judge(name: str, seen: Seen, stale: t.Collection[str]) -> Judged:
    job = next((one for one in seen.jobs if name_of(one) == name), None)
    return Judged(seen, job, judge_job(name, job, seen, stale))


def _messages(observer: Observer, judged: t.Sequence[Judged]) -> dict[str, list[str]]:
    """Return by client id what Jobs that ended well leave to tell, such as a password that they had to repair; one list of pods."""
    clients = {str(dig(one.job, "metadata", "uid")): one.client for one in judged if one.job}
    if not clients:
        return {}
    some = f"{JOB_UID_LABEL} in ({','.join(clients)})" if len(clients) <= MOST_NAMED else JOB_UID_LABEL
    found: dict[str, list[str]] = {}
    for pod in observer.api.list("v1", "Pod", observer.namespace, label_selector=some):
        client = clients.get(str(dig(pod, "metadata", "labels", JOB_UID_LABEL)))
        ended = [dig(state, "state", "terminated", default={}) for state in dig(pod, "status", "containerStatuses", default=[])]
        if client is not None:
            observer.saw(client, [pod])
        for text in [str(one["message"]).strip() for one in ended if one.get("exitCode") == 0 and one.get("message")]:
            if client is not None:
                found.setdefault(client.id, []).append(observer.redactor(client)(text))
    return found


def _report(judged: t.Sequence[Judged], told: set[str], taken: float, context: Context) -> None:
    """Report what may heal and is waited for, once each."""
    for one in judged:
        for finding in one.verdict.findings:
            text = f"{one.verdict.name}: {finding.message}"
            if text not in told:
                context.report(progress("" if told else STAGE, taken, text))
                told.add(text)


def _summary(judged: t.Sequence[Judged]) -> str:
    """Return what is done in a few words: `postgres ok, clickhouse ok`, or a count for several clients."""
    if len({one.client for one in judged}) == 1:
        return ", ".join(f"{one.verdict.name.partition('-setup-')[0]} ok" for one in judged)
    return f"{len(judged)} Jobs of {len({one.client for one in judged})} clients ok"


def _shown(one: Judged) -> dict[str, t.Any]:
    return {
        "client": one.client.id,
        "name": one.verdict.name,
        "state": one.verdict.state,
        "seconds": job_seconds(one.job, pods_of_job(one.job, one.seen)),
        "findings": [finding.as_result() for finding in one.verdict.findings],
    }


def _failure(
    observer: Observer,
    lost: t.Sequence[Judged],
    judged: t.Sequence[Judged],
    params: t.Mapping[str, t.Any],
    context: Context,
    seconds: float,
) -> LmsError:
    """Report the screen of the Jobs that failed, and return the failure."""
    screens: list[str] = []
    shown = [_shown(one) for one in judged]
    for one in lost:
        redact = observer.redactor(one.client)
        findings = [finding.decided() for finding in one.verdict.findings]
        name = one.verdict.name
        if findings:
            others = [other for other in judged if other.client == one.client and other is not one]
            state = "; ".join([*(f"{other.verdict.name} is {other.verdict.state}" for other in others), UNCHANGED])
            lines = screen_of_job_failure(
                one.client.id, params["namespace"], name, findings, seconds=seconds, state=state, not_seen=tuple(one.seen.not_seen.values())
            )
        else:
            lines = [f"{one.client} in {params['namespace']} FAILED after {seconds:.1f} s: Job {name} is still running"]
        screens += [redact(line) for line in lines]
        shown = redact.tree(shown)
    for line in screens:
        context.report(line)
    first = lost[0]
    cause = first.verdict.findings[0] if first.verdict.findings else None
    what = cause.message if cause else f"it is still running after {params['wait_timeout']} s"
    message = observer.redactor(first.client)(f"Job {params['namespace']}/{first.verdict.name} failed: {what}.")
    if first.verdict.state == RUNNING and cause is None:
        message = f"Job {params['namespace']}/{first.verdict.name} did not end: {what}."
    hint = f"Next: {cause.next}." if cause else f"Next: kubectl -n {params['namespace']} describe job {first.verdict.name}."
    return LmsError(message, hint=hint, data={"jobs": shown, "screen": screens, "calls": observer.api.calls})


OPERATION = Operation(name="jobs_info", argument_spec=ARGUMENT_SPEC, run=run)
