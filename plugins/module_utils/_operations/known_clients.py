# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients a verdict is about, and what the registry knows of each: by one read, however many they are."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from http import HTTPStatus

from .._core.errors import LmsError
from .._domain.client_id import ClientId
from .._domain.names import CATALOGUE_LABEL, CLIENT_LABEL, RECORD_LABEL, RECORD_OF_CLIENT, record_name
from .._domain.public_path import PublicPath
from .._domain.record import Record
from .._k8s.api import Api, ApiError
from .._k8s.resources import Ref

__all__ = ["Known", "known_clients"]

Obj = dict[str, t.Any]
# A selector that names more clients than this makes too long a URL; then all records are listed.
MOST_NAMED = 100


@dataclass(frozen=True)
class Known:
    """One client as the registry has it: how it is published; record, None where it has none; problem: why the record cannot be read.

    unread: records were not read, or this token may not.
    """

    path: PublicPath
    record: Record | None = None
    problem: LmsError | None = None
    unread: bool = False

    @property
    def organisation(self) -> str:
        """Return the name of the organisation, empty where it is not known."""
        return self.record.organisation if self.record else ""


def known_clients(api: Api, params: t.Mapping[str, t.Any], clients: t.Sequence[ClientId]) -> dict[ClientId, Known]:
    """Return the clients by their ids, in the order of their numbers; without any given, all of the catalogue that is named.

    A record's own settings lie over client_settings, and these over the options. A token that may not read records sees the catalogue's.
    """
    wanted = params["read_records"] or not clients
    records = _records(api, params["registry_namespace"] or params["namespace"], clients, params["catalogue"]) if wanted else None
    found = records or {}
    return {client: _known(client, found.get(client), params, unread=records is None) for client in sorted(clients or found)}


def _known(client: ClientId, obj: Obj | None, params: t.Mapping[str, t.Any], *, unread: bool) -> Known:
    record, problem = None, None
    if obj is not None:
        try:
            record = Record.from_object(obj, client)
        except LmsError as error:
            problem = error
    own = (params["client_settings"] or {}).get(client.id) or {}
    return Known(PublicPath.of(params, own, record.settings if record else {}), record, problem, unread)


def _records(api: Api, namespace: str, clients: t.Sequence[ClientId], catalogue: str) -> dict[ClientId, Obj] | None:
    """Return the records: one by its name, more by one list, all of a catalogue where no client is named; None where that is forbidden."""
    try:
        if len(clients) == 1:
            found = api.get(Ref("v1", "ConfigMap", record_name(clients[0]), namespace))
            return {} if found is None else {clients[0]: found}
        selector = f"{RECORD_LABEL}={RECORD_OF_CLIENT}"
        if 0 < len(clients) <= MOST_NAMED:
            selector += f",{CLIENT_LABEL} in ({','.join(client.id for client in clients)})"
        elif not clients:
            selector += f",{CATALOGUE_LABEL}={catalogue}"
        listed = api.list("v1", "ConfigMap", namespace, label_selector=selector)
    except ApiError as error:
        if error.status != HTTPStatus.FORBIDDEN or not clients:
            raise
        return None
    return {ClientId.parse(one["metadata"]["labels"][CLIENT_LABEL]): one for one in listed if CLIENT_LABEL in one["metadata"]["labels"]}
