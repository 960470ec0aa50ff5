# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs, why, and whose: judged from metadata alone."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.plan import Plan, Request, compare, key_of, plan_jobs
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import managed_hash

Object = dict[str, t.Any]
OURS = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42"}
FIELDS: Object = {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"c42"}': {".": {}, "f:image": {}}}}}}}
STATUS = {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:spec": {"f:replicas": {}}}}


def wanted(
    kind: str = "Deployment", name: str = "lms-deployment-c42", text_hash: str = "h1", client: str = "C42", stage: str = "environment"
) -> Request:
    metadata = {"name": name, "namespace": "lms-dev", "annotations": {"rarus.lms/hash": text_hash}}
    containers = [{"name": "c42", "image": "lms:dev", "ports": [{"containerPort": 8080, "name": "8080tcp"}], "args": ["serve"]}]
    spec = {"replicas": 1, "template": {"spec": {"containers": containers}}}
    api_version = {"Deployment": "apps/v1", "Job": "batch/v1", "Ingress": "networking.k8s.io/v1"}.get(kind, "v1")
    return Request(client, stage, {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})


def live(
    request: Request,
    *managers: Object,
    labels: Object | None = None,
    text_hash: str = "h1",
    fields: Object | None = None,
    **metadata: t.Any,
) -> Object:
    ours = {"manager": "rarus.lms", "operation": "Apply", "fieldsV1": FIELDS if fields is None else fields}
    found = {**request.object["metadata"], "uid": "u", "labels": OURS if labels is None else labels, **metadata}
    found["annotations"] = {"rarus.lms/hash": text_hash} if text_hash else {}
    found["managedFields"] = [ours, STATUS, *managers]
    return {"apiVersion": request.object["apiVersion"], "kind": request.object["kind"], "metadata": found}


def manager(name: str, fields: Object) -> Object:
    return {"manager": name, "operation": "Update", "fieldsV1": fields}


def compared(request: Request, found: Object | None, left: Object | None) -> Plan:
    recorded = {request.client: {request.key: managed_hash(left["metadata"])}} if left else {}
    return compare([request], {request.key: found} if found else {}, recorded)


ONE = wanted()
WITHOUT_REPLICAS = {"f:spec": {"f:template": FIELDS["f:spec"]["f:template"]}}
SCALED = live(ONE, manager("kubectl", {"f:spec": {"f:replicas": {}}}), fields=WITHOUT_REPLICAS)
LABELLED = live(ONE, manager("somebody", {"f:metadata": {"f:labels": {"f:theirs": {}}}}))
REMOVED = live(ONE, manager("kubectl-edit", {"f:metadata": {"f:annotations": {"f:x": {}}}}), fields=WITHOUT_REPLICAS)

REASONS: list[tuple[str, Object | None, Object | None, str]] = [
    ("absent", None, None, "new"),
    ("absent though recorded", None, live(ONE), "new"),
    ("as it was left", live(ONE), live(ONE), ""),
    ("with a foreign label", LABELLED, live(ONE), ""),
    ("rendered anew", live(ONE, text_hash="h0"), live(ONE), "setting changed"),
    ("without its annotation", live(ONE, text_hash=""), live(ONE), "setting changed"),
    ("scaled by others", SCALED, live(ONE), "edited by kubectl (spec.replicas)"),
    (
        "scaled, and rendered anew",
        live(ONE, *SCALED["metadata"]["managedFields"][2:], text_hash="h0", fields={}),
        live(ONE),
        "setting changed, edited by kubectl (spec.replicas)",
    ),
    ("a field taken out", REMOVED, live(ONE), "edited by kubectl-edit"),
    ("taken out by nobody", live(ONE, fields={}), live(ONE), "edited by somebody"),
    ("not recorded", live(ONE), None, "applied by a run that did not get to record it"),
]


@pytest.mark.parametrize(("case", "found", "left", "expected"), REASONS, ids=[case[0] for case in REASONS])
def test_reasons(case: str, found: Object | None, left: Object | None, expected: str) -> None:
    plan = compared(ONE, found, left)
    assert plan.reasons == ([expected] if expected else []), case
    assert plan.differing == ([ONE] if expected else []), case
    assert plan.unchanged == ([] if expected else [ONE]), case
    assert len(plan.edits) == ("edited" in expected), case


# What the API server keeps of the whole of ONE, applied by us: the container's args are a list that counts as one value.
CONTAINER_FIELDS: Object = {
    ".": {},
    "f:name": {},
    "f:image": {},
    "f:args": {},
    "f:ports": {'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}},
}


def applied(container: Object, *, annotations: Object | None = None) -> Object:
    """Return our entry's fields where the container has these."""
    template = {"f:spec": {"f:containers": {'k:{"name":"c42"}': container}}}
    kept = {"f:rarus.lms/hash": {}} if annotations is None else annotations
    return {"f:metadata": {"f:annotations": kept}, "f:spec": {"f:replicas": {}, "f:template": template}}


WITHOUT_IMAGE = {key: value for key, value in CONTAINER_FIELDS.items() if key != "f:image"}
ANOTHER_PORT = {
    **CONTAINER_FIELDS,
    "f:ports": {'k:{"containerPort":9090,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}},
}
UNRECORDED: list[tuple[str, Object, str, bool]] = [
    ("ours as a whole", applied(CONTAINER_FIELDS), "h1", True),
    ("ours, and more", {**applied(CONTAINER_FIELDS), "f:data": {"f:x": {}}}, "h1", True),
    ("without a field", applied(WITHOUT_IMAGE), "h1", False),
    ("with another one of a list", applied(ANOTHER_PORT), "h1", False),
    ("without the annotation", applied(CONTAINER_FIELDS, annotations={"f:theirs": {}}), "h1", False),
    ("without a spec", {"f:metadata": {"f:annotations": {"f:rarus.lms/hash": {}}}, "f:spec": {}}, "h1", False),
    ("of another text", applied(CONTAINER_FIELDS), "h0", False),
]


@pytest.mark.parametrize(("case", "fields", "text_hash", "ours"), UNRECORDED, ids=[case[0] for case in UNRECORDED])
def test_a_write_of_ours_that_was_not_recorded_is_nobodys_edit(case: str, fields: Object, text_hash: str, ours: bool) -> None:
    theirs = manager("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}})
    plan = compared(ONE, live(ONE, theirs, fields=fields, text_hash=text_hash), live(ONE))
    assert (plan.edits == []) is ours, case
    assert plan.differing == [ONE]
    assert (plan.reasons == ["applied by a run that did not get to record it"]) is ours


def in_container(name: str, fields: Object) -> Object:
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": {f'k:{{"name":"{name}"}}': {".": {}, **fields}}}}}}


CONTAINER = "spec.template.spec.containers[c42]"
PORT = 'k:{"containerPort":8080,"protocol":"TCP"}'
TAKEN: list[tuple[str, Object, list[str]]] = [
    ("an image", in_container("c42", {"f:image": {}}), [f"{CONTAINER}.image"]),
    ("another container", in_container("sidecar", {"f:image": {}}), []),
    (
        "a port whose default is not written",
        in_container("c42", {"f:ports": {PORT: {"f:name": {}}}}),
        [f"{CONTAINER}.ports[8080, TCP].name"],
    ),
    ("one of a set", in_container("c42", {"f:args": {'v:"serve"': {}, 'v:"more"': {}}}), [f"{CONTAINER}.args[serve]"]),
    ("a field with dots", {"f:metadata": {"f:annotations": {".": {}, "f:rarus.lms/hash": {}}}}, ["metadata.annotations.rarus.lms/hash"]),
    ("nothing of ours", {"f:spec": {"f:paused": {}}}, []),
]


@pytest.mark.parametrize(("case", "fields", "expected"), TAKEN, ids=[case[0] for case in TAKEN])
def test_the_fields_that_are_taken_back_are_named(case: str, fields: Object, expected: list[str]) -> None:
    plan = compared(ONE, live(ONE, manager("kubectl", fields), fields={}), live(ONE))
    assert [list(edit.fields) for edit in plan.edits] == [expected], case


STRANGERS: list[tuple[str, Object, str]] = [
    ("without labels", {}, "it has no label app.kubernetes.io/managed-by."),
    ("of another tool", {"app.kubernetes.io/managed-by": "Helm"}, "label app.kubernetes.io/managed-by is Helm."),
    ("of another client", {**OURS, "rarus.lms/client": "C7"}, "exists and belongs to client C7: label rarus.lms/client is not C42."),
    (
        "of no client",
        {"app.kubernetes.io/managed-by": "rarus.lms"},
        "exists and belongs to client nobody: label rarus.lms/client is not C42.",
    ),
]


@pytest.mark.parametrize(("case", "labels", "expected"), STRANGERS, ids=[case[0] for case in STRANGERS])
def test_what_is_not_ours_is_refused(case: str, labels: Object, expected: str) -> None:
    plan = compared(ONE, live(ONE, labels=labels), live(ONE))
    assert len(plan.refused) == 1, case
    assert plan.refused[0].startswith("Deployment lms-dev/lms-deployment-c42 exists and ")
    assert plan.refused[0].endswith(expected)
    assert (plan.differing, plan.unchanged, plan.orphaned) == ([], [], [])


FORMER = wanted("Ingress", "client-lms-ingress-c42")
ORPHANS: list[tuple[str, Object, bool]] = [
    ("no longer rendered", live(FORMER), True),
    ("of another client", live(FORMER, labels={**OURS, "rarus.lms/client": "C7"}), False),
    ("without the owner's label", live(FORMER, labels={"rarus.lms/client": "C42"}), False),
    ("never applied from a request", live(FORMER, text_hash=""), False),
    ("made by a controller", live(FORMER, ownerReferences=[{"kind": "Service"}]), False),
    ("a Secret", live(wanted("Secret", "lms-credentials-c42")), False),
    ("a claim", live(wanted("PersistentVolumeClaim", "data-c42")), False),
    ("a Job", live(wanted("Job", "postgres-setup-c42-1")), False),
    ("a record", live(wanted("ConfigMap", "lms-client-c42"), text_hash=""), False),
    ("a ConfigMap of a template that is gone", live(wanted("ConfigMap", "extra-c42")), True),
]


@pytest.mark.parametrize(("case", "found", "expected"), ORPHANS, ids=[case[0] for case in ORPHANS])
def test_orphans(case: str, found: Object, expected: bool) -> None:
    plan = compare([ONE], {key_of(found): found}, {})
    assert plan.orphaned == ([found] if expected else []), case


def test_nothing_requested_orphans_nothing() -> None:
    found = live(FORMER)
    assert compare([], {key_of(found): found}, {}).orphaned == []
    only_jobs = [wanted("Job", "postgres-setup-c42-1", stage="databases")]
    assert compare(only_jobs, {key_of(found): found}, {}).orphaned == []


def test_an_object_is_the_same_in_every_version_of_its_group() -> None:
    request = wanted("HorizontalPodAutoscaler", "x")
    newer, older = ({**request.object, "apiVersion": f"autoscaling/{version}"} for version in ("v2", "v1"))
    assert key_of(newer) == key_of(older)
    assert key_of(newer) != key_of({**request.object, "apiVersion": "v2"})


def test_comparing_changes_nothing_that_it_was_given() -> None:
    found = copy.deepcopy(SCALED)
    compared(ONE, found, live(ONE))
    assert found == SCALED


JOB = wanted("Job", "postgres-setup-c42-5f1c0a12", "5f1c0a1234", stage="databases")


def job(*conditions: str, labels: Object | None = None, **metadata: t.Any) -> Object:
    return {**live(JOB, labels=labels, **metadata), "status": {"conditions": [{"type": name, "status": "True"} for name in conditions]}}


RECORDED = {"C42": {"postgres-setup-c42": "5f1c0a1234"}}
JOBS: list[tuple[str, Object | None, dict[str, dict[str, str]], bool, str]] = [
    ("absent", None, {}, False, "create"),
    ("absent, another was done", None, {"C42": {"postgres-setup-c42": "older"}}, False, "create"),
    ("absent, another client's was done", None, {"C7": RECORDED["C42"]}, False, "create"),
    ("absent, and done", None, RECORDED, False, "done"),
    ("complete", job("SuccessCriteriaMet", "Complete"), {}, False, "done"),
    ("running", job(), {}, False, "running"),
    ("running, with an old record", job(), RECORDED, False, "running"),
    ("about to fail", job("FailureTarget"), {}, False, "running"),
    ("failed", job("FailureTarget", "Failed"), {}, False, "delete create"),
    ("being deleted", job("Complete", deletionTimestamp="2026-11-21T09:00:00Z"), {}, False, "delete create"),
    ("absent, to be repeated", None, RECORDED, True, "create"),
    ("complete, to be repeated", job("Complete"), RECORDED, True, "delete create"),
    ("running, to be repeated", job(), RECORDED, True, "running"),
    ("a stranger's", job("Complete", labels={}), {}, False, "refused"),
]


@pytest.mark.parametrize(("case", "found", "recorded", "redo", "expected"), JOBS, ids=[case[0] for case in JOBS])
def test_jobs(case: str, found: Object | None, recorded: dict[str, dict[str, str]], redo: bool, expected: str) -> None:
    plan = plan_jobs([JOB], {JOB.key: found} if found else {}, recorded, redo=redo)
    lists = {"done": plan.done, "running": plan.running, "delete": plan.delete, "create": plan.create, "refused": plan.refused}
    assert " ".join(name for name, things in lists.items() if things) == expected, case


NINE, TEN, ELEVEN = (f"2026-11-21T{hour:02}:00:00Z" for hour in (9, 10, 11))


@pytest.mark.parametrize(
    ("name", "made", "labels", "overtaken"),
    [
        ("postgres-setup-c42-77aa01be", NINE, OURS, False),
        ("postgres-setup-c42-77aa01be", TEN, OURS, True),
        ("postgres-setup-c42-77aa01be", ELEVEN, OURS, True),
        ("clickhouse-setup-c42-77aa01be", ELEVEN, OURS, False),
        ("postgres-setup-c42-77aa01be", ELEVEN, {}, False),
    ],
    ids=["an older one", "one of the same second", "a newer one", "one of another database", "a stranger's"],
)
@pytest.mark.parametrize(("conditions", "kept"), [(("Complete",), "done"), ((), "running")])
def test_of_two_jobs_of_one_purpose_only_the_newest_counts(
    name: str, made: str, labels: Object, overtaken: bool, conditions: tuple[str, ...], kept: str
) -> None:
    """Credentials that were rotated and then restored name a Job that was done before the one that took its logins away."""
    found, other = job(*conditions, creationTimestamp=TEN), job("Complete", creationTimestamp=made, name=name, labels=labels)
    plan = plan_jobs([JOB], {key_of(one): one for one in (found, other)}, {"C42": {"postgres-setup-c42": "77aa01be12"}})
    lists = {"done": plan.done, "running": plan.running, "delete": plan.delete, "create": plan.create}
    assert " ".join(name for name, things in lists.items() if things) == ("delete create" if overtaken else kept)
    assert plan.delete == ([found] if overtaken else [])
