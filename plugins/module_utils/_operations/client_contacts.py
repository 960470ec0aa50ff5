# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes of the Secrets with clients' contacts, which lie beside the records."""

from __future__ import annotations

import typing as t

from .._core.errors import ConflictError
from .._domain.client_id import ClientId
from .._domain.contacts import Contact, contacts_object, contacts_of
from .._domain.names import CLIENT_LABEL, RECORD_LABEL, RECORD_OF_CONTACTS, contacts_secret_name
from .._k8s.api import Api
from .._k8s.resources import Ref
from .registry import ATTEMPTS

__all__ = ["all_contacts", "client_contacts", "store_contacts"]


def client_contacts(api: Api, registry: str, client: ClientId) -> list[Contact]:
    """Return a client's contacts, none where there is no Secret."""
    found = api.get(_ref(registry, client))
    return [] if found is None else contacts_of(found, client)


def all_contacts(api: Api, registry: str) -> dict[ClientId, list[Contact]]:
    """Return the contacts of all clients that have some, by one paged list."""
    secrets = api.list("v1", "Secret", registry, label_selector=f"{RECORD_LABEL}={RECORD_OF_CONTACTS}")
    found: dict[ClientId, list[Contact]] = {}
    for secret in secrets:
        client = ClientId.parse((secret["metadata"].get("labels") or {}).get(CLIENT_LABEL), f"label {CLIENT_LABEL}")
        found[client] = contacts_of(secret, client)
    return found


def store_contacts(api: Api, registry: str, client: ClientId, contacts: t.Sequence[Contact], *, write: bool) -> bool:
    """Put these in place of a client's contacts; return whether that is a change. write: false only tells."""
    for attempt in range(ATTEMPTS):
        found = api.get(_ref(registry, client)) or {}
        if (contacts_of(found, client) if found else []) == list(contacts):
            return False
        wanted = contacts_object(client, registry, contacts, found)
        try:
            if write and found:
                api.replace(wanted)
            elif write:
                api.create(wanted)
            return True
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _ref(registry: str, client: ClientId) -> Ref:
    return Ref("v1", "Secret", contacts_secret_name(client), registry)
