# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing with the cluster: how much is asked, of whom, and what is handed on."""

from __future__ import annotations

import fnmatch
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import managed_hash, object_key
from ansible_collections.rarus.lms.plugins.module_utils._k8s.faults import ApiError
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from ansible_collections.rarus.lms.plugins.module_utils._operations import requests_info

Object = dict[str, t.Any]
VERSIONS = {"Deployment": "apps/v1", "Job": "batch/v1", "Ingress": "networking.k8s.io/v1", "HTTPRoute": "gateway.networking.k8s.io/v1"}
NAMES = {"ConfigMap": "lms-config-", "Service": "lms-service-", "Ingress": "client-lms-ingress-", "Deployment": "lms-deployment-"}


class Cluster:
    """An API that serves dictionaries by label, and writes down what it is asked."""

    def __init__(self, *objects: Object) -> None:
        self.objects = {Ref.of(obj): obj for obj in objects}
        self.asked: list[str] = []
        self.refused: dict[str, int] = {}

    @property
    def calls(self) -> int:
        return len(self.asked)

    def get(self, ref: Ref, *, metadata_only: bool = False) -> Object | None:
        self.asked.append(f"get {ref.kind} {ref.name}" + " metadata" * metadata_only)
        return self._shown(self.objects.get(ref), metadata_only)

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, label_selector: str = "", metadata_only: bool = False
    ) -> list[Object]:
        self.asked.append(f"list {kind} {label_selector}" + " metadata" * metadata_only)
        if kind in self.refused:
            raise ApiError(f"no {kind}", status=self.refused[kind])
        fitting = [one for ref, one in self.objects.items() if (ref.api_version, ref.kind, ref.namespace) == (api_version, kind, namespace)]
        return [t.cast("Object", self._shown(one, metadata_only)) for one in fitting if selected(one, label_selector)]

    @staticmethod
    def _shown(found: Object | None, metadata_only: bool) -> Object | None:
        return {key: found[key] for key in ("apiVersion", "kind", "metadata")} if found and metadata_only else found


def selected(obj: Object, selector: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    if " in (" in selector:
        name, _in, values = selector.partition(" in ")
        return labels.get(name) in values.strip("()").split(",")
    name, _equals, value = selector.partition("=")
    return not selector or labels.get(name) == value


def made(kind: str, client: str = "C42", name: str = "", text_hash: str = "h1", **more: t.Any) -> Object:
    name = name or NAMES[kind] + client.lower()
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client}
    metadata = {"name": name, "namespace": "lms-dev", "labels": labels, "annotations": {"rarus.lms/hash": text_hash}}
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **more}


def live(obj: Object, fields: Object | None = None, **more: t.Any) -> Object:
    entry = {"manager": "rarus.lms", "operation": "Apply", "fieldsV1": fields or {"f:spec": {}}}
    return {
        **obj,
        "metadata": {**obj["metadata"], "uid": f"uid-{obj['metadata']['name']}", "managedFields": [entry]},
        "spec": {"secret": "canary"},
        **more,
    }


