# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of organisations: one ConfigMap an organisation, found by its name however long the list is.

Its data: organisation; client, the one that has it first; latest, the one that was formed for it last, where that is another; begun, an id
whose record is about to be created. A client counts while its record has the organisation and is not retired. Where an id is formed, the
index comes first: one that is begun and has no record is of a run that ended between the two, and the next run takes that id.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import ConflictError, InputError, LmsError
from .._domain.client_id import ClientId
from .._domain.names import MANAGED_BY, MANAGER, RECORD_LABEL, RECORD_OF_ORGANISATION, organisation_index_name
from .._domain.organisation import comparable
from .._domain.record import RETIRED, Record
from .._k8s.api import Api
from .._k8s.resources import Ref
from .registry import read_record

__all__ = ["Index", "begin", "end", "keep_first", "read_index", "without_index"]

ATTEMPTS = 8
# The keys of clients, in the order in which they came to the organisation.
FIRST, LATEST, BEGUN = "client", "latest", "begun"

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Index:
    """An organisation's index.

    found: the object, as it was read; clients: the records of those that it names and that have the organisation, the first one first;
    begun: the id of a client that is not on the list, since the run that formed it has not come so far; settled: the ids of the others.
    """

    found: Object | None = None
    clients: tuple[Record, ...] = ()
    begun: ClientId | None = None
    settled: frozenset[ClientId] = frozenset()


def read_index(api: Api, registry: str, organisation: str) -> Index:
    """Return the index of an organisation; one GET, and one more for the record of each client that it names."""
    found = api.get(_ref(registry, organisation))
    return Index() if found is None else _index(api, found, organisation)


def begin(api: Api, record: Record, index: Index) -> Object:
    """Have an index say that a client is about to be registered, and return it; raises ConflictError where it was changed since.

    Nothing is written where it says so already.
    """
    if index.found is not None and index.begun == record.client:
        return index.found
    held = index.clients
    first = {FIRST: held[0].client.id} if held else {}
    latest = {LATEST: held[-1].client.id} if len(held) > 1 else {}
    return _put(api, held[0] if held else record, index.found, {**first, **latest, BEGUN: record.client.id})


def end(api: Api, record: Record, index: Object) -> None:
    """Have an index that says what is begun say that it is done. Where somebody has changed it since, its next reader sees the record."""
    data = {key: value for key, value in index["data"].items() if key != BEGUN}
    try:
        _put(api, record, index, {**data, LATEST if FIRST in data else FIRST: record.client.id})
    except ConflictError:
        return


def keep_first(api: Api, record: Record, *, new: bool, write: bool) -> tuple[ClientId, bool]:
    """Have the index name a client for its organisation, unless it names another that still has it.

    new: it is created without a look at it first. Returns the client that is the first, and whether anything was written, or would be.
    Nothing is asked for a client without an organisation, nor for one that has left.
    """
    if not record.organisation or record.phase == RETIRED:
        return record.client, False
    ref = _ref(record.registry_namespace, record.organisation)
    found = None if new else api.get(ref)
    for _attempt in range(ATTEMPTS):
        index = Index() if found is None else _index(api, found, record.organisation, record)
        first = index.clients[0].client if index.clients else None
        if first is not None and (first != record.client or first in index.settled):
            return first, False
        begun = {BEGUN: index.begun.id} if index.begun else {}
        try:
            if write:
                _put(api, record, found, {FIRST: record.client.id, **begun})
            return record.client, True
        except ConflictError:
            found = api.get(ref)
    raise ConflictError(f"{ref} was changed by other runs {ATTEMPTS} times on end.", hint="Run the same again later.")


def without_index(api: Api, registry: str, records: t.Iterable[Record]) -> list[Record]:
    """Return those of some records whose organisation has no index, as a killed run leaves them; by one list of metadata, if any."""
    held = sorted((record for record in records if record.organisation and record.phase != RETIRED), key=lambda record: record.client)
    if not held:
        return []
    selector = f"{RECORD_LABEL}={RECORD_OF_ORGANISATION}"
    there = {obj["metadata"]["name"] for obj in api.list("v1", "ConfigMap", registry, label_selector=selector, metadata_only=True)}
    return [record for record in held if organisation_index_name(record.organisation) not in there]


def _index(api: Api, found: Object, organisation: str, own: Record | None = None) -> Index:
    """Return the index that an object is; `own` is a record that is not read again."""
    named = _named(found)
    registry = found["metadata"]["namespace"]
    records = {
        client: own if own and own.client == client else read_record(api, registry, client) for client in dict.fromkeys(named.values())
    }
    begun = named.pop(BEGUN, None)
    held = tuple(record for record in records.values() if record is not None and _holds(record, organisation))
    return Index(found, held, begun if begun and records[begun] is None else None, frozenset(named.values()))


def _holds(record: Record, organisation: str) -> bool:
    """Return whether a client has an organisation, and has not left."""
    return record.phase != RETIRED and comparable(record.organisation) == comparable(organisation)


def _named(found: Object) -> dict[str, ClientId]:
    """Return the clients that an index names, by key and in their order; raises LmsError where it is not ours or damaged."""
    where = str(Ref.of(found))
    labels = found["metadata"].get("labels") or {}
    if (labels.get(MANAGED_BY), labels.get(RECORD_LABEL)) != (MANAGER, RECORD_OF_ORGANISATION):
        raise LmsError(f"{where} exists and is not this collection's: its labels do not say so.", hint="Rename or remove it.")
    data = found.get("data") or {}
    try:
        return {key: ClientId.parse(data.get(key), key) for key in [key for key in (FIRST, LATEST, BEGUN) if key in data] or [FIRST]}
    except InputError as error:
        raise LmsError(f"{where} is damaged: {error.message}", hint="Remove it: the next edit of the organisation makes it anew.") from None


def _put(api: Api, record: Record, found: Object | None, clients: t.Mapping[str, str]) -> Object:
    """Create an index, or replace the one that was read, and return it; raises ConflictError where somebody else was faster."""
    data = {"organisation": record.organisation, **clients}
    if found is not None:
        return api.replace({**found, "data": data})
    ref = _ref(record.registry_namespace, record.organisation)
    labels = {MANAGED_BY: MANAGER, RECORD_LABEL: RECORD_OF_ORGANISATION}
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
    return api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _ref(registry: str, organisation: str) -> Ref:
    return Ref("v1", "ConfigMap", organisation_index_name(organisation), registry)
