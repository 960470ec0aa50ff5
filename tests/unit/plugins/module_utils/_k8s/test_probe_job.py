# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job that asks public paths is made, awaited and taken away, whatever becomes of it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import PublicAnswer
from ansible_collections.rarus.lms.plugins.module_utils._domain.probe_job import Question
from ansible_collections.rarus.lms.plugins.module_utils._domain.probe_job import probe_job as job_of
from ansible_collections.rarus.lms.plugins.module_utils._k8s import probe_job, waiting
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from support.fake_api import FakeApi

CLIENT = ClientId(42)
QUESTIONS = {CLIENT: Question("https://backend.lms-dev.example/C42/", 200)}
UID = "11111111-2222-3333-4444-555555555555"
IMAGE = "registry.example/tools/curl:9"
GONE = {"waiting": {"reason": "ErrImagePull", "message": f"{IMAGE}: not found"}}
ENDED = {"terminated": {"exitCode": 0, "reason": "Completed"}}
NO_PROGRAM = {"terminated": {"exitCode": 128, "reason": "StartError", "message": 'exec: "curl": executable file not found in $PATH'}}
CASES = [
    ("Succeeded", ENDED, "rarus.lms C42 0 200 0 \n", "Served", "HTTP status 200"),
    ("Failed", ENDED, "rarus.lms C42 6 000 0 Could not resolve host\n", "UnknownHost", "Could not resolve"),
    ("Succeeded", ENDED, "rarus.lms C7 0 200 0 \n", "NotAsked", "did not end"),
    ("Failed", NO_PROGRAM, "", "NotAsked", "lacks the program"),
    ("Pending", GONE, "", "NotAsked", "image"),
    ("Running", {"running": {}}, "", "NotAsked", "did not end within"),
]


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide an API where the Job has a known name and uid, and waits that need no time."""

    def known(_name: str, *rest: t.Any) -> dict[str, t.Any]:
        job = job_of("lms-probe-1", *rest)
        return {**job, "metadata": {**job["metadata"], "uid": UID}}

    monkeypatch.setattr(probe_job, "probe_job", known)
    monkeypatch.setattr(probe_job, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)
    return fake_api


def asked(api: FakeApi) -> PublicAnswer:
    """Return what one client's path answers."""
    return probe_job.ask_by_job(connect(api.params), "lms-dev", IMAGE, QUESTIONS, None, lambda seen: seen)[CLIENT]


def pod(phase: str, state: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the Job's pod."""
    status = {"name": "probe", "image": IMAGE, "restartCount": 0, "ready": False, "state": state}
    labels = {"batch.kubernetes.io/job-name": "lms-probe-1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lms-probe-1-x", "namespace": "lms-dev", "labels": labels, "ownerReferences": [{"uid": UID}]},
        "spec": {"nodeName": "node", "containers": [{"name": "probe", "image": IMAGE}]},
        "status": {"phase": phase, "containerStatuses": [status]},
    }


@pytest.mark.parametrize(("phase", "state", "log", "reason", "message"), CASES)
def test_answers(api: FakeApi, phase: str, state: dict[str, t.Any], log: str, reason: str, message: str) -> None:
    api.add(pod(phase, state))
    api.answer("GET", "/log", body=log, times=9)
    answer = asked(api)
    assert answer.reason == reason, answer
    assert message in answer.message
    jobs = "/apis/batch/v1/namespaces/lms-dev/jobs"
    assert api.writes() == [f"POST {jobs}", f"DELETE {jobs}/lms-probe-1"], "it is taken away"
    assert api.requests[-1].body["propagationPolicy"] == "Background", "with its pod"


def test_a_job_that_may_not_be_made(api: FakeApi) -> None:
    api.fail("POST", "/jobs", 403, "Forbidden", "exceeded quota: count/jobs.batch")
    answer = asked(api)
    assert answer.reason == "NotAsked"
    assert "exceeded quota" in answer.message


def test_a_job_that_cannot_be_taken_away_goes_by_itself(api: FakeApi) -> None:
    api.add(pod("Succeeded", ENDED))
    api.answer("GET", "/log", body="rarus.lms C42 0 200 0 \n")
    api.fail("DELETE", "/jobs/", 403, "Forbidden")
    assert asked(api).reason == "Served"
    job = api.stored("Job", "lms-probe-1", api_version="batch/v1")
    assert job is not None
    assert job["spec"]["ttlSecondsAfterFinished"] == 300


def test_without_an_image(api: FakeApi) -> None:
    with pytest.raises(InputError, match="probe_image: is missing"):
        probe_job.ask_by_job(connect(api.params), "lms-dev", "", QUESTIONS, None, lambda seen: seen)
    assert api.requests == []