def record(*objects: Object, client: str = "C42", databases: Object | None = None, registry: str = "lms-dev") -> Object:
    kept = {object_key(one["apiVersion"], one["kind"], one["metadata"]["name"]): managed_hash(live(one)["metadata"]) for one in objects}
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client, "rarus.lms/record": "client"}
    data = {
        "schema": "2",
        "client": client,
        "catalogue": "lms-dev",
        "namespace": "lms-dev",
        "objects": json.dumps(kept),
        "databases": json.dumps(databases or {}),
    }
    metadata = {"name": f"lms-client-{client.lower()}", "namespace": registry, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def request(obj: Object) -> Object:
    stage = "databases" if obj["kind"] == "Job" else "environment"
    return {"client": obj["metadata"]["labels"]["rarus.lms/client"], "stage": stage, "file": "x.yml.j2", "object": obj}


def surveyed(cluster: Cluster, *objects: Object, registry: str = "", redo: bool = False) -> Object:
    params = {"requests": [request(one) for one in objects], "namespace": "lms-dev", "registry_namespace": registry, "redo": redo}
    return requests_info.survey(t.cast("t.Any", cluster), params)


ENVIRONMENT = [made(kind) for kind in NAMES]
JOB = made("Job", name="postgres-setup-c42-5f1c0a12", text_hash="5f1c0a12ff")
DONE = {"postgres-setup-c42": "5f1c0a12ff"}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True"}]}


def test_nothing_to_change_costs_one_call_a_kind_and_one_for_the_record() -> None:
    cluster = Cluster(record(*ENVIRONMENT, databases=DONE), *map(live, ENVIRONMENT))
    result = surveyed(cluster, JOB, *ENVIRONMENT)
    assert (result["differing"], result["unchanged"], result["orphaned"]) == ([], 4, [])
    assert result["jobs"] == {"create": [], "delete": [], "running": [], "pending": {}, "deadline": 0, "done": {}, "statuses": {}}
    assert sorted(cluster.asked) == [
        "get ConfigMap lms-client-c42",
        "list ConfigMap rarus.lms/client in (C42) metadata",
        "list Deployment rarus.lms/client in (C42) metadata",
        "list Ingress rarus.lms/client in (C42) metadata",
        "list Service rarus.lms/client in (C42) metadata",
    ]
    assert result["calls"] == 5


def test_the_longest_deadline_of_the_jobs_to_wait_for_is_told() -> None:
    runs = made("Job", name="postgres-setup-c42-5f1c0a12", spec={"activeDeadlineSeconds": 900})
    waits = made("Job", name="clickhouse-setup-c42-0a5f1c12", spec={"activeDeadlineSeconds": 300})
    over = made("Job", "C7", name="postgres-setup-c7-5f1c0a12", text_hash="5f1c0a12ff", spec={"activeDeadlineSeconds": 5000})
    records = (record(), record(client="C7", databases={"postgres-setup-c7": "5f1c0a12ff"}))
    assert surveyed(Cluster(*records, runs), runs, waits, over)["jobs"]["deadline"] == 900
    assert surveyed(Cluster(*records), JOB)["jobs"]["deadline"] == 0


@pytest.mark.parametrize(("count", "selector"), [(2, "rarus.lms/client in (C1,C2)"), (101, "app.kubernetes.io/managed-by=rarus.lms")])
def test_many_clients_cost_no_more_calls(count: int, selector: str) -> None:
    clients = [f"C{number}" for number in range(1, count + 1)]
    objects = [made(kind, client) for client in clients for kind in NAMES]
    records = [
        record(*(one for one in objects if one["metadata"]["labels"]["rarus.lms/client"] == client), client=client) for client in clients
    ]
    cluster = Cluster(*records, *map(live, objects), live(made("Service", "C999", "lms-service-c999")))
    result = surveyed(cluster, *objects)
    assert (result["differing"], result["unchanged"], result["orphaned"]) == ([], 4 * count, [])
    assert result["calls"] == 5
    assert [asked for asked in cluster.asked if asked.startswith("list Service")] == [f"list Service {selector} metadata"]


def test_a_new_client_is_compared_by_name_too() -> None:
    cluster = Cluster()
    result = surveyed(cluster, *ENVIRONMENT)
    assert [one["reason"] for one in result["reasons"]] == ["new"] * 4
    assert result["differing"] == ENVIRONMENT
    assert "get Deployment lms-deployment-c42 metadata" in cluster.asked
    assert result["calls"] == 1 + 4 + 4


def test_many_new_objects_are_looked_for_by_one_list() -> None:
    objects = [made("Service", f"C{number}") for number in range(1, 12)]
    stranger = live(made("Service", "C999", "lms-service-c7"))
    cluster = Cluster(stranger)
    with pytest.raises(ConflictError, match="Service lms-dev/lms-service-c7 exists and belongs to client C999"):
        surveyed(cluster, *objects)
    assert not [asked for asked in cluster.asked if asked.startswith("get")]
    assert "list Service  metadata" in cluster.asked


def test_a_stranger_of_the_name_is_refused_and_named_once() -> None:
    stranger = live(made("Deployment"))
    stranger["metadata"]["labels"] = {"app": "theirs"}
    with pytest.raises(ConflictError) as raised:
        surveyed(Cluster(stranger), *ENVIRONMENT)
    assert (
        raised.value.message
        == "Deployment lms-dev/lms-deployment-c42 exists and is not this collection's: it has no label app.kubernetes.io/managed-by."
    )
    assert raised.value.data["refused"] == [raised.value.message]


def test_no_spec_is_read_of_what_is_compared() -> None:
    cluster = Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT))
    assert "canary" not in json.dumps(surveyed(cluster, *ENVIRONMENT))
    assert all(fnmatch.fnmatch(asked, "* metadata") for asked in cluster.asked if "lms-client-c42" not in asked)


