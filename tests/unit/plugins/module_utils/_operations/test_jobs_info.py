# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for Jobs: together, until all are complete or the first is certain to fail."""

from __future__ import annotations

import copy
import datetime as dt
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import Lease
from ansible_collections.rarus.lms.plugins.module_utils._k8s import waiting
from ansible_collections.rarus.lms.plugins.module_utils._operations.jobs_info import run
from support.diagnosis_cases import BASE, laid_over
from support.fake_api import FakeApi

Obj = dict[str, t.Any]
POSTGRES, CLICKHOUSE = "postgres-setup-c42-5f1c0a12", "clickhouse-setup-c42-77aa01be"
COMPLETE: Obj = {
    "conditions": [{"type": "Complete", "status": "True"}],
    "startTime": "2026-11-21T10:00:00Z",
    "completionTime": "2026-11-21T10:00:04Z",
}
REFUSED = 'psql: error: FATAL:  password authentication failed for user "postgres" (s3cret-value)\n'


def job(name: str = POSTGRES, client: str = "C42", **status: t.Any) -> Obj:
    """Return a Job as the collection labels it."""
    labels = {"rarus.lms/client": client, "app.kubernetes.io/managed-by": "rarus.lms"}
    made: Obj = laid_over(BASE["job"], {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}, "status": status})
    return made


