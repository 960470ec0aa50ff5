# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of a list that is imported: judged by itself, against the other rows, and against the list that is there."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._core.errors import InputError
from .client_id import ClientId
from .client_table import COLUMNS, Row
from .contacts import Contact, read_contacts
from .kinds import KINDS, RefusedError
from .organisation import comparable, organisation_name
from .record import REGISTERED, RETIRED, SUSPENDED, Record
from .settings import own_settings

__all__ = ["Wanted", "judge", "read_rows"]

PHASES = (REGISTERED, SUSPENDED, RETIRED)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
# What a row and a record that is there must agree on, where the row says it.
COMPARED = ("organisation", "catalogue", "namespace", "phase", "settings")


@dataclass(frozen=True)
class Wanted:
    """A client as a row wants it: line of the file, fields of the record as far as the row says them, contacts or None."""

    line: int
    client: ClientId
    fields: t.Mapping[str, t.Any]
    contacts: list[Contact] | None = field(default=None, repr=False)

    def record(self, defaults: t.Mapping[str, t.Any]) -> Record:
        """Return the record to create; defaults are for what the row does not say."""
        fields = {**defaults, **self.fields}
        return Record(client=self.client, **{"phase_since": fields["created"], **fields})


def read_rows(rows: t.Iterable[tuple[int, Row]], region: str, problems: list[str]) -> list[Wanted]:
    """Return the rows that are right by themselves; what is wrong goes into problems, with the line. region: see read_contacts."""
    wanted: list[Wanted] = []
    for line, row in rows:
        found: list[str] = []
        one = _read_row(line, row, region, found)
        problems += [f"line {line}: {problem}" for problem in found]
        if not found and one is not None:
            wanted.append(one)
    return wanted


def judge(
    wanted: t.Sequence[Wanted],
    records: t.Mapping[ClientId, Record],
    contacts: t.Mapping[ClientId, list[Contact]],
    *,
    same_organisation: bool,
) -> list[str]:
    """Return what is wrong with rows beside each other and beside the list that is there, a sentence each.

    same_organisation: whether a new client may have the organisation of another one.
    """
    problems: list[str] = []
    lines: dict[ClientId, int] = {}
    owners = {} if same_organisation else {comparable(one.organisation): one.client for one in records.values() if one.organisation}
    for one in wanted:
        found = records.get(one.client)
        if one.client in lines:
            problems.append(f"line {one.line}: client: {one.client} stands in line {lines[one.client]} already.")
        elif found is not None:
            problems += [f"line {one.line}: {sentence}" for sentence in _differences(one, found, contacts.get(one.client))]
        elif not same_organisation and "organisation" in one.fields:
            problems += _second(one, owners, lines)
        lines.setdefault(one.client, one.line)
    return problems


def _second(wanted: Wanted, owners: dict[str, ClientId], lines: t.Mapping[ClientId, int]) -> list[str]:
    """Return what is wrong with a new client whose organisation is another's already; else it becomes the owner of that name."""
    owner = owners.setdefault(comparable(wanted.fields["organisation"]), wanted.client)
    if owner == wanted.client:
        return []
    where = f"in line {lines[owner]}" if owner in lines else "on the list"
    return [f"line {wanted.line}: organisation: is that of {owner} {where} already."]


def _differences(wanted: Wanted, record: Record, contacts: list[Contact] | None) -> t.Iterator[str]:
    """Yield what a row says otherwise than the record that is there; an import changes nobody."""
    names = [name for name in COMPARED if name in wanted.fields and wanted.fields[name] != getattr(record, name)]
    if wanted.contacts is not None and contacts and wanted.contacts != contacts:
        names.append("contacts")
    for name in names:
        yield f"{name}: {wanted.client} is on the list with another one. Change it by edit_client.yml, or correct the file."


def _read_row(line: int, row: Row, region: str, problems: list[str]) -> Wanted | None:
    """Return one row, None where it says no client; what is wrong goes into problems."""
    if not isinstance(row, dict):
        problems.append("is no client. Expected a dictionary such as {client: C42, organisation: Acme}.")
        return None
    problems += [f"{name}: there is no such column. Expected names out of {', '.join(COLUMNS)}." for name in row if name not in COLUMNS]
    if not row.get("client"):
        problems.append("client: is missing. Expected an id such as C42; register_client.yml forms one.")
        return None
    fields: dict[str, t.Any] = {}
    read = {"contacts": lambda given: read_contacts(given, region), **READERS}
    for name, reader in read.items():
        if row.get(name) in (None, ""):
            continue
        try:
            fields[name] = reader(row[name])
        except InputError as error:
            problems += error.data.get("problems", [error.message])
        except RefusedError as refused:
            problems += refused.sentences
    client = fields.pop("client", None)
    contacts = fields.pop("contacts", None)
    return None if client is None else Wanted(line, client, fields, contacts)


def _phase(given: t.Any) -> str:
    if given not in PHASES:
        raise InputError(f"phase: is none. Expected {', '.join(PHASES)}.")
    return str(given)


def _date(given: t.Any) -> str:
    if not isinstance(given, str) or not DATE.fullmatch(given):
        raise InputError("created: is no date. Expected UTC as 2026-11-21T09:00:00Z.")
    return given


def _settings(given: t.Any) -> dict[str, t.Any]:
    if not isinstance(given, dict):
        raise InputError("settings: is no dictionary. Expected settings by their names, such as {replicas: 2}.")
    return own_settings(given, "the client")


# How each column is read that an import takes over.
READERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "client": ClientId.parse,
    "organisation": organisation_name,
    "catalogue": lambda given: KINDS["catalogue"].read("catalogue", given),
    "namespace": lambda given: KINDS["namespace"].read("namespace", given),
    "phase": _phase,
    "created": _date,
    "created_by": lambda given: organisation_name(given, "created_by"),
    "settings": _settings,
}
