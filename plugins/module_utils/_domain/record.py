# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a client: one ConfigMap in the registry's namespace, without personal data, readable with kubectl.

Its data, all texts: schema, client, organisation, catalogue, namespace, phase, phase_since, credentials, databases (JSON: Job's base name
to hash of the done Job), objects (JSON: "group/Kind/name" to managed_hash), settings (JSON: the client's own, by name), created,
created_by, applied, applied_by, result, version, epoch (a number), epoch_by. Dates are ISO 8601 in UTC. Keys that this version does not
know are kept as they are.

An epoch begins when a run takes the client's Lease: a run that finds another epoch than its own was overtaken, and writes nothing more.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field, replace

from .._core.errors import ConflictError, InputError, LmsError
from .client_id import ClientId
from .names import (
    CATALOGUE_LABEL,
    FIELD_MANAGER,
    ORGANISATION_LABEL,
    PHASE_LABEL,
    RECORD_LABEL,
    RECORD_OF_CLIENT,
    is_ours,
    labels,
    record_name,
)
from .organisation import slug

__all__ = [
    "CREATING",
    "MADE",
    "NONE",
    "REGISTERED",
    "RETIRED",
    "SCHEMA",
    "SUSPENDED",
    "Record",
    "managed_fields",
    "managed_hash",
    "object_key",
    "object_parts",
]

SCHEMA = 2


def _with_organisation(data: dict[str, str]) -> dict[str, str]:
    """Schema 1 knew neither organisations nor epochs nor settings; the phase began when the client was registered."""
    return {"organisation": "", "settings": "{}", "epoch": "0", "epoch_by": "", "phase_since": data.get("created", ""), **data}


# What a record of an older schema needs, by the schema it has: its data in, the data of the next schema out.
MIGRATIONS: dict[int, t.Callable[[dict[str, str]], dict[str, str]]] = {1: _with_organisation}

# States of the credentials: never made, being made (perhaps by a run that was killed), made.
NONE, CREATING, MADE = "none", "creating", "made"
REGISTERED, SUSPENDED, RETIRED = "registered", "suspended", "retired"

_TEXTS = (
    "organisation",
    "catalogue",
    "namespace",
    "phase",
    "phase_since",
    "credentials",
    "created",
    "created_by",
    "applied",
    "applied_by",
    "result",
    "version",
    "epoch_by",
)
_MAPS = ("databases", "objects")
_OWN = ("schema", "client", "settings", "epoch", *_TEXTS, *_MAPS)
_HASH_DIGITS = 16


@dataclass(frozen=True)
class Record:
    """One client's record; `registry_namespace` is where it lies, all other fields are its data (see above).

    others: data of keys that this version does not know; metadata: of the ConfigMap as it was read, with its resourceVersion.
    """

    client: ClientId
    catalogue: str
    namespace: str
    registry_namespace: str
    organisation: str = ""
    phase: str = REGISTERED
    phase_since: str = ""
    credentials: str = NONE
    databases: t.Mapping[str, str] = field(default_factory=dict)
    objects: t.Mapping[str, str] = field(default_factory=dict)
    settings: t.Mapping[str, t.Any] = field(default_factory=dict)
    created: str = ""
    created_by: str = ""
    applied: str = ""
    applied_by: str = ""
    result: str = ""
    version: str = ""
    epoch: int = 0
    epoch_by: str = ""
    others: t.Mapping[str, str] = field(default_factory=dict, compare=False)
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_object(cls, obj: t.Mapping[str, t.Any], client: ClientId) -> Record:
        """Read a record from its ConfigMap; raises LmsError where it is not ours, damaged, or of a newer collection."""
        metadata = obj["metadata"]
        where = f"ConfigMap {metadata.get('namespace', '')}/{metadata['name']}"
        if not is_ours(obj, client):
            raise LmsError(
                f"{where} exists and is not this collection's record of {client}: its labels do not say so.",
                hint="Rename or remove it, or choose another registry_namespace.",
            )
        data = _current(dict(obj.get("data") or {}), where)
        if data.get("client") != client.id or not data.get("catalogue") or not data.get("namespace"):
            raise _damaged(where, "client, catalogue and namespace must name this client's own")
        fields: dict[str, t.Any] = {key: data[key] for key in _TEXTS if key in data}
        fields |= {key: _texts(data.get(key, "{}"), key, where) for key in _MAPS}
        fields["settings"] = _mapping(data.get("settings", "{}"), "settings", where)
        fields["epoch"] = _number(data.get("epoch", "0"), "epoch", where)
        fields["others"] = {key: value for key, value in data.items() if key not in _OWN}
        return cls(client=client, registry_namespace=str(metadata.get("namespace", "")), metadata=metadata, **fields)

    def to_object(self) -> dict[str, t.Any]:
        """Return the ConfigMap, with the metadata that was read."""
        own = {RECORD_LABEL: RECORD_OF_CLIENT, CATALOGUE_LABEL: self.catalogue, PHASE_LABEL: self.phase}
        own |= {ORGANISATION_LABEL: slug(self.organisation)}
        found = {**(self.metadata.get("labels") or {}), **labels(self.client), **own}
        metadata = {**self.metadata, "name": record_name(self.client), "namespace": self.registry_namespace, "labels": found}
        metadata.pop("managedFields", None)
        data = {
            "schema": str(SCHEMA),
            "client": self.client.id,
            **{key: str(getattr(self, key)) for key in _TEXTS},
            **{key: json.dumps(dict(getattr(self, key)), sort_keys=True) for key in _MAPS},
            "settings": json.dumps(dict(self.settings), sort_keys=True, ensure_ascii=False),
            "epoch": str(self.epoch),
            **self.others,
        }
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def as_dict(self) -> dict[str, t.Any]:
        """Return the record as a task's result shows it."""
        shown = {key: getattr(self, key) for key in (*_TEXTS, "epoch")} | {key: dict(getattr(self, key)) for key in (*_MAPS, "settings")}
        return {"schema": SCHEMA, "client": self.client.id, "registry_namespace": self.registry_namespace, **shown}

    @property
    def where(self) -> str:
        """Return the object that the record is, as messages name it."""
        return f"(ConfigMap {self.registry_namespace}/{record_name(self.client)})"

    def expect(self, *, catalogue: str, namespace: str) -> None:
        """Raise InputError where the client belongs to another catalogue or namespace, or has left."""
        if self.phase == RETIRED:
            raise InputError(f"client: {self.client} has left, and an id is never given twice {self.where}.", hint="Take another id.")
        self.expect_place(catalogue=catalogue, namespace=namespace)

    def expect_place(self, *, catalogue: str, namespace: str) -> None:
        """Raise InputError where the client belongs to another catalogue or namespace."""
        if self.catalogue != catalogue:
            raise InputError(
                f"client: {self.client} belongs to catalogue {self.catalogue}, not to {catalogue} {self.where}.",
                hint=f"Use that one: -i inventories/{self.catalogue}.",
            )
        if self.namespace != namespace:
            raise InputError(
                f"client: {self.client} lives in namespace {self.namespace}, not in {namespace} {self.where}.",
                hint=f"Set namespace_id of catalogue {catalogue} back to {self.namespace}; a client does not move by a setting.",
            )

    def expect_epoch(self, epoch: int | None) -> None:
        """Raise ConflictError where another run has begun an epoch since the one given; None is not checked."""
        if epoch is not None and self.epoch != epoch:
            raise ConflictError(
                f"client: {self.client} was taken over by {self.epoch_by or 'another run'}; this run stops before it writes anything more.",
                hint="Run the same again when that run has ended.",
            )

    def expect_as_read(self, *, settings: t.Mapping[str, t.Any], phase: str) -> None:
        """Raise ConflictError where settings or phase are others than those that a run has read, by which it would act."""
        changed = [*(["the phase"] if self.phase != phase else []), *(["the settings"] if dict(self.settings) != dict(settings) else [])]
        if changed:
            raise ConflictError(
                f"client: {' and '.join(changed)} of {self.client} {'were' if changed[-1].endswith('s') else 'was'} changed by another run"
                f" {self.where}; this run stops before it writes anything more.",
                hint="Run the same command again: it reads them anew.",
            )

    def begun(self, actor: str) -> Record:
        """Return the record with a new epoch, begun by the run of the actor that has just taken the client's Lease."""
        return replace(self, epoch=self.epoch + 1, epoch_by=actor)

    def with_(self, **changes: t.Any) -> Record:
        """Return a copy with fields changed."""
        return replace(self, **changes)


def managed_hash(metadata: t.Mapping[str, t.Any]) -> str:
    """Return the hash (16 hexadecimal digits) of the fields that the collection applied, from metadata.managedFields; "" without any.

    It changes when somebody else takes one of our fields, and stays when others set fields of their own.
    """
    fields = managed_fields(metadata)
    if fields is None:
        return ""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_HASH_DIGITS]