def pod(name: str = POSTGRES, *, finished: str = "") -> Obj:
    """Return the failed pod of a Job, which has just ended."""
    made: Obj = copy.deepcopy(BASE["job_pod"])
    made["metadata"] |= {
        "name": f"{name}-x7k2p",
        "labels": {"batch.kubernetes.io/controller-uid": f"uid-{name}"},
        "ownerReferences": [{"controller": True, "uid": f"uid-{name}"}],
    }
    ended = dt.datetime.fromisoformat(finished) if finished else dt.datetime.now(tz=dt.UTC)
    state = {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": ended.isoformat()}}
    made["status"]["containerStatuses"] = [laid_over(BASE["job_container"], {"state": state})]
    return made


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide an API whose Secrets hold one value, and waits that need no time."""
    fake_api.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "postgres-admin", "namespace": "lms-dev"},
            "data": {"password": "czNjcmV0LXZhbHVl"},
        }
    )
    fake_api.answer("GET", "/log", body=REFUSED, times=99)
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.001)
    return fake_api


def wait(api: FakeApi, jobs: dict[str, t.Any] | None = None, **options: t.Any) -> tuple[Obj, list[str]]:
    """Run the operation; return its result and what was shown."""
    shown: list[str] = []
    params = {
        **api.params,
        "jobs": jobs or {"C42": [POSTGRES, CLICKHOUSE]},
        "namespace": "lms-dev",
        "wait": True,
        "wait_timeout": 30,
        "since": None,
        "redact_secrets": ["postgres-admin"],
        "lease": None,
        **options,
    }
    return run(params, Context(report=shown.append)), shown


def test_all_complete(api: FakeApi) -> None:
    api.add(job(**COMPLETE), job(CLICKHOUSE, **COMPLETE))
    result, shown = wait(api)
    assert [(one["name"], one["state"], one["seconds"]) for one in result["jobs"]] == [
        (POSTGRES, "complete", 4),
        (CLICKHOUSE, "complete", 4),
    ]
    assert len(shown) == 1
    assert shown[0].startswith("  databases    postgres ok, clickhouse ok  ")
    assert api.reads() == ["/apis/batch/v1/namespaces/lms-dev/jobs", "/api/v1/namespaces/lms-dev/pods"]
    assert (api.writes(), result["told"]) == ([], {})


def test_what_a_job_had_to_repair_is_told(api: FakeApi) -> None:
    api.add(job(**COMPLETE), job(CLICKHOUSE, **COMPLETE))
    ended = pod()
    message = "repaired: the password of c42 in PostgreSQL differed from the Secret (s3cret-value)\n"
    ended["status"]["containerStatuses"][0]["state"]["terminated"] |= {"exitCode": 0, "reason": "Completed", "message": message}
    api.add(ended, pod(CLICKHOUSE))
    result, shown = wait(api)
    assert result["told"] == {"C42": ["repaired: the password of c42 in PostgreSQL differed from the Secret (***)"]}
    assert shown[1:] == ["               C42: repaired: the password of c42 in PostgreSQL differed from the Secret (***)"]
    assert result["screen"] == shown


def test_several_clients_are_waited_for_by_one_list_of_jobs_and_one_of_pods(api: FakeApi) -> None:
    other = "postgres-setup-c7-00000000"
    api.add(job(**COMPLETE), job(other, "C7", **COMPLETE))
    result, shown = wait(api, {"C42": [POSTGRES], "C7": [other]})
    assert {one["state"] for one in result["jobs"]} == {"complete"}
    assert "2 Jobs of 2 clients ok" in shown[0]
    assert result["calls"] == 2


def test_it_waits_for_the_slower_one(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE))
    looks = iter(range(100))

    def completes(_seconds: float) -> None:
        if next(looks) == 2:
            api.add(job(**COMPLETE))

    monkeypatch.setattr("time.sleep", completes)
    assert {one["state"] for one in wait(api)[0]["jobs"]} == {"complete"}
    assert next(looks) == 3


def test_a_certain_failure_ends_the_wait_while_the_job_still_tries(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE))
    monkeypatch.setattr("time.sleep", lambda _seconds: api.add(pod()))
    shown: list[str] = []
    with pytest.raises(LmsError) as caught:
        shown += wait(api)[1]
    error = caught.value
    assert error.message == f"Job lms-dev/{POSTGRES} failed: PostgreSQL refused the administrator's password."
    screen = error.data["screen"]
    assert screen[0].startswith("C42 in lms-dev FAILED after 0.")
    assert screen[1] == f"  object   Job {POSTGRES}, pod ...-x7k2p, container postgres-client, exit code 2"
    assert screen[2] == '  log      psql: error: FATAL:  password authentication failed for user "postgres" (***)'
    assert f"{CLICKHOUSE} is complete" in "\n".join(screen)
    assert "  next     correct the key `pass` of Secret lms-dev/postgres-admin" in "\n".join(screen)
    assert "s3cret-value" not in str(error.as_result())
    assert [one["state"] for one in error.data["jobs"]] == ["running", "complete"]


def test_what_failed_before_the_run_began_does_not_end_the_wait_of_a_job_that_still_tries(api: FakeApi) -> None:
    api.add(job(), pod(finished="2025-11-21T10:00:02Z"), job(CLICKHOUSE, **COMPLETE))
    with pytest.raises(LmsError, match="refused the administrator's password") as caught:
        wait(api, wait_timeout=1)
    assert float(caught.value.data["screen"][0].split(" after ")[1].split(" s")[0]) >= 1
    with pytest.raises(LmsError, match="refused the administrator's password") as caught:
        wait(api, wait_timeout=30, since=1.0)
    assert api.requests


def test_a_job_that_failed_before_ends_the_wait_at_once(api: FakeApi) -> None:
    api.add(job(conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]), pod(), job(CLICKHOUSE))
    with pytest.raises(LmsError, match="refused the administrator's password"):
        wait(api)


def test_a_job_that_is_gone_ends_the_wait(api: FakeApi) -> None:
    with pytest.raises(LmsError, match="is gone: it was deleted while it was waited for"):
        wait(api)


def test_the_deadline_names_what_is_waited_for(api: FakeApi) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE))
    with pytest.raises(LmsError) as caught:
        wait(api, wait_timeout=0)
    assert caught.value.message == f"Job lms-dev/{POSTGRES} did not end: it is still running after 0 s."
    assert f"describe job {POSTGRES}" in caught.value.hint


def test_without_waiting_the_state_is_told(api: FakeApi) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE))
    result, shown = wait(api, wait=False)
    assert [one["state"] for one in result["jobs"]] == ["running", "complete"]
    assert shown == []


def test_bad_options_are_refused_before_anything_is_read(api: FakeApi) -> None:
    with pytest.raises(InputError, match=r"jobs.C42: is not a list"):
        wait(api, {"C42": "postgres-setup"})
    with pytest.raises(InputError, match='jobs: "42" is not a client id'):
        wait(api, {"42": []})
    assert api.requests == []


def test_a_wait_keeps_the_leases_of_its_run(api: FakeApi) -> None:
    api.add(job(**COMPLETE), job(CLICKHOUSE, **COMPLETE), Lease(ClientId.parse("C42"), "lms-dev", "anna@desk 5f1c").to_object())
    lease = {"token": "5f1c", "clients": ["C42"], "registry_namespace": "lms-dev", "duration": 20, "actor": "anna@desk"}
    wait(api, lease=lease)
    assert api.writes() == ["PUT /apis/coordination.k8s.io/v1/namespaces/lms-dev/leases/lms-client-c42"]


def test_the_wait_outlives_an_api_that_is_away_for_a_while(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE))
    looks = iter(range(100))

    def goes_on(_seconds: float) -> None:
        number = next(looks)
        if number == 0:
            api.fail("GET", "/jobs", 429, "TooManyRequests", headers={"Retry-After": "60"}, times=2)
        if number == 3:
            api.add(job(**COMPLETE))

    monkeypatch.setattr("time.sleep", goes_on)
    result, shown = wait(api)
    assert {one["state"] for one in result["jobs"]} == {"complete"}
    assert shown[0].endswith("the API answers 429, still trying")


def test_values_of_the_secrets_that_a_jobs_pod_refers_to_are_hidden(api: FakeApi) -> None:
    api.add(job(), job(CLICKHOUSE, **COMPLETE), pod())
    with pytest.raises(LmsError) as caught:
        wait(api, redact_secrets=[])
    assert "s3cret-value" not in str(caught.value.as_result())
