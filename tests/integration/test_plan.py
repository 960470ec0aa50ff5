# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing with a real API server: what managedFields become when we, others and controllers write, and what a comparison costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import client, client_status, requests_info
from support.lab import Lab, Prepared
from support.requests import requests_of, write_catalogue

SPACE = "test-plan"
WAIT_SECONDS, POLL_SECONDS = 60, 0.2

Object = dict[str, Any]


class Deployer:
    """Does what the roles do, with the deployer's token, through the API server's own address."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.lab = prepared.lab
        config = json.loads(self.lab.kubectl("config", "view", "--raw", "-o", "json"))
        server = config["clusters"][0]["cluster"]["server"]
        self.connection = {"host": server, "api_key": prepared.token_file.read_text(), "ca_cert": self.lab.facts["api"]["ca_file"]}

    def call(self, operation: Operation, **options: Any) -> Object:
        """Run an entry point's operation; what is not given gets its default."""
        defaults = {name: option.get("default") for name, option in operation.argument_spec.items()}
        return operation.run({**defaults, **self.connection, **options}, Context())

    def register(self, name: str) -> None:
        """Make the client's record."""
        self.call(client.OPERATION, client=name, namespace=SPACE, catalogue=SPACE, registry_namespace=SPACE)

    def compare(self, requests: list[Object], *, redo: bool = False) -> Object:
        """Return what rarus.lms.requests_info returns."""
        return self.call(requests_info.OPERATION, requests=requests, namespace=SPACE, redo=redo)

    def apply(self, objects: list[Object]) -> None:
        """Apply as the roles do: by kubernetes.core, from the server's side, in one call."""
        ssa = {"field_manager": "rarus.lms", "force_conflicts": True}
        arguments = {"state": "present", "apply": True, "server_side_apply": ssa, "resource_definition": objects}
        self.lab.run("ansible", "localhost", "-m", "kubernetes.core.k8s", "-a", json.dumps(arguments), env=self.prepared.env)

    def record(self, references: list[Object], statuses: Object | None = None) -> None:
        """Keep in the records what was applied and done."""
        self.call(client_status.OPERATION, objects=references, statuses=statuses or {}, registry_namespace=SPACE)

    def provision(self, requests: list[Object]) -> Object:
        """Apply what differs, Jobs too, and keep it; return the comparison before."""
        plan = self.compare(requests)
        objects = [*plan["jobs"]["create"], *plan["differing"]]
        if objects:
            self.apply(objects)
        for name in [name for names in plan["jobs"]["pending"].values() for name in names]:
            until(partial(conditions, self.lab, name))
        self.record(plan["references"], plan["jobs"]["statuses"])
        return plan


