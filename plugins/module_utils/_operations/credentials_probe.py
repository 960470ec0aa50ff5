# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out by logging in whether clients' Secrets and databases agree: Jobs made on demand, waited for together, and taken away.

The controller may have no route to the databases, and needs no value of a Secret.
"""

from __future__ import annotations

import secrets
import time
import typing as t
from dataclasses import dataclass, replace

from .._core.errors import InputError, LmsError, UnknownStateError
from .._core.operation import Context
from .._domain.client_id import ClientId
from .._domain.diagnosis.jobs import COMPLETE, JobVerdict, judge_job, wanted_by_jobs
from .._domain.diagnosis.model import Obj, Seen, dig, name_of
from .._domain.login_probe import AGREES, DATABASES, DIFFERS, UNKNOWN, Answer, answer_of, is_setup_of, probe_job
from .._domain.names import CLIENT_LABEL, JOB_UID_LABEL
from .._domain.screen import failure, stage
from .._k8s.api import Api
from .._k8s.observation import Observer
from .._k8s.resources import Ref
from .._k8s.waiting import looks

__all__ = ["probed", "refuse_bad"]

TOKEN_BYTES = 4

Answers = dict[str, Answer]


@dataclass
class Probe:
    """One login that is tried; uid is its Job's, answer None until it is known."""

    client: ClientId
    database: str
    job: Obj
    uid: str = ""
    answer: Answer | None = None
    verdict: JobVerdict | None = None


def probed(api: Api, clients: t.Sequence[ClientId], params: t.Mapping[str, t.Any], context: Context) -> dict[ClientId, Answers]:
    """Return by client and database whether the Secret's login in use opens the database; everything that was made is taken away again.

    params: requests (rendered, as the lookup rarus.lms.requests returns them), namespace, wait_timeout (seconds).
    """
    started = time.monotonic()
    token = secrets.token_hex(TOKEN_BYTES)
    probes = [_probe(client, database, token, params) for client in clients for database in DATABASES]
    if context.check_mode or not probes:
        return {}
    observer = Observer(api, params["namespace"])
    try:
        for probe in probes:
            probe.uid = str(api.create(probe.job)["metadata"]["uid"])
        _wait(observer, probes, params["wait_timeout"])
    finally:
        _remove(api, probes, context)
    answers: dict[ClientId, Answers] = {client: {} for client in clients}
    for probe in probes:
        answers[probe.client][probe.database] = probe.answer or _unanswered(probe)
    for line in _screen(answers, time.monotonic() - started):
        context.report(line)
    return answers


def refuse_bad(answers: t.Mapping[ClientId, Answers], result: t.Mapping[str, t.Any]) -> None:
    """Raise UnknownStateError where something could not be found out and nothing is known to differ."""
    bad = [(client, database, answer) for client, found in answers.items() for database, answer in found.items() if answer.state != AGREES]
    if bad and not any(answer.state == DIFFERS for _client, _database, answer in bad):
        client, database, answer = bad[0]
        raise UnknownStateError(
            f"probe: whether the Secret of {client} and {DATABASES[database]} agree could not be found out: {answer.why.rstrip('.')}.",
            hint=f"Next: {answer.next}.",
            data=result,
        )


def _screen(answers: t.Mapping[ClientId, Answers], seconds: float) -> list[str]:
    """Return what the operator reads: a line a client, and below it what does not agree, with what to do."""
    lines = []
    for client, found in answers.items():
        lines.append(stage("probe", f"{client}: {', '.join(f'{database} {answer.state}' for database, answer in found.items())}", seconds))
        for answer in found.values():
            lines += failure(f"  {answer.why}", [("next", [answer.next])]) if answer.why else []
    return lines


def _probe(client: ClientId, database: str, token: str, params: t.Mapping[str, t.Any]) -> Probe:
    """Return the probe of one database, made of the request that sets it up. Raises InputError where there is none."""
    for request in params["requests"]:
        obj = request.get("object") or {}
        if is_setup_of(database, client, obj) and obj["metadata"].get("namespace") == params["namespace"]:
            return Probe(client, database, probe_job(obj, database, client, token, deadline=params["wait_timeout"]))
    raise InputError(
        f"requests: none sets up {DATABASES[database]} for {client} in {params['namespace']}, and a probe is made of that.",
        hint="Give what the lookup rarus.lms.requests returns for these clients.",
    )


def _wait(observer: Observer, probes: t.Sequence[Probe], timeout: float) -> None:
    """Wait until each probe has told its answer, or is certain never to."""
    clients = list(dict.fromkeys(probe.client for probe in probes))
    names = {name_of(probe.job) for probe in probes}
    for _taken, last in looks(timeout):
        seen = _look(observer, clients, names)
        for probe in probes:
            job = next((one for one in seen[probe.client].jobs if name_of(one) == name_of(probe.job)), None)
            probe.verdict = judge_job(name_of(probe.job), job, seen[probe.client])
        if last or all(probe.verdict and (probe.verdict.state == COMPLETE or probe.verdict.certain_to_fail) for probe in probes):
            break
    told = _told(observer, [probe for probe in probes if probe.verdict and probe.verdict.state == COMPLETE])
    for probe in probes:
        if probe.uid in told:
            probe.answer = answer_of(told[probe.uid], probe.database, probe.client, observer.namespace)


def _look(observer: Observer, clients: t.Sequence[ClientId], names: t.Container[str]) -> dict[ClientId, Seen]:
    """Look once at the probes, and closer at those that have not ended well; other Jobs of the clients are passed over."""
    found = {
        client: replace(seen, jobs=[job for job in seen.jobs if name_of(job) in names]) for client, seen in observer.jobs(clients).items()
    }
    return observer.sharpened(found, {client: wanted_by_jobs(seen) for client, seen in found.items()})


def _told(observer: Observer, ended: t.Sequence[Probe]) -> dict[str, str]:
    """Return what the probes that ended have left, by the Jobs' uids; one list of pods."""
    if not ended:
        return {}
    clients = {probe.uid: probe.client for probe in ended}
    selector = f"{CLIENT_LABEL} in ({','.join(sorted({client.id for client in clients.values()}))})"
    found = {}
    for pod in observer.api.list("v1", "Pod", observer.namespace, label_selector=f"{selector},{JOB_UID_LABEL}"):
        uid = str(dig(pod, "metadata", "labels", JOB_UID_LABEL))
        for status in dig(pod, "status", "containerStatuses", default=[]) if uid in clients else []:
            found[uid] = observer.redactor(clients[uid])(str(dig(status, "state", "terminated", "message", default="")))
    return found


def _unanswered(probe: Probe) -> Answer:
    """Return the answer of a probe that told none: why its Job did not get to log in."""
    findings = probe.verdict.findings if probe.verdict else ()
    if findings:
        return Answer(UNKNOWN, findings[0].message, findings[0].next)
    return Answer(UNKNOWN, f"Job {name_of(probe.job)} did not end in time", "give it more time by wait_timeout, then ask again")


def _remove(api: Api, probes: t.Sequence[Probe], context: Context) -> None:
    """Take the Jobs away with their pods; what cannot be removed now goes by itself, and that is said."""
    for probe in probes:
        if probe.uid:
            try:
                api.delete(Ref.of(probe.job), uid=probe.uid)
            except LmsError as error:
                context.report(f"  probe        {Ref.of(probe.job)} is left, and goes by itself when it has ended: {error.message}")
