# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a KV engine, version 2: reads that tell absent from deleted from doubtful, and writes by check-and-set."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.deps import HVAC
from .._core.errors import ConflictError
from .faults import VaultFaultError, fault, faults, strange

__all__ = ["KeyValue", "Version"]

# What the engine says where a write was based on another version than the newest one.
_NOT_CURRENT = "check-and-set parameter did not match"
_MOUNTS = "sys/internal/ui/mounts/"

Data = dict[str, t.Any]


@dataclass(frozen=True)
class Version:
    """The newest version of a secret: its number (0 where there has never been one), its data, and when it was deleted, else empty."""

    number: int = 0
    data: Data | None = field(default=None, repr=False)
    deleted: str = ""


class KeyValue:
    """A KV engine, version 2, at a mount, by `connect`.

    Everything that is neither a version nor a proof that there is none raises VaultFaultError (an UnknownStateError).
    """

    def __init__(self, client: t.Any, root: str, mount: str) -> None:
        self._client = client
        self._root = root
        self._mount = mount

    def where(self, path: str) -> str:
        """Return how messages name a secret: as mount and path."""
        return f"{self._mount}/{path}"

    def read(self, path: str) -> Version:
        """Return the newest version. A version that was deleted or destroyed is one: only a secret that never was has none."""
        action = f"reading {self.where(path)}"
        read = self._client.secrets.kv.v2.read_secret_version
        try:
            answer = read(path, mount_point=self._mount, raise_on_deleted_version=True)
        except HVAC.part("exceptions").InvalidPath as error:
            return self._deleted_or_absent(error, action)
        except faults() as error:
            raise fault(error, self._root, action) from None
        metadata, data = self._parts(answer, action)
        return Version(metadata["version"], data) if data is not None else _deleted(metadata)

    def write(self, path: str, data: Data, *, based_on: int) -> Version:
        """Write a version after the one numbered `based_on` (0: the first one), and return it as it is read back.

        Raises ConflictError where somebody else has written since. A write whose answer was lost is recognised by its data.
        """
        lost: VaultFaultError | None = None
        action = f"writing {self.where(path)}"
        try:
            self._client.secrets.kv.v2.create_or_update_secret(path, data, cas=based_on, mount_point=self._mount)
        except faults() as error:
            if isinstance(error, HVAC.part("exceptions").InvalidRequest) and _NOT_CURRENT in str(error):
                raise self._overtaken(path) from None
            lost = fault(error, self._root, action)
            if not lost.doubtful:
                raise lost from None
        try:
            found = self.read(path)
        except VaultFaultError:
            raise lost or strange(self._root, action) from None
        if found.number == based_on + 1 and found.data == data:
            return found
        raise lost or self._overtaken(path)

    def _deleted_or_absent(self, error: t.Any, action: str) -> Version:
        """Return what a 404 means: a deleted version, or none at all; raises where it is neither's."""
        body = error.json if isinstance(error.json, dict) else {}
        metadata = (body.get("data") or {}).get("metadata") or {}
        if metadata.get("version"):
            return _deleted(metadata)
        if body.get("errors") != [] or not self._is_of_version_2():
            raise fault(error, self._root, action) from None
        return Version()

    def _is_of_version_2(self) -> bool:
        """Return whether there is an engine of version 2 at the mount: of the others, the same 404 would say nothing."""
        action = f"asking what is mounted at {self._mount}"
        try:
            answer = self._client.adapter.get(f"/v1/{_MOUNTS}{self._mount}")
        except faults() as error:
            raise fault(error, self._root, action) from None
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
            raise strange(self._root, action)
        found = answer["data"]
        version = (found.get("options") or {}).get("version")
        return (found.get("type"), version, str(found.get("path", "")).strip("/")) == ("kv", "2", self._mount)

    def _parts(self, answer: t.Any, action: str) -> tuple[Data, Data | None]:
        """Return metadata and data of an answer of success; raises where it is not Vault's."""
        body = answer.get("data") if isinstance(answer, dict) else None
        metadata = body.get("metadata") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(metadata, dict) or not isinstance(metadata.get("version"), int):
            raise strange(self._root, action)
        return metadata, body.get("data")

    def _overtaken(self, path: str) -> ConflictError:
        """Return what is told where somebody else has written."""
        return ConflictError(f"{self.where(path)} was written by somebody else meanwhile.", hint="Run the same again.")


def _deleted(metadata: Data) -> Version:
    """Return a version that has no data any more."""
    return Version(
        metadata["version"], deleted="destroyed" if metadata.get("destroyed") else f"deleted {metadata.get('deletion_time', '')}"
    )
