# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes of clients' records: creates that fail on "exists", changes by compare-and-swap."""

from __future__ import annotations

import getpass
import os
import socket
import typing as t

from .._core.errors import ConflictError, InputError, LmsError
from .._domain.client_id import ClientId
from .._domain.names import CLIENT_LABEL, RECORD_LABEL, RECORD_OF_CLIENT, record_name
from .._domain.record import Record
from .._k8s.api import Api
from .._k8s.resources import Ref

__all__ = ["actor_or_default", "change_record", "known_record", "listed_record", "read_record", "read_records"]

ATTEMPTS = 8


def read_record(api: Api, namespace: str, client: ClientId) -> Record | None:
    """Return a client's record from the registry's namespace, None where it is proven absent."""
    found = api.get(Ref("v1", "ConfigMap", record_name(client), namespace))
    return Record.from_object(found, client) if found is not None else None


def listed_record(obj: t.Mapping[str, t.Any]) -> Record:
    """Return the record that an object of a list is, whoever's it is; raises LmsError where its label and its name do not agree."""
    metadata = obj["metadata"]
    client = ClientId.parse((metadata.get("labels") or {}).get(CLIENT_LABEL), f"label {CLIENT_LABEL} of {metadata['name']}")
    if metadata["name"] != record_name(client):
        raise LmsError(
            f"ConfigMap {metadata.get('namespace', '')}/{metadata['name']} is damaged: it says that it is the record of {client}.",
            hint="Remove it, or its labels, where it is a copy.",
        )
    return Record.from_object(obj, client)


def known_record(api: Api, namespace: str, client: ClientId) -> Record:
    """Return a client's record; raises InputError where the client is not on the list."""
    record = read_record(api, namespace, client)
    if record is None:
        raise InputError(
            f"client: {client} is not on the list of clients (there is no ConfigMap {namespace}/{record_name(client)}).",
            hint=f"Register it with provision_client.yml -e client={client}, or correct the id.",
        )
    return record


def read_records(api: Api, namespace: str, clients: t.Sequence[ClientId]) -> dict[ClientId, Record]:
    """Return the records of those clients that have one: by one GET for one client, by one list for more."""
    if len(clients) == 1:
        record = read_record(api, namespace, clients[0])
        return {} if record is None else {clients[0]: record}
    found = api.list("v1", "ConfigMap", namespace, label_selector=f"{RECORD_LABEL}={RECORD_OF_CLIENT}")
    by_name = {obj["metadata"]["name"]: obj for obj in found}
    return {client: Record.from_object(by_name[record_name(client)], client) for client in clients if record_name(client) in by_name}


def change_record(api: Api, record: Record, change: t.Callable[[Record], Record]) -> tuple[Record, bool]:
    """Apply a change to a record as it stands in the cluster; return it, and whether anything was written.

    change: takes the record and returns it changed or the same; it is called again on what somebody else has written meanwhile.
    """
    for attempt in range(ATTEMPTS):
        wanted = change(record)
        if wanted == record:
            return record, False
        try:
            return Record.from_object(api.replace(wanted.to_object()), record.client), True
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            record = known_record(api, record.registry_namespace, record.client)
    raise AssertionError("unreachable")


def actor_or_default(actor: str) -> str:
    """Return who acts: as it was given, else user@host, with the number of the AWX job where this runs in one."""
    if actor:
        return actor
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    job = os.environ.get("JOB_ID", "") if "AWX_HOST" in os.environ or "TOWER_HOST" in os.environ else ""
    return f"{user}@{socket.gethostname()}" + (f" (AWX job {job})" if job else "")