def managed_fields(metadata: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the fields that the collection applied, as metadata.managedFields has them (fieldsV1); None without any."""
    for entry in metadata.get("managedFields") or []:
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return dict(entry.get("fieldsV1") or {})
    return None


def object_key(api_version: str, kind: str, name: str) -> str:
    """Return how a record names an object of its client: `apps/Deployment/lms-deployment-c42`, `/Service/lms-service-c42`."""
    group = api_version.partition("/")[0] if "/" in api_version else ""
    return f"{group}/{kind}/{name}"


def object_parts(key: str) -> tuple[str, str, str]:
    """Return the group ("" for the core), kind and name of a record's key."""
    group, kind, name = key.split("/", 2)
    return group, kind, name


def _current(data: dict[str, str], where: str) -> dict[str, str]:
    """Return the data in the schema of today."""
    schema = _number(data.get("schema", ""), "schema", where)
    if schema > SCHEMA:
        raise LmsError(
            f"{where} was written by a newer version of the collection ({data.get('version', '')}, schema {schema}).",
            hint="Install that version or a newer one.",
        )
    while schema < SCHEMA:
        if schema not in MIGRATIONS:
            raise _damaged(where, f"there is no schema {schema}")
        data = MIGRATIONS[schema](data)
        schema += 1
    return data


def _number(text: str, key: str, where: str) -> int:
    """Return one of the data that are numbers."""
    if not (text.isascii() and text.isdigit()):
        raise _damaged(where, f"{key} must be a number")
    return int(text)


def _mapping(text: str, key: str, where: str) -> dict[str, t.Any]:
    """Return one of the data that are JSON objects."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _damaged(where, f"{key} must be a JSON object")
    return value


def _texts(text: str, key: str, where: str) -> dict[str, str]:
    """Return one of the data that are JSON objects of texts."""
    value = _mapping(text, key, where)
    if not all(isinstance(part, str) for part in value.values()):
        raise _damaged(where, f"{key} must be a JSON object of texts")
    return value


def _damaged(where: str, rule: str) -> LmsError:
    """Return what is told of a record that cannot be read."""
    return LmsError(f"{where} is damaged: {rule}.", hint="Correct it with kubectl edit, or restore it from a backup.")
