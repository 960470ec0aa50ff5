# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record, managed_hash
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_status import run
from support.fake_api import FakeApi

REGISTRY = "registry"
ENTRY = {"manager": "rarus.lms", "operation": "Apply", "fieldsV1": {"f:spec": {}}}


def keep(fake_api: FakeApi, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    given: dict[str, t.Any] = {
        "statuses": {},
        "objects": [],
        "epochs": {},
        "registry_namespace": REGISTRY,
        "actor": "anna@desk",
        "version": "",
        "since": None,
    }
    return run({**fake_api.params, **given, **changes}, Context(check_mode=check_mode))


@pytest.fixture
def registered(fake_api: FakeApi) -> FakeApi:
    for client in ("C7", "C42"):
        fake_api.add(Record(client=ClientId.parse(client), catalogue="a", namespace="lms-dev", registry_namespace=REGISTRY).to_object())
    return fake_api


def record(fake_api: FakeApi, client: str) -> Record:
    found = fake_api.stored("ConfigMap", f"lms-client-{client.lower()}", REGISTRY)
    assert found is not None
    return Record.from_object(found, ClientId.parse(client))


def deployment(client: str, *, owner: str = "") -> dict[str, t.Any]:
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": owner or client}
    metadata = {"name": f"lms-deployment-{client.lower()}", "namespace": "lms-dev", "labels": labels, "managedFields": [ENTRY]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}


def wanted(client: str) -> dict[str, str]:
    return {
        "client": client,
        "api_version": "apps/v1",
        "kind": "Deployment",
        "name": f"lms-deployment-{client.lower()}",
        "namespace": "lms-dev",
    }


def test_a_status_is_kept_and_signed_by_one_write(registered: FakeApi) -> None:
    status = {"phase": "ready", "result": "ready after 13.1 s", "databases": {"postgres-setup-c42": "5f1c0a3e"}}
    assert keep(registered, statuses={"C42": status}) == {"changed": True, "written": ["C42"]}
    found = record(registered, "C42")
    assert (found.phase, found.result, dict(found.databases)) == ("ready", "ready after 13.1 s", {"postgres-setup-c42": "5f1c0a3e"})
    assert (found.applied_by, found.version, found.applied[-1]) == ("anna@desk", "0.1.0", "Z")
    assert len(registered.writes()) == 1
    assert record(registered, "C7").phase == "registered"


def test_a_run_that_was_overtaken_writes_nothing(registered: FakeApi) -> None:
    assert keep(registered, statuses={"C42": {"result": "ready"}}, epochs={"C42": 0})["written"] == ["C42"]
    registered.requests.clear()
    with pytest.raises(ConflictError, match="C42 was taken over by another run; this run stops before it writes anything more"):
        keep(registered, statuses={"C42": {"result": "failed"}}, epochs={"C42": 3})
    assert registered.writes() == []


def test_the_same_again_writes_nothing(registered: FakeApi) -> None:
    registered.add(deployment("C42"))
    status = {"phase": "ready", "databases": {"postgres-setup-c42": "5f1c0a3e"}}
    keep(registered, statuses={"C42": status}, objects=[wanted("C42")])
    registered.requests.clear()
    assert keep(registered, statuses={"C42": status}, objects=[wanted("C42")], actor="bert@desk")["changed"] is False
    assert registered.writes() == []
    assert record(registered, "C42").applied_by == "anna@desk"


def test_done_jobs_are_joined_with_those_before(registered: FakeApi) -> None:
    keep(registered, statuses={"C42": {"databases": {"postgres-setup-c42": "1"}}})
    keep(registered, statuses={"C42": {"databases": {"clickhouse-setup-c42": "2"}}})
    keep(registered, statuses={"C42": {"databases": {"postgres-setup-c42": "3"}}})
    assert dict(record(registered, "C42").databases) == {"postgres-setup-c42": "3", "clickhouse-setup-c42": "2"}


def test_objects_are_hashed_from_metadata_alone(registered: FakeApi) -> None:
    registered.add(deployment("C42"), deployment("C7"))
    assert keep(registered, objects=[wanted("C42"), wanted("C7")])["written"] == ["C7", "C42"]
    left = managed_hash({"managedFields": [ENTRY]})
    assert dict(record(registered, "C42").objects) == {"apps/Deployment/lms-deployment-c42": left}
    assert dict(record(registered, "C7").objects) == {"apps/Deployment/lms-deployment-c7": left}
    lists = [request for request in registered.requests if request.path.endswith("/deployments")]
    assert len(lists) == 1, "one list a kind, for all clients"
    assert "PartialObjectMetadataList" in lists[0].headers["Accept"]


def test_an_object_that_is_gone_or_anothers_is_not_kept(registered: FakeApi) -> None:
    registered.add(deployment("C42", owner="C7"))
    assert keep(registered, objects=[wanted("C42"), wanted("C7")])["written"] == []


def test_a_write_that_lost_is_repeated_on_what_the_other_wrote(registered: FakeApi) -> None:
    other = record(registered, "C42").with_(credentials="made").to_object()
    registered.fail("PUT", "/configmaps/", 409, "Conflict")
    registered.objects[f"/api/v1/namespaces/{REGISTRY}/configmaps/lms-client-c42"]["data"] = other["data"]
    keep(registered, statuses={"C42": {"phase": "ready"}})
    found = record(registered, "C42")
    assert (found.phase, found.credentials) == ("ready", "made")


def test_a_write_that_always_loses_gives_up(registered: FakeApi) -> None:
    registered.fail("PUT", "/configmaps/", 409, "Conflict", times=1000)
    with pytest.raises(ConflictError):
        keep(registered, statuses={"C42": {"phase": "ready"}})


def test_check_mode_tells_and_writes_nothing(registered: FakeApi) -> None:
    result = keep(registered, check_mode=True, statuses={"C42": {"phase": "ready"}, "C7": {}, "C8": {"phase": "ready"}})
    assert result["written"] == ["C8", "C42"]
    assert registered.writes() == []


def test_nothing_to_keep_asks_nothing(fake_api: FakeApi) -> None:
    assert keep(fake_api) == {"changed": False, "written": []}
    assert fake_api.requests == []


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ({"C8": {"phase": "ready"}}, "client: C8 is not on the list of clients"),
        ({"c42": {}}, 'statuses: "c42" is not a client id'),
        ({"C42": "ready"}, "statuses.C42: is not a status"),
        ({"C42": {"databases": ["x"]}}, "statuses.C42: is not a status"),
    ],
)
def test_what_cannot_be_kept_is_refused(registered: FakeApi, statuses: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        keep(registered, statuses=statuses)
    assert caught.value.message.startswith(words)
    assert registered.writes() == []
