# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what is live as metadata alone, one list a kind for all clients, and tells what differs from the requests."""

from __future__ import annotations

import time
import typing as t
from functools import partial

from .._core.errors import ConflictError, InputError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.names import CLIENT_LABEL, MANAGED_BY, MANAGER
from .._domain.plan import KEPT_KINDS, JobPlan, Plan, Request, compare, key_of, plan_jobs, was_done
from .._domain.record import Record, object_parts
from .._k8s.api import Api, ApiError
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._k8s.resources import KNOWN, Ref
from .registry import read_records

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run", "survey"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "requests": {"type": "list", "elements": "dict", "required": True},
    "redo": {"type": "bool", "default": False},
}

# A selector that names more clients than this makes too long a URL; then all objects of the collection are listed.
MOST_NAMED = 100
# More unseen names of one kind than this are looked for by one list of the whole kind, fewer one by one.
MOST_SINGLE_READS = 10
NOT_FOUND = 404

Object = dict[str, t.Any]
Kind = tuple[str, str]
JOB = ("batch/v1", "Job")


def run(params: t.Mapping[str, t.Any], context: Context) -> Object:
    """Return what differs, why, and what is to become of each Job; raise ConflictError where an object is not ours to write."""
    since = time.time()
    result = {**survey(connect(params), params), "since": since}
    if context.check_mode and result["jobs"]["create"]:
        jobs = ", ".join(job["metadata"]["name"] for job in result["jobs"]["create"])
        context.report(f"  {'databases':<12} would run: {jobs}")
    for edit in result["taken_back"]:
        fields, managers = ", ".join(edit["fields"]) or "a field that was taken out", ", ".join(edit["managers"]) or "somebody"
        context.report(f"  edited   {edit['object']} by {managers}, to be taken back: {fields}")
    for one in result["orphaned"]:
        context.report(f"  former   {one['kind']} {one['namespace']}/{one['name']} is no longer asked for")
    return result


def survey(api: Api, params: t.Mapping[str, t.Any], known: t.Mapping[ClientId, Record] | None = None) -> Object:
    """Do what run says, with an API that is connected; known: the clients' records, where they have been read."""
    namespace = params["namespace"]
    requests = [_request(given, namespace) for given in params["requests"]]
    clients = sorted({ClientId.parse(request.client) for request in requests})
    found = _records(api, params["registry_namespace"] or namespace, clients) if known is None else known
    records = {client.id: record for client, record in found.items()}
    done = {client: record.databases for client, record in records.items()}
    jobs = _survey_jobs(api, namespace, clients, [one for one in requests if one.object["kind"] == "Job"], done, redo=params["redo"])
    others = [one for one in requests if one.object["kind"] != "Job"]
    recorded = {client: record.objects for client, record in records.items()}
    plan = compare(others, _survey_live(api, namespace, clients, others, recorded), recorded)
    refused = [*jobs.refused, *plan.refused]
    if refused:
        hint = (
            "Nothing was touched. Rename or remove what is not the collection's; an environment made by hand is adopted: adopt_client.yml"
        )
        hint += f" -e client={clients[0]}." if len(clients) == 1 else ", a client a run."
        raise ConflictError(" ".join(refused), hint=hint, data={"refused": refused})
    return {**_shown(plan), "jobs": _shown_jobs(jobs, done), "calls": api.calls}


def _request(given: t.Mapping[str, t.Any], namespace: str) -> Request:
    obj = given.get("object")
    if not isinstance(obj, dict) or not obj.get("kind") or not obj.get("apiVersion") or not (obj.get("metadata") or {}).get("name"):
        raise InputError(f"requests: the one of {given.get('file', 'no file')} has no object with apiVersion, kind and metadata.name.")
    client = ClientId.parse(given.get("client"), "requests[].client").id
    request = Request(client, str(given.get("stage", "")), obj)
    if obj["metadata"].get("namespace") != namespace:
        raise InputError(f"requests: {request} is not of namespace {namespace}, which the comparison is about.")
    return request


def _records(api: Api, registry: str, clients: t.Sequence[ClientId]) -> dict[ClientId, Record]:
    return read_records(api, registry, clients) if clients else {}


def _survey_jobs(
    api: Api,
    namespace: str,
    clients: t.Sequence[ClientId],
    requests: t.Sequence[Request],
    recorded: t.Mapping[str, t.Mapping[str, str]],
    *,
    redo: bool,
) -> JobPlan:
    """Plan the Jobs. Where the records call all of them done, none is read: finished Jobs are cleaned up by Kubernetes."""
    live: dict[str, Object] = {}
    if requests and (redo or not all(was_done(request, recorded) for request in requests)):
        live = {key_of(job): job for job in api.list(*JOB, namespace, label_selector=_selector(clients))}
        live |= _strangers(api, namespace, JOB, [one for one in requests if one.key not in live], metadata_only=False)
    return plan_jobs(requests, live, recorded, redo=redo)


def _survey_live(
    api: Api,
    namespace: str,
    clients: t.Sequence[ClientId],
    requests: t.Sequence[Request],
    recorded: t.Mapping[str, t.Mapping[str, str]],
) -> dict[str, Object]:
    """Return the metadata of the clients' objects, of each kind that is requested or was recorded, and of what bears a requested name."""
    wanted: dict[Kind, list[Request]] = {}
    for request in requests:
        wanted.setdefault((request.object["apiVersion"], request.object["kind"]), []).append(request)
    live: dict[str, Object] = {}
    for kind, ones in wanted.items():
        live |= _live_of_kind(api, namespace, kind, _selector(clients), ones)
    for kind in _former_kinds(recorded, wanted) if requests else []:
        live |= _live_of_former_kind(api, namespace, kind, _selector(clients))
    return live


