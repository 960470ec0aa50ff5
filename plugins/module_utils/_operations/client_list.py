# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the list of clients, whole or as far as filters take it: by labels where these say enough, page by page."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import InputError
from .._domain.client_id import ClientId
from .._domain.contacts import Contact, has_contact
from .._domain.kinds import KINDS, RefusedError
from .._domain.names import CATALOGUE_LABEL, PHASE_LABEL, RECORD_LABEL, RECORD_OF_CLIENT
from .._domain.organisation import comparable
from .._domain.record import REGISTERED, RETIRED, SUSPENDED, Record
from .._k8s.api import Api
from .client_contacts import all_contacts, client_contacts
from .registry import listed_record, read_record

__all__ = ["FILTER_OPTIONS", "Entry", "Filters", "read_list"]

FILTER_OPTIONS: dict[str, t.Any] = {
    "client": {"type": "str", "default": ""},
    "organisation": {"type": "str", "default": ""},
    "phase": {"type": "list", "elements": "str", "choices": [REGISTERED, SUSPENDED, RETIRED], "default": []},
    # Part of a name or a number: hidden as a secret, it would be blotted out of every result that happens to hold it.
    "contact": {"type": "str", "default": "", "no_log": False},
    "catalogue": {"type": "str", "default": ""},
    "contacts": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class Entry:
    """One client on the list; contacts is None where they were not asked for."""

    record: Record
    contacts: list[Contact] | None = None

    def as_dict(self) -> dict[str, t.Any]:
        """Return the client as a task's result shows it."""
        return self.record.as_dict() | ({} if self.contacts is None else {"contacts": self.contacts})


@dataclass(frozen=True)
class Filters:
    """Which clients are asked for, all where nothing is said. organisation and contact are parts of a text, in upper or lower case."""

    client: ClientId | None = None
    organisation: str = ""
    phases: t.Sequence[str] = ()
    contact: str = ""
    catalogue: str = ""

    @classmethod
    def read(cls, params: t.Mapping[str, t.Any]) -> Filters:
        """Return the filters that options are; raises InputError."""
        client = ClientId.parse(params["client"]) if params["client"] else None
        try:
            catalogue = KINDS["catalogue"].read("catalogue", params["catalogue"]) if params["catalogue"] else ""
        except RefusedError as refused:
            raise InputError(refused.sentences[0]) from None
        return cls(client, params["organisation"], tuple(params["phase"]), params["contact"], catalogue)

    @property
    def selector(self) -> str:
        """Return the label selector of the records."""
        parts = [f"{RECORD_LABEL}={RECORD_OF_CLIENT}"]
        parts += [f"{CATALOGUE_LABEL}={self.catalogue}"] if self.catalogue else []
        parts += [f"{PHASE_LABEL} in ({','.join(self.phases)})"] if self.phases else []
        return ",".join(parts)

    def take(self, record: Record) -> bool:
        """Return whether a record passes all filters but that of the contacts."""
        return (
            comparable(self.organisation) in comparable(record.organisation)
            and (not self.phases or record.phase in self.phases)
            and self.catalogue in ("", record.catalogue)
        )


def read_list(api: Api, registry: str, filters: Filters, *, contacts: bool) -> list[Entry]:
    """Return the clients by their numbers. One client: one GET, and one more for contacts; else one list of each."""
    if filters.client is not None:
        record = read_record(api, registry, filters.client)
        records = [] if record is None else [record]
    else:
        records = list(api.read_each(listed_record, "v1", "ConfigMap", registry, label_selector=filters.selector))
    records = sorted((record for record in records if filters.take(record)), key=lambda record: record.client)
    if not records or not (contacts or filters.contact):
        return [Entry(record) for record in records]
    one = filters.client
    known = all_contacts(api, registry) if one is None else {one: client_contacts(api, registry, one)}
    found = [(record, known.get(record.client, [])) for record in records]
    return [Entry(record, own if contacts else None) for record, own in found if not filters.contact or has_contact(own, filters.contact)]
