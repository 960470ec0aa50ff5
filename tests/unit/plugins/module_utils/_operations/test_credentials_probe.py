# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins that are tried on demand: by Jobs that come and go, with answers that are never guessed."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._k8s import waiting
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials_info import run
from support.fake_api import FakeApi
from support.requests import setups_of

Object = dict[str, Any]
KEY = credentials.generate_rsa_key(2048)
REFUSED = 'psql: error: connection to server failed: FATAL:  password authentication failed for user "c42"\n'
CLOSED = 'psql: error: connection to server at "postgres.lms-dev.example" (10.0.0.7), port 5432 failed: Connection refused\n'
DONE = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": "2026-11-21T10:00:04Z"}


class Cluster:
    """What becomes of the Jobs: each ends at once and leaves what `told` has for its database; None leaves it running."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.told: dict[str, str | None] = {"postgres": "agrees\n", "clickhouse": "agrees\n"}
        self.jobs: list[Object] = []
        self._post = api._post

    def post(self, request: Any, api_version: str, kind: str, match: re.Match[str]) -> tuple[int, Any]:
        """Create an object, and be the Job controller and the kubelet."""
        status, stored = self._post(request, api_version, kind, match)
        if kind == "Job" and status == 201:
            self.jobs.append(copy.deepcopy(stored))
            told = self.told[stored["metadata"]["name"].partition("-")[0]]
            if told is not None:
                stored["status"] = DONE
                self._pod(stored["metadata"], told)
        return status, stored

    def _pod(self, job: Object, told: str) -> None:
        labels = {**job["labels"], "batch.kubernetes.io/controller-uid": job["uid"]}
        ended = {"state": {"terminated": {"exitCode": 0, "message": told}}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{job['name']}-x7k2p", "namespace": "lms-dev", "labels": labels}}
        self.api.add({**pod, "status": {"containerStatuses": [ended]}})

    def left(self) -> list[str]:
        """Return the Jobs that are still there."""
        return [path for path in self.api.objects if "/jobs/" in path]


@pytest.fixture
def cluster(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Provide a cluster with the credentials of C42, in which waits need no time."""
    made = Cluster(fake_api)
    monkeypatch.setattr(fake_api, "_post", made.post)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(waiting, name, 0.001)
    secret = credentials.credentials_secret(ClientId(42), namespace="lms-dev", user="c42", made="2026-11-21T09:00:00Z")
    fake_api.add(secret, credentials.rsa_secret(ClientId(42), namespace="lms-dev", key=KEY, made="2026-11-21T09:00:00Z"))
    return made


def probed(cluster: Cluster, *clients: str, check_mode: bool = False, **options: Any) -> tuple[Object, str]:
    """Ask with a probe; return the result, and what the operator reads."""
    shown: list[str] = []
    params = {
        **cluster.api.params,
        "clients": list(clients or ("C42",)),
        "namespace": "lms-dev",
        "probe": True,
        "requests": setups_of("C42"),
        "wait_timeout": 0.2,
        **options,
    }
    return run(params, Context(check_mode=check_mode, report=shown.append)), "\n".join(shown)


def states(result: Object) -> dict[str, str]:
    return {database: answer["state"] for database, answer in result["clients"][0]["probe"].items()}


def test_both_agree_and_nothing_is_left(cluster: Cluster) -> None:
    result, shown = probed(cluster)
    assert states(result) == {"postgres": "agrees", "clickhouse": "agrees"}
    assert result["changed"] is False
    assert "C42: postgres agrees, clickhouse agrees" in shown
    assert [job["metadata"]["name"].rpartition("-")[0] for job in cluster.jobs] == ["postgres-probe-c42", "clickhouse-probe-c42"]
    assert cluster.left() == []


def test_a_difference_is_told_with_the_command_that_repairs_it(cluster: Cluster) -> None:
    cluster.told |= {"postgres": REFUSED, "clickhouse": CLOSED}
    result, shown = probed(cluster)
    assert states(result) == {"postgres": "differs", "clickhouse": "unreachable"}
    assert "provision_client.yml -e client=C42 -e redo=databases" in shown
    assert cluster.left() == []


def test_what_could_not_be_found_out_is_no_success(cluster: Cluster) -> None:
    cluster.told["postgres"] = CLOSED
    with pytest.raises(UnknownStateError, match="whether the Secret of C42 and PostgreSQL agree could not be found out") as caught:
        probed(cluster)
    assert caught.value.data["clients"][0]["probe"]["clickhouse"]["state"] == "agrees"
    assert cluster.left() == []


def test_a_probe_that_does_not_end_is_taken_away_too(cluster: Cluster) -> None:
    cluster.told["clickhouse"] = None
    with pytest.raises(UnknownStateError, match=r"Job clickhouse-probe-c42-.* did not end in time"):
        probed(cluster)
    assert cluster.left() == []


def test_a_second_job_that_cannot_be_made_leaves_no_first_one(cluster: Cluster) -> None:
    cluster.api.answer("POST", "/jobs", times=1)
    cluster.api.fail("POST", "/jobs", 403, "Forbidden", "jobs.batch is forbidden: exceeded quota", times=99)
    with pytest.raises(UnknownStateError, match="exceeded quota"):
        probed(cluster)
    assert (len(cluster.jobs), cluster.left()) == (1, [])


def test_one_that_cannot_be_removed_is_said_and_goes_by_itself(cluster: Cluster) -> None:
    cluster.api.fail("DELETE", "/jobs/postgres-probe", 403, "Forbidden", "no", times=99)
    result, shown = probed(cluster)
    assert states(result) == {"postgres": "agrees", "clickhouse": "agrees"}
    assert re.search(r"Job lms-dev/postgres-probe-c42-\w+ is left, and goes by itself", shown)
    assert cluster.jobs[0]["spec"]["ttlSecondsAfterFinished"] == 300


def test_check_mode_and_missing_secrets_try_nothing(cluster: Cluster) -> None:
    assert "probe" not in probed(cluster, check_mode=True)[0]["clients"][0]
    cluster.api.remove("Secret", "rsa-secret-c42")
    assert probed(cluster)[0]["clients"][0]["missing"] == ["rsa-secret-c42"]
    assert cluster.api.writes() == []


def test_requests_of_others_are_refused_before_anything_is_made(cluster: Cluster) -> None:
    for requests in ([], setups_of("C4"), setups_of("C42", namespace="lms-prod")):
        with pytest.raises(InputError, match="requests: none sets up PostgreSQL for C42 in lms-dev"):
            probed(cluster, requests=requests)
    assert cluster.api.writes() == []


def test_no_value_is_told_or_put_into_a_job(cluster: Cluster) -> None:
    secret = cluster.api.stored("Secret", "lms-credentials-c42")
    assert secret is not None
    password = credentials.data_of(secret)["postgres-password"].decode()
    cluster.told["postgres"] = f"psql: error: FATAL:  password authentication failed ({password})\n"
    result, shown = probed(cluster)
    assert states(result)["postgres"] == "differs"
    assert password not in f"{result}{shown}{cluster.jobs}"
