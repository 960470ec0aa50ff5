# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as a host of an inventory: its variables, which are what its record says of it, and its groups, which are made of them."""

from __future__ import annotations

import re
import typing as t

from .._core.errors import InputError, LmsError
from .client_id import ClientId
from .names import CLIENT_LABEL, record_name
from .organisation import slug
from .record import Record

__all__ = ["ALL", "HOSTNAMES", "PREFIX", "Variables", "groups_of", "number_of", "variables_of"]

PREFIX = "lms_client_"
ALL = "lms_clients"
# How a host may be named, and the variable that it is then named by.
HOSTNAMES = {"id": PREFIX + "id", "name": PREFIX + "name"}
# What a record keeps for the collection's own use: it tells nothing of the client, and would be half of what a long inventory holds.
OWN_USE = {"schema", "databases", "objects", "epoch", "epoch_by"}

Variables = dict[str, t.Any]


def variables_of(obj: t.Mapping[str, t.Any]) -> Variables:
    """Return the variables of the client whose record a ConfigMap is; raises LmsError where it is damaged or of a newer collection."""
    metadata = obj["metadata"]
    where = f"ConfigMap {metadata.get('namespace', '')}/{metadata['name']}"
    try:
        client = ClientId.parse((metadata.get("labels") or {}).get(CLIENT_LABEL), f"label {CLIENT_LABEL}")
    except InputError as error:
        raise LmsError(f"{where} is damaged: {error.message}", hint="Correct it with kubectl label.") from None
    if metadata["name"] != record_name(client):
        raise LmsError(
            f"{where} is damaged: it says that it is the record of {client}, which is {record_name(client)}.",
            hint="Remove it, or its labels, where it is a copy.",
        )
    record = Record.from_object(obj, client).as_dict()
    shown = {PREFIX + key: value for key, value in record.items() if key not in OWN_USE}
    shown[HOSTNAMES["id"]], shown[HOSTNAMES["name"]] = shown.pop(f"{PREFIX}client"), client.name
    return shown


def number_of(variables: t.Mapping[str, t.Any]) -> int:
    """Return the number in a client's id, by which clients are sorted."""
    return int(variables[HOSTNAMES["name"]][1:])


def groups_of(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Return the groups of a client: its catalogue's, its phase's, and its organisation's where it has one."""
    named = (("catalogue", variables[PREFIX + "catalogue"]), ("phase", variables[PREFIX + "phase"]))
    groups = [_group(kind, name) for kind, name in named]
    organisation = variables[PREFIX + "organisation"]
    return [*groups, _group("organisation", slug(organisation))] if organisation else groups


def _group(kind: str, name: str) -> str:
    """Return a group's name, of letters, digits and underscores alone."""
    return f"lms_{kind}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
