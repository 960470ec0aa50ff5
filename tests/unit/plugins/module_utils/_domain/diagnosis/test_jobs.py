# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs are judged by their conditions; their pods say why, and when the work is done."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.jobs import (
    COMPLETE,
    FAILED,
    RUNNING,
    ended_marks,
    job_seconds,
    judge_job,
    pods_of_job,
    state_of,
    wanted_by_jobs,
)
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Wanted
from support.diagnosis_cases import BASE, laid_over, seen_of_job_case

# When the run began that looks at what happened at 10 o'clock: after it, and before it.
LATER, EARLIER = (dt.datetime.fromisoformat(f"2026-11-21T{hour}:00:00Z").timestamp() for hour in ("11", "09"))
REFUSED = ['psql: error: FATAL:  password authentication failed for user "postgres"']


def job(**status: t.Any) -> dict[str, t.Any]:
    """Return a Job of that status."""
    made: dict[str, t.Any] = laid_over(BASE["job"], {"status": status})
    return made


def told(kind: str, status: str = "True") -> dict[str, t.Any]:
    """Return a condition."""
    return {"conditions": [{"type": kind, "status": status}]}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (told("Complete"), COMPLETE),
        (told("Failed"), FAILED),
        (told("FailureTarget"), FAILED),
        (told("Failed", "False"), RUNNING),
        ({"failed": 2, "active": 1}, RUNNING),
        ({"succeeded": 1}, RUNNING),
        ({}, RUNNING),
    ],
)
def test_state_is_by_conditions_and_never_by_counts(status: dict[str, t.Any], state: str) -> None:
    assert state_of(job(**status)) == state


ENDED_WELL = {"state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-21T10:00:02Z"}}}


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ({"job_container": ENDED_WELL, "job_pod": {"status": {"phase": "Running"}}}, COMPLETE),
        ({"job_container": ENDED_WELL, "job_status": {"uncountedTerminatedPods": {"succeeded": ["jp-1"]}}}, COMPLETE),
        ({"job_container": ENDED_WELL, "job_status": told("FailureTarget")}, FAILED),
        ({"job_container": ENDED_WELL, "job_spec": {"completions": 2}}, RUNNING),
        ({"job_container": ENDED_WELL, "job_pod": {"metadata": {"deletionTimestamp": "2026-11-21T10:00:03Z"}}}, RUNNING),
        ({"job_container": ENDED_WELL, "job_pod": {"metadata": {"ownerReferences": [{"controller": True, "uid": "j-0"}]}}}, RUNNING),
        ({"job_container": ENDED_WELL, "job_pod": {"spec": {"containers": [{"name": "postgres-client"}, {"name": "other"}]}}}, RUNNING),
        ({"job_container": {"state": {"running": {}}}, "job_pod": {"status": {"phase": "Running"}}}, RUNNING),
        ({}, RUNNING),
    ],
)
def test_a_pod_whose_containers_have_all_ended_well_has_done_the_work(case: dict[str, t.Any], state: str) -> None:
    name, found, seen = seen_of_job_case(case)
    assert judge_job(name, found, seen).state == state


def test_pods_of_an_earlier_job_of_the_same_name_are_not_its_own() -> None:
    name, found, seen = seen_of_job_case({"log": REFUSED})
    assert found is not None
    orphan = laid_over(BASE["job_pod"], {"metadata": {"uid": "jp-0", "ownerReferences": [{"controller": True, "uid": "j-0"}]}})
    assert [pod["metadata"]["uid"] for pod in pods_of_job(found, replace(seen, pods=[orphan, *seen.pods]))] == ["jp-1"]
    assert judge_job(name, found, replace(seen, pods=[orphan])).findings == ()


def test_only_the_newest_pod_is_evidence() -> None:
    name, found, seen = seen_of_job_case({"log": REFUSED})
    running = laid_over(
        BASE["job_pod"], {"metadata": {"uid": "jp-2", "creationTimestamp": "2026-11-21T10:01:00Z"}, "status": {"phase": "Running"}}
    )
    assert judge_job(name, found, replace(seen, pods=[*seen.pods, running])).findings == ()


def test_what_had_ended_before_is_no_proof_while_the_job_still_tries() -> None:
    """The Secret was corrected and the same command typed again: the pod that failed then says nothing of the next one."""
    name, found, seen = seen_of_job_case({"log": REFUSED})
    assert judge_job(name, found, seen).certain_to_fail
    assert not judge_job(name, found, seen, ended_marks(seen, LATER)).certain_to_fail
    assert judge_job(name, found, seen, ended_marks(seen, EARLIER)).certain_to_fail
    name, failed, seen = seen_of_job_case({"log": REFUSED, "job": "failed"})
    assert judge_job(name, failed, seen, ended_marks(seen, LATER)).certain_to_fail


def test_an_old_failure_to_create_a_pod_is_no_proof_either_until_it_happens_again() -> None:
    event = {
        "metadata": {"uid": "e-1"},
        "reason": "FailedCreate",
        "count": 1,
        "lastTimestamp": "2026-11-21T10:00:00Z",
        "message": 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
        "involvedObject": {"uid": "j-1"},
    }
    name, found, seen = seen_of_job_case({"job_pod": None, "events": [event]})
    assert wanted_by_jobs(seen).quotas
    assert not judge_job(name, found, seen, ended_marks(seen, LATER)).certain_to_fail
    again = replace(seen, events=[{**event, "count": 2}])
    assert judge_job(name, found, again, ended_marks(seen, LATER)).certain_to_fail


def test_nothing_is_wanted_of_a_job_that_is_done() -> None:
    _name, _job, seen = seen_of_job_case({"job_status": told("Complete")})
    assert wanted_by_jobs(seen) == Wanted()
    assert wanted_by_jobs(seen_of_job_case({"job_container": ENDED_WELL})[2]) == Wanted()


def test_the_jobs_own_events_are_wanted_where_it_has_no_pod() -> None:
    assert wanted_by_jobs(seen_of_job_case({"job_pod": None})[2]).events == {"j-1"}
    assert wanted_by_jobs(seen_of_job_case({})[2]).events == {"jp-1"}


def test_seconds_are_the_clusters() -> None:
    times = {"startTime": "2026-11-21T10:00:00Z", "completionTime": "2026-11-21T10:00:07Z"}
    assert job_seconds(job(**times)) == 7
    assert job_seconds(job(startTime="2026-11-21T10:00:00Z")) == 0
    assert job_seconds(None) == 0
    _name, found, seen = seen_of_job_case({"job_container": ENDED_WELL, "job_status": {"startTime": times["startTime"]}})
    assert job_seconds(found, seen.pods) == 2
