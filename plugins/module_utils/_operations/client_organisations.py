# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of organisations: one ConfigMap an organisation names its first client, found by its name however long the list is.

Its data: client, organisation. It counts only while that client's record has the organisation and is not retired. Where an id is formed,
the index comes first: one that names a client without a record is of a run that ended between the two, and the next run takes that id.
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

__all__ = ["Index", "keep_first", "name_first", "read_index", "without_index"]

ATTEMPTS = 8

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Index:
    """An organisation's index.

    found: the object, as it was read; first: the record of the client that has the organisation first; begun: the id of a client that is
    not on the list, since the run that formed it has not come so far.
    """

    found: Object | None = None
    first: Record | None = None
    begun: ClientId | None = None


def read_index(api: Api, registry: str, organisation: str) -> Index:
    """Return the index of an organisation; one GET, and one more for the record of the client that it names."""
    found = api.get(_ref(registry, organisation))
    if found is None:
        return Index()
    client = _client(found)
    record = read_record(api, registry, client)
    if record is None:
        return Index(found, begun=client)
    return Index(found, first=record if _holds(record, organisation) else None)


def name_first(api: Api, record: Record, index: Index) -> None:
    """Have an index without a first client name one that is about to be registered; raises ConflictError where it was changed since."""
    if index.first is None:
        _put(api, record, index.found)


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
        first = None if found is None else _holder(api, found, record.organisation, record)
        if first is not None:
            return first.client, False
        try:
            if write:
                _put(api, record, found)
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


def _holder(api: Api, found: Object, organisation: str, own: Record) -> Record | None:
    """Return the record of the client that an index names, None where it is stale; `own` is not read again."""
    client = _client(found)
    record = own if own.client == client else read_record(api, found["metadata"]["namespace"], client)
    return record if record is not None and _holds(record, organisation) else None


def _holds(record: Record, organisation: str) -> bool:
    """Return whether a client has an organisation, and has not left."""
    return record.phase != RETIRED and comparable(record.organisation) == comparable(organisation)


def _client(found: Object) -> ClientId:
    """Return the client that an index names; raises LmsError where it is not ours or damaged."""
    where = str(Ref.of(found))
    labels = found["metadata"].get("labels") or {}
    if (labels.get(MANAGED_BY), labels.get(RECORD_LABEL)) != (MANAGER, RECORD_OF_ORGANISATION):
        raise LmsError(f"{where} exists and is not this collection's: its labels do not say so.", hint="Rename or remove it.")
    try:
        return ClientId.parse((found.get("data") or {}).get("client"), "client")
    except InputError as error:
        raise LmsError(f"{where} is damaged: {error.message}", hint="Remove it: the next edit of the organisation makes it anew.") from None


def _put(api: Api, record: Record, found: Object | None) -> None:
    """Create an index, or replace the stale one that was read; raises ConflictError where somebody else was faster."""
    data = {"client": record.client.id, "organisation": record.organisation}
    if found is not None:
        api.replace({**found, "data": data})
        return
    ref = _ref(record.registry_namespace, record.organisation)
    labels = {MANAGED_BY: MANAGER, RECORD_LABEL: RECORD_OF_ORGANISATION}
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _ref(registry: str, organisation: str) -> Ref:
    return Ref("v1", "ConfigMap", organisation_index_name(organisation), registry)