def test_a_changed_setting_is_handed_on_with_its_reason() -> None:
    cluster = Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT))
    changed = made("Deployment", text_hash="h2")
    result = surveyed(cluster, *ENVIRONMENT[:3], changed)
    assert result["differing"] == [changed]
    named = {"api_version": "apps/v1", "kind": "Deployment", "name": "lms-deployment-c42", "namespace": "lms-dev"}
    assert result["references"] == [{"client": "C42", **named}]
    assert result["reasons"] == [{"client": "C42", "object": "Deployment lms-dev/lms-deployment-c42", "reason": "setting changed"}]


def test_an_edit_is_taken_back_and_named() -> None:
    edited = live(ENVIRONMENT[3], {"f:metadata": {}})
    edited["metadata"]["managedFields"].append(
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:rarus.lms/client": {}}}}}
    )
    result = surveyed(Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT[:3]), edited), *ENVIRONMENT)
    assert result["taken_back"] == [
        {
            "client": "C42",
            "object": "Deployment lms-dev/lms-deployment-c42",
            "managers": ["kubectl"],
            "fields": ["metadata.labels.rarus.lms/client"],
        }
    ]
    assert result["differing"] == [ENVIRONMENT[3]]


def test_another_way_of_publishing_orphans_the_former_one() -> None:
    route = made("HTTPRoute", name="client-lms-route-c42")
    rest = [one for one in ENVIRONMENT if one["kind"] != "Ingress"]
    result = surveyed(Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT)), route, *rest)
    assert result["orphaned"] == [
        {
            "client": "C42",
            "api_version": "networking.k8s.io/v1",
            "kind": "Ingress",
            "name": "client-lms-ingress-c42",
            "namespace": "lms-dev",
            "uid": "uid-client-lms-ingress-c42",
        }
    ]
    assert result["differing"] == [route]


def test_a_former_kind_that_the_cluster_no_longer_serves_is_gone() -> None:
    route = made("HTTPRoute", name="client-lms-route-c42")
    cluster = Cluster(record(route, *ENVIRONMENT), *map(live, ENVIRONMENT))
    cluster.refused = {"HTTPRoute": 404}
    assert surveyed(cluster, *ENVIRONMENT)["orphaned"] == []
    cluster.refused = {"HTTPRoute": 503}
    with pytest.raises(ApiError):
        surveyed(cluster, *ENVIRONMENT)


def test_jobs_alone_look_at_nothing_else() -> None:
    cluster = Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT))
    result = surveyed(cluster, JOB)
    assert result["orphaned"] == []
    assert sorted(cluster.asked) == [
        "get ConfigMap lms-client-c42",
        "get Job postgres-setup-c42-5f1c0a12",
        "list Job rarus.lms/client in (C42)",
    ]
    assert result["jobs"]["create"] == [JOB]
    assert result["jobs"]["pending"] == {"C42": ["postgres-setup-c42-5f1c0a12"]}
    assert result["jobs"]["statuses"] == {"C42": {"databases": DONE}}
    assert result["jobs"]["done"] == {}


