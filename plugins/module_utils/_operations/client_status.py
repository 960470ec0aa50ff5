# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps in the clients' records what was done: phase, result, done Jobs, and the objects as this collection left them."""

from __future__ import annotations

import time
import typing as t
from collections import defaultdict

from .._core.clock import utc_now
from .._core.errors import InputError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.client_id import ClientId
from .._domain.names import CLIENT_LABEL, selector
from .._domain.record import Record, managed_hash, object_key
from .._domain.screen import stage
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .registry import actor_or_default, change_record, known_record, read_records

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "statuses": {"type": "dict", "default": {}},
    "objects": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "client": {"type": "str", "required": True},
            "api_version": {"type": "str", "required": True},
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "uid": {"type": "str", "default": ""},
        },
    },
    "since": {"type": "float"},
    "registry_namespace": {"type": "str", "required": True},
    "epochs": {"type": "dict", "default": {}},
    "actor": {"type": "str", "default": ""},
    "version": {"type": "str", "default": ""},
}

Left = dict[ClientId, dict[str, str]]


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Write each record whose content differs, once; return the ids of the clients whose records were written."""
    started = time.time()
    statuses = {ClientId.parse(client, "statuses"): _status(client, status) for client, status in params["statuses"].items()}
    clients = sorted({*statuses, *(ClientId.parse(entry["client"], "objects") for entry in params["objects"])})
    if not clients:
        return {"changed": False, "written": []}
    api = connect(params)
    left = _left(api, clients, params["objects"])
    records = read_records(api, params["registry_namespace"], clients)
    stamp = {"applied": utc_now(), "applied_by": actor_or_default(params["actor"]), "version": params["version"] or VERSION}
    written = []
    for client in clients:
        epoch = params["epochs"].get(client.id)
        change = _change(statuses.get(client, {}), left.get(client, {}), stamp, None if epoch is None else int(epoch))
        record = records.get(client)
        if context.check_mode:
            differs = record is None or change(record) != record
        else:
            differs = change_record(api, record or known_record(api, params["registry_namespace"], client), change)[1]
        written += [client.id] if differs else []
    count = sum(bool(mark) for marks in left.values() for mark in marks.values())
    if count:
        done = "would be applied" if context.check_mode else "applied"
        text = f"{count} object{'s' if count > 1 else ''} {done}"
        context.report(stage("environment", text, time.time() - (params["since"] or started)))
    return {"changed": bool(written), "written": written}


def _status(client: str, status: t.Any) -> dict[str, t.Any]:
    """Return one client's status, checked."""
    if not isinstance(status, t.Mapping) or not isinstance(status.get("databases") or {}, t.Mapping):
        raise InputError(
            f"statuses.{client}: is not a status. Expected phase, result and databases (the Jobs' base names with their hashes)."
        )
    return dict(status)


def _left(api: Api, clients: t.Sequence[ClientId], objects: t.Sequence[t.Mapping[str, str]]) -> Left:
    """Return by client and key the hash of our fields of each object as it stands now, "" where it is gone; one list a kind."""
    wanted: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    left: Left = defaultdict(dict)
    for entry in objects:
        left[ClientId.parse(entry["client"])][object_key(entry["api_version"], entry["kind"], entry["name"])] = ""
        wanted[entry["api_version"], entry["kind"], entry["namespace"]][entry["name"]] = entry["client"]
    labels = selector(clients[0] if len(clients) == 1 else None)
    for (api_version, kind, namespace), names in wanted.items():
        for found in api.list(api_version, kind, namespace, label_selector=labels, metadata_only=True):
            metadata = found["metadata"]
            client = names.get(metadata["name"])
            if client is not None and (metadata.get("labels") or {}).get(CLIENT_LABEL) == client:
                left[ClientId.parse(client)][object_key(api_version, kind, metadata["name"])] = managed_hash(metadata)
    return left


def _change(
    status: t.Mapping[str, t.Any], objects: t.Mapping[str, str], stamp: t.Mapping[str, str], epoch: int | None
) -> t.Callable[[Record], Record]:
    """Return the change of one record: what is given replaces what stands there, and is signed only where that differs."""

    def change(record: Record) -> Record:
        record.expect_epoch(epoch)
        wanted = record.with_(
            phase=str(status.get("phase") or record.phase),
            result=str(status.get("result", record.result)),
            databases={**record.databases, **(status.get("databases") or {})},
            objects={key: left for key, left in {**record.objects, **objects}.items() if left},
        )
        return record if wanted == record else wanted.with_(**stamp)

    return change


OPERATION = Operation(name="client_status", argument_spec=ARGUMENT_SPEC, run=run)
