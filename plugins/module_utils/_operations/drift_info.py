# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether anything is to be done for clients: record, credentials, Jobs and objects, all by reads in one process.

It judges nothing by itself. It asks what each stage of a provisioning would ask, and ends at the first answer that leaves something to do.
"""

from __future__ import annotations

import functools
import typing as t

from .._core.errors import InputError
from .._core.operation import Context, Operation, Render
from .._domain.client_id import ClientId
from .._domain.kinds import plain
from .._domain.names import database_name
from .._domain.record import MADE, REGISTERED, Record
from .._domain.requests import DATABASES, ENVIRONMENT
from .._domain.settings import with_records
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_secrets import Work, listed_of, told, watched
from .registry import read_records
from .requests_info import survey

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "clients": {"type": "list", "elements": "str", "required": True},
    "settings": {"type": "dict", "required": True},
    "redo": {"type": "list", "elements": "str", "choices": ["databases"], "default": []},
}

Object = dict[str, t.Any]
VAULT = "vault"


def run(params: t.Mapping[str, t.Any], context: Context) -> Object:
    """Return the first thing that is to be done, if any; raises what the stages would raise of the same reads."""
    clients = [ClientId.parse(client, "clients") for client in params["clients"]]
    if context.render is None:
        raise InputError(
            "drift_info: the request templates lie on the controller, and this task runs in a process of its own.",
            hint="Run it with a local connection and without become.",
        )
    reason, calls = _beside_the_cluster(params), 0
    if not reason:
        api = connect(params)
        reason = _reason(api, params, clients, context.render)
        calls = api.calls
    return {"changed": False, "drifted": bool(reason), "reason": reason, "calls": calls}


def _beside_the_cluster(params: t.Mapping[str, t.Any]) -> str:
    """Return what is to be done whatever the cluster says; empty where that is nothing."""
    settings = params["settings"]
    if params["redo"]:
        return f"to be done again: {' and '.join(params['redo'])}"
    if settings["secret_store"]["kind"] == VAULT:
        return "the values are at home in Vault"
    return "copies lie in escrow" if settings["escrow_recipients"] else ""


def _reason(api: Api, params: t.Mapping[str, t.Any], clients: t.Sequence[ClientId], render: Render) -> str:
    """Return the first thing that is to be done for one of the clients; empty where there is none."""
    namespace, registry = params["namespace"], params["registry_namespace"] or params["namespace"]
    settings = plain(params["settings"])
    records = read_records(api, registry, clients)
    for client in clients:
        reason = _of_record(client, records.get(client), settings, namespace)
        if reason:
            return reason
    settings = with_records(settings, {client.id: record.as_dict() for client, record in records.items()})
    secrets, get = listed_of(api, namespace, clients), functools.cache(api.get)
    of_databases, of_pods = {}, {}
    for client in clients:
        user = database_name(client, settings["database_prefix"])
        work = Work(api, client, namespace, registry, {"requests": render([client], settings, {}, ENVIRONMENT), "database_user": user})
        found = secrets.get(client, {})
        if any(name not in found for name in work.names):
            return f"{client} lacks a Secret of its own"
        facts = told(work, found, watched(work, get))
        if facts["rotation"]:
            return f"a rotation of {client} is under way"
        of_databases[client.id], of_pods[client.id] = facts["database_fingerprint"], facts["fingerprint"]
    requests = [*render(clients, settings, of_databases, DATABASES), *render(clients, settings, of_pods, ENVIRONMENT)]
    return _of_plan(survey(api, {"namespace": namespace, "requests": requests, "redo": False}, records))


def _of_record(client: ClientId, record: Record | None, settings: t.Mapping[str, t.Any], namespace: str) -> str:
    """Return what a record leaves to be done, or refused, by a stage."""
    if record is None:
        return f"{client} is new"
    record.expect_place(catalogue=settings["catalogue"], namespace=namespace)
    if record.phase != REGISTERED:
        return f"{client} is {record.phase}"
    return "" if record.credentials == MADE else f"the credentials of {client} are not known to be made"


def _of_plan(plan: Object) -> str:
    """Return the first thing that a comparison with the cluster leaves to be done."""
    jobs = [f"Job {name}: not known to be done" for status in plan["jobs"]["statuses"].values() for name in status["databases"]]
    differing = [f"{one['object']}: {one['reason']}" for one in plan["reasons"]]
    orphaned = [f"{one['kind']} {one['namespace']}/{one['name']}: no longer asked for" for one in plan["orphaned"]]
    return next(iter([*jobs, *differing, *orphaned]), "")


OPERATION = Operation(name="drift_info", argument_spec=ARGUMENT_SPEC, run=run)