def _former_kinds(recorded: t.Mapping[str, t.Mapping[str, str]], wanted: t.Iterable[Kind]) -> list[Kind]:
    """Return the kinds that only the records know: a client was published in another way, or a template is gone."""
    versions = {(api_version.rpartition("/")[0], kind): api_version for api_version, kind in KNOWN}
    known = {object_parts(key)[:2] for objects in recorded.values() for key in objects}
    current = {(api_version.rpartition("/")[0], kind) for api_version, kind in wanted}
    return [(versions[one], one[1]) for one in sorted(known - current) if one in versions and one[1] not in KEPT_KINDS]


def _live_of_kind(api: Api, namespace: str, kind: Kind, selector: str, requests: t.Sequence[Request]) -> dict[str, Object]:
    live = {key_of(one): one for one in api.list(*kind, namespace, label_selector=selector, metadata_only=True)}
    return live | _strangers(api, namespace, kind, [request for request in requests if request.key not in live], metadata_only=True)


def _live_of_former_kind(api: Api, namespace: str, kind: Kind, selector: str) -> dict[str, Object]:
    try:
        return _live_of_kind(api, namespace, kind, selector, [])
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return {}


def _strangers(api: Api, namespace: str, kind: Kind, unseen: t.Sequence[Request], *, metadata_only: bool) -> dict[str, Object]:
    """Return the objects that bear a requested name and were not found by our labels: they are somebody else's."""
    if len(unseen) > MOST_SINGLE_READS:
        names = {request.key for request in unseen}
        return {key_of(one): one for one in api.list(*kind, namespace, metadata_only=metadata_only) if key_of(one) in names}
    refs = [Ref(*kind, request.object["metadata"]["name"], namespace) for request in unseen]
    found = map(partial(api.get, metadata_only=metadata_only), refs)
    return {key_of(one): one for one in found if one is not None}


def _selector(clients: t.Sequence[ClientId]) -> str:
    """Return the label selector of these clients' objects, or of the whole collection's where the clients are many."""
    if len(clients) > MOST_NAMED:
        return f"{MANAGED_BY}={MANAGER}"
    return f"{CLIENT_LABEL} in ({','.join(client.id for client in clients)})"


def _shown(plan: Plan) -> Object:
    return {
        "changed": False,
        "differing": [request.object for request in plan.differing],
        "references": [_reference(request.object, request.client) for request in plan.differing],
        "reasons": [
            {"client": request.client, "object": str(request), "reason": reason}
            for request, reason in zip(plan.differing, plan.reasons, strict=True)
        ],
        "unchanged": len(plan.unchanged),
        "taken_back": [
            {"client": edit.request.client, "object": str(edit.request), "managers": list(edit.managers), "fields": list(edit.fields)}
            for edit in plan.edits
        ],
        "orphaned": [_with_uid(found) for found in plan.orphaned],
    }


def _shown_jobs(plan: JobPlan, recorded: t.Mapping[str, t.Mapping[str, str]]) -> Object:
    pending: dict[str, list[str]] = {}
    for request in (*plan.running, *plan.create):
        pending.setdefault(request.client, []).append(request.object["metadata"]["name"])
    unrecorded = [one for one in plan.done if not was_done(one, recorded)]
    return {
        "create": [request.object for request in plan.create],
        "delete": [_with_uid(found) for found in plan.delete],
        "running": [request.object["metadata"]["name"] for request in plan.running],
        "pending": pending,
        "deadline": max((_deadline(request.object) for request in (*plan.running, *plan.create)), default=0),
        "done": _statuses(unrecorded),
        "statuses": _statuses([*unrecorded, *plan.running, *plan.create]),
    }


def _deadline(job: Object) -> int:
    """Return the seconds after which Kubernetes ends a Job; 0 for one that it lets run."""
    return int((job.get("spec") or {}).get("activeDeadlineSeconds") or 0)


def _statuses(requests: t.Iterable[Request]) -> Object:
    """Return what the clients' records must say once these Jobs are done, as rarus.lms.client_status takes it."""
    statuses: dict[str, dict[str, dict[str, str]]] = {}
    for request in requests:
        statuses.setdefault(request.client, {"databases": {}})["databases"][request.base_name] = request.hash
    return statuses


def _reference(obj: t.Mapping[str, t.Any], client: str) -> Object:
    """Return what names an object, as rarus.lms.client_status takes it."""
    metadata = obj["metadata"]
    names = {"api_version": obj["apiVersion"], "kind": obj["kind"], "name": metadata["name"], "namespace": metadata["namespace"]}
    return {"client": client, **names}


def _with_uid(found: t.Mapping[str, t.Any]) -> Object:
    """Return what it takes to delete this very object and no successor of its name."""
    return {**_reference(found, found["metadata"]["labels"][CLIENT_LABEL]), "uid": found["metadata"]["uid"]}


OPERATION = Operation(name="requests_info", argument_spec=ARGUMENT_SPEC, run=run)
