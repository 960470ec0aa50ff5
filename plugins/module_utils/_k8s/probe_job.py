# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks public paths by a Job in the cluster: makes it, awaits its log, takes it away."""

from __future__ import annotations

import contextlib
import secrets
import typing as t

from .._core.errors import InputError
from .._domain.client_id import ClientId
from .._domain.diagnosis.jobs import judge_job
from .._domain.diagnosis.model import Obj, PublicAnswer, Seen, dig, name_of
from .._domain.names import PROBE_NAME
from .._domain.probe_job import PROBE_SECONDS, Questions, answers_of, probe_job, unasked
from .api import Api, ApiError
from .resources import Ref
from .waiting import looks

__all__ = ["ask_by_job"]

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
ENDED = ("Succeeded", "Failed")
# Certificates are told once a host, some hundred lines each.
LOG_LINES, LOG_BYTES = 10_000, 262_144

Explain = t.Callable[[Seen], Seen]


def ask_by_job(
    api: Api, namespace: str, image: str, questions: Questions, pod: Obj | None, explain: Explain
) -> dict[ClientId, PublicAnswer]:
    """Return what the public paths answer to a Job, or why they could not be asked; never a Job that is left behind.

    pod: the specification of pods that it is to run like. explain: adds to what was seen of a Job what says why it does not go on.
    """
    if not image:
        raise InputError(
            "probe_image: is missing, and probe is job. Expected an image with curl.", hint="Set lms_probe_image, or lms_probe: controller."
        )
    wanted = probe_job(f"{PROBE_NAME}-{secrets.token_hex(4)}", namespace, image, questions, pod or {})
    try:
        made = api.create(wanted)
    except ApiError as error:
        return unasked(questions, error.message)
    try:
        return _awaited(api, made, questions, explain)
    finally:
        # One that cannot be taken away now goes by itself, as its time to live says.
        with contextlib.suppress(ApiError):
            api.delete(Ref.of(made), uid=str(made["metadata"]["uid"]))


def _awaited(api: Api, made: Obj, questions: Questions, explain: Explain) -> dict[ClientId, PublicAnswer]:
    """Return the answers once the Job's pod has ended, or why it does not get so far."""
    ref, why = Ref.of(made), f"it did not end within {PROBE_SECONDS} s"
    for _taken, last in looks(PROBE_SECONDS):
        pods = api.list("v1", "Pod", ref.namespace, label_selector=f"{JOB_NAME_LABEL}={ref.name}")
        ended = next((pod for pod in pods if _has_ended(pod)), None)
        if ended:
            answers = answers_of(_log(api, ended), questions, api.now())
            if answers:
                return {**unasked(questions, "its log tells nothing of it"), **answers}
        elif any(dig(pod, "status", "phase") == "Running" for pod in pods) and not last:
            continue
        job = api.get(ref)
        seen = explain(Seen(next(iter(questions)), ref.namespace, jobs=[job] if job else [], pods=pods))
        verdict = judge_job(ref.name, job, seen)
        why = verdict.findings[0].message if verdict.findings else why
        if ended or verdict.certain_to_fail:
            break
    return unasked(questions, why)


def _has_ended(pod: Obj) -> bool:
    """Return whether a probe's pod has ended; its one container tells so a second before the pod itself does."""
    return dig(pod, "status", "phase") in ENDED or dig(pod, "status", "containerStatuses", 0, "state", "terminated") is not None


def _log(api: Api, pod: Obj) -> str:
    return api.logs(str(pod["metadata"]["namespace"]), name_of(pod), "probe", tail_lines=LOG_LINES, limit_bytes=LOG_BYTES)