JOBS: list[tuple[str, Object, bool, Object]] = [
    ("complete", COMPLETE, False, {"create": 0, "delete": 0, "running": 0, "pending": 0, "done": 1, "statuses": 1}),
    ("running", {}, False, {"create": 0, "delete": 0, "running": 1, "pending": 1, "done": 0, "statuses": 1}),
    ("failed", FAILED, False, {"create": 1, "delete": 1, "running": 0, "pending": 1, "done": 0, "statuses": 1}),
    ("complete, to be repeated", COMPLETE, True, {"create": 1, "delete": 1, "running": 0, "pending": 1, "done": 0, "statuses": 1}),
]


@pytest.mark.parametrize(("case", "status", "redo", "expected"), JOBS, ids=[case[0] for case in JOBS])
def test_live_jobs(case: str, status: Object, redo: bool, expected: Object) -> None:
    jobs = surveyed(Cluster(record(), live(JOB, status=status)), JOB, redo=redo)["jobs"]
    assert {name: len(things) for name, things in jobs.items() if name != "deadline"} == expected, case
    assert not jobs["delete"] or jobs["delete"][0]["uid"] == "uid-postgres-setup-c42-5f1c0a12"


def test_the_records_may_lie_elsewhere() -> None:
    cluster = Cluster(record(*ENVIRONMENT, registry="lms-registry"), *map(live, ENVIRONMENT))
    assert surveyed(cluster, *ENVIRONMENT, registry="lms-registry")["unchanged"] == 4
    assert surveyed(cluster, *ENVIRONMENT)["unchanged"] == 0


def test_an_operator_reads_whose_edits_are_taken_back_and_what_is_no_longer_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = live(ENVIRONMENT[3], {"f:metadata": {}})
    edited["metadata"]["managedFields"].append({"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {"f:name": {}}}})
    cluster = Cluster(record(*ENVIRONMENT), *map(live, ENVIRONMENT[:3]), edited)
    monkeypatch.setattr(requests_info, "connect", lambda _params: cluster)
    lines: list[str] = []
    requests = [request(one) for one in ENVIRONMENT if one["kind"] != "Ingress"]
    params = {"requests": requests, "namespace": "lms-dev", "registry_namespace": "", "redo": False}
    requests_info.run(params, Context(report=lines.append))
    assert lines == [
        "  edited   Deployment lms-dev/lms-deployment-c42 by kubectl, to be taken back: metadata.name",
        "  former   Ingress lms-dev/client-lms-ingress-c42 is no longer asked for",
    ]


BAD: list[tuple[str, Object, str]] = [
    ("no object", {"client": "C42", "file": "a.yml"}, "requests: the one of a.yml has no object with apiVersion, kind and metadata.name."),
    (
        "no name",
        {"client": "C42", "object": {"apiVersion": "v1", "kind": "Service", "metadata": {}}},
        "requests: the one of no file has no object",
    ),
    ("no client", {"object": ENVIRONMENT[0]}, "is not a client id"),
    (
        "another namespace",
        {"client": "C42", "object": {**ENVIRONMENT[0], "metadata": {"name": "x", "namespace": "y"}}},
        "ConfigMap y/x is not of namespace lms-dev",
    ),
]


@pytest.mark.parametrize(("case", "given", "expected"), BAD, ids=[case[0] for case in BAD])
def test_bad_requests(case: str, given: Object, expected: str) -> None:
    cluster = Cluster()
    with pytest.raises(InputError) as raised:
        requests_info.survey(
            t.cast("t.Any", cluster), {"requests": [given], "namespace": "lms-dev", "registry_namespace": "", "redo": False}
        )
    assert expected in raised.value.message, case
    assert cluster.asked == []


@pytest.mark.parametrize("redo", [False, True])
def test_no_requests_ask_nothing(redo: bool) -> None:
    cluster = Cluster()
    result = surveyed(cluster, redo=redo)
    assert (result["differing"], result["orphaned"], cluster.asked) == ([], [], [])
