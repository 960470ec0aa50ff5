# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims a client's id by an atomic create, or finds its record."""

from __future__ import annotations

import time
import typing as t

from .._core.errors import ConflictError, InputError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.client_id import ClientId
from .._domain.record import Record
from .._domain.screen import stage
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .registry import actor_or_default, known_record, read_record, utc_now

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "client": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present"], "default": "present"},
    "must": {"type": "str", "choices": ["any", "exist", "be_new"], "default": "any"},
    "namespace": {"type": "str", "required": True},
    "catalogue": {"type": "str", "required": True},
    "registry_namespace": {"type": "str", "default": ""},
    "actor": {"type": "str", "default": ""},
}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return the record, and whether this run made it."""
    started = time.monotonic()
    client = ClientId.parse(params["client"])
    api = connect(params)
    registry = params["registry_namespace"] or params["namespace"]
    record = known_record(api, registry, client) if params["must"] == "exist" else read_record(api, registry, client)
    new = record is None
    if record is None:
        now, actor = utc_now(), actor_or_default(params["actor"])
        wanted = Record(
            client=client,
            catalogue=params["catalogue"],
            namespace=params["namespace"],
            registry_namespace=registry,
            created=now,
            created_by=actor,
            version=VERSION,
        )
        record, new = (wanted, True) if context.check_mode else _claim(api, wanted)
    record.expect(catalogue=params["catalogue"], namespace=params["namespace"])
    if params["must"] == "be_new" and not new:
        raise InputError(
            f"client: {client} is not new: registered {record.created} by {record.created_by}.",
            hint="Leave out must=be_new, or take another id.",
        )
    if new:
        done = "would be registered" if context.check_mode else "registered"
        context.report(stage("client", f"{client} {done} (new)", time.monotonic() - started))
    return {"changed": new, "new": new, "record": record.as_dict()}


def _claim(api: Api, wanted: Record) -> tuple[Record, bool]:
    """Create the record; where somebody else was first, return theirs."""
    try:
        return Record.from_object(api.create(wanted.to_object()), wanted.client), True
    except ConflictError:
        return known_record(api, wanted.registry_namespace, wanted.client), False


OPERATION = Operation(name="client", argument_spec=ARGUMENT_SPEC, run=run)