def until(true: Callable[[], Any]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(POLL_SECONDS)


def conditions(lab: Lab, job: str) -> list[str]:
    """Return the conditions of a Job that are true."""
    status = lab.get("job", job, SPACE).get("status") or {}
    return [one["type"] for one in status.get("conditions") or [] if one["status"] == "True" and one["type"] in ("Complete", "Failed")]


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A deployer in a namespace of this module's own."""
    remove(lab)
    inventory = write_catalogue(tmp_path_factory.mktemp("catalogue"), SPACE)
    yield Deployer(lab.prepare(inventory, namespace=SPACE))
    remove(lab)


def remove(lab: Lab) -> None:
    """Take away what these tests make in the cluster and beside it."""
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found")
    lab.kubectl("delete", "persistentvolume", f"{SPACE}-lms-static", "--ignore-not-found")
    (lab.state / f"{SPACE}.token").unlink(missing_ok=True)


@pytest.fixture
def c42(deployer: Deployer) -> list[Object]:
    """The requests of C42, applied and recorded."""
    requests = requests_of("C42", SPACE)
    deployer.register("C42")
    deployer.provision(requests)
    return requests


def named(plan: Object) -> list[tuple[str, str]]:
    """Return each object that differs by kind and reason."""
    return [(one["object"].split()[0], one["reason"]) for one in plan["reasons"]]


def test_a_new_client_is_all_new_and_then_nothing(deployer: Deployer) -> None:
    requests = requests_of("C1", SPACE)
    deployer.register("C1")
    before = deployer.provision(requests)
    assert [reason for _kind, reason in named(before)] == ["new"] * 4
    after = deployer.compare(requests)
    assert (after["differing"], after["unchanged"], after["orphaned"], after["taken_back"]) == ([], 4, [], [])
    assert after["jobs"] == {"create": [], "delete": [], "running": [], "pending": {}, "deadline": 0, "done": {}, "statuses": {}}
    assert after["calls"] == 5


def test_comparing_only_reads(deployer: Deployer, c42: list[Object]) -> None:
    log = Path(deployer.lab.facts["api"]["audit_log"])
    start = log.stat().st_size
    deployer.compare(c42)
    with log.open() as events:
        events.seek(start)
        seen = [json.loads(line) for line in events if line.endswith("\n")]
    verbs = [event["verb"] for event in seen if event["user"]["username"] == f"system:serviceaccount:{SPACE}:lms-deployer"]
    assert sorted(verbs) == ["get", "list", "list", "list", "list"]


def test_controllers_and_strangers_fields_are_no_difference(deployer: Deployer, c42: list[Object]) -> None:
    lab = deployer.lab
    lab.kubectl("label", "deployment/lms-deployment-c42", "theirs=1", "-n", SPACE, "--overwrite")
    lab.kubectl("annotate", "ingress/client-lms-ingress-c42", "theirs=1", "-n", SPACE, "--overwrite")
    until(lambda: lab.get("deployment", "lms-deployment-c42", SPACE)["status"].get("observedGeneration"))
    assert named(deployer.compare(c42)) == []


EDITS: list[tuple[str, list[str], str, list[str]]] = [
    ("scaled", ["scale", "deployment/lms-deployment-c42", "--replicas=2"], "Deployment", ["spec.replicas"]),
    (
        "another image",
        ["set", "image", "deployment/lms-deployment-c42", "c42=other:1"],
        "Deployment",
        ["spec.template.spec.containers[c42].image"],
    ),
    (
        "another value",
        ["patch", "configmap/lms-config-c42", "-p", '{"data": {"LMS_CLIENT_ID": "C7"}}'],
        "ConfigMap",
        ["data.LMS_CLIENT_ID"],
    ),
    (
        "another label",
        ["label", "service/lms-service-c42", "app.kubernetes.io/managed-by=rarus.lms", "rarus.lms/client=C42", "--overwrite"],
        "",
        [],
    ),
    ("a key taken out", ["patch", "configmap/lms-config-c42", "-p", '{"data": {"LMS_CLIENT_ID": null}}'], "ConfigMap", []),
]


@pytest.mark.parametrize(("case", "words", "kind", "fields"), EDITS, ids=[case[0] for case in EDITS])
def test_an_edit_is_named_and_taken_back(
    deployer: Deployer, c42: list[Object], case: str, words: list[str], kind: str, fields: list[str]
) -> None:
    deployer.lab.kubectl(*words, "-n", SPACE)
    plan = deployer.compare(c42)
    assert [one.split()[0] for one in (edit["object"] for edit in plan["taken_back"])] == ([kind] if kind else []), case
    assert [edit["fields"] for edit in plan["taken_back"]] == ([fields] if kind else [])
    assert all(manager.startswith("kubectl") for edit in plan["taken_back"] for manager in edit["managers"])
    deployer.provision(c42)
    assert named(deployer.compare(c42)) == []


def test_a_changed_setting_is_one_object(deployer: Deployer, c42: list[Object]) -> None:
    changed = requests_of("C42", SPACE, image="registry.example/lms/backend:2.0")
    assert named(deployer.compare(changed)) == [("Deployment", "setting changed")]
    deployer.provision(changed)
    assert named(deployer.compare(changed)) == []
    assert named(deployer.compare(c42)) == [("Deployment", "setting changed")]


def test_a_run_that_was_killed_before_it_recorded_is_understood(deployer: Deployer) -> None:
    requests = requests_of("C2", SPACE)
    deployer.register("C2")
    deployer.apply([request["object"] for request in requests if request["stage"] == "environment"])
    assert [reason for _kind, reason in named(deployer.compare(requests))] == ["applied by a run that did not get to record it"] * 4
    version = deployer.lab.get("deployment", "lms-deployment-c2", SPACE)["metadata"]["generation"]
    deployer.provision(requests)
    assert named(deployer.compare(requests)) == []
    assert deployer.lab.get("deployment", "lms-deployment-c2", SPACE)["metadata"]["generation"] == version


def test_publishing_otherwise_orphans_the_former_route(deployer: Deployer) -> None:
    deployer.register("C3")
    deployer.provision(requests_of("C3", SPACE))
    deployer.provision(requests_of("C3", SPACE, publish="none"))
    routed = requests_of("C3", SPACE, publish="httproute")
    plan = deployer.compare(routed)
    assert named(plan) == [("HTTPRoute", "new")]
    uid = deployer.lab.get("ingress", "client-lms-ingress-c3", SPACE)["metadata"]["uid"]
    assert [(one["kind"], one["name"], one["uid"]) for one in plan["orphaned"]] == [("Ingress", "client-lms-ingress-c3", uid)]
    deployer.provision(routed)
    deployer.lab.kubectl("delete", "ingress", "client-lms-ingress-c3", "-n", SPACE)
    assert deployer.compare(routed)["orphaned"] == []


def test_what_is_not_ours_stops_everything(deployer: Deployer, c42: list[Object]) -> None:
    deployer.lab.kubectl("create", "configmap", "lms-config-c4", "-n", SPACE)
    with pytest.raises(ConflictError, match=f"ConfigMap {SPACE}/lms-config-c4 exists and is not this collection's"):
        deployer.compare(requests_of("C4", SPACE))
    deployer.lab.kubectl(
        "label", "configmap", "lms-config-c4", "app.kubernetes.io/managed-by=rarus.lms", "rarus.lms/client=C42", "-n", SPACE
    )
    with pytest.raises(ConflictError, match=f"ConfigMap {SPACE}/lms-config-c4 exists and belongs to client C42"):
        deployer.compare(requests_of("C4", SPACE))
    deployer.lab.kubectl("delete", "configmap", "lms-config-c4", "-n", SPACE)


def job_of(requests: list[Object]) -> str:
    """Return the name of the Job among the requests."""
    return next(str(request["object"]["metadata"]["name"]) for request in requests if request["stage"] == "databases")


def test_jobs_run_once_fail_once_and_are_repeated_on_demand(deployer: Deployer) -> None:
    lab, lasting = deployer.lab, requests_of("C5", SPACE, command="read -r -t 30 < <(:) || exec sleep 3")
    deployer.register("C5")
    jobs = [request for request in lasting if request["stage"] == "databases"]
    deployer.apply([jobs[0]["object"]])
    assert deployer.compare(jobs)["jobs"]["running"] == [job_of(jobs)]
    until(lambda: conditions(lab, job_of(jobs)))
    done = deployer.compare(jobs)["jobs"]
    assert (done["create"], done["pending"], list(done["done"])) == ([], {}, ["C5"])
    deployer.record([], done["done"])
    lab.kubectl("delete", "job", job_of(jobs), "-n", SPACE)
    after = deployer.compare(jobs)
    assert (after["jobs"]["create"], after["jobs"]["done"], after["calls"]) == ([], {}, 1)
    assert len(deployer.compare(jobs, redo=True)["jobs"]["create"]) == 1

    failing = [request for request in requests_of("C5", SPACE, command="exit 3") if request["stage"] == "databases"]
    deployer.apply([failing[0]["object"]])
    until(lambda: conditions(lab, job_of(failing)) == ["Failed"])
    failed = deployer.compare(failing)["jobs"]
    uid = lab.get("job", job_of(failing), SPACE)["metadata"]["uid"]
    assert [(one["name"], one["uid"]) for one in failed["delete"]] == [(job_of(failing), uid)]
    assert failed["create"] == [failing[0]["object"]]
    assert failed["pending"] == {"C5": [job_of(failing)]}


def test_a_fleet_costs_as_many_calls_as_one(deployer: Deployer) -> None:
    clients = [f"C{number}" for number in range(100, 120)]
    requests = [request for name in clients for request in requests_of(name, SPACE) if request["stage"] == "environment"]
    for name in clients:
        deployer.register(name)
    plan = deployer.compare(requests)
    assert [reason for _kind, reason in named(plan)] == ["new"] * 80
    assert plan["calls"] <= 1 + 4 * 2
    deployer.lab.kubectl(
        "apply", "--server-side", "--field-manager=rarus.lms", "-f", "-", text="\n---\n".join(json.dumps(one) for one in plan["differing"])
    )
    deployer.record(plan["references"])
    after = deployer.compare(requests)
    assert (after["differing"], after["unchanged"], after["calls"]) == ([], 80, 5)
