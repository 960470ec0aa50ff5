# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where encrypted copies of clients' Secrets lie: a folder of this machine, or a Secret in another namespace."""

from __future__ import annotations

import base64
import os
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._core.errors import ConflictError, InputError, LmsError
from .._domain.client_id import ClientId
from .._domain.escrow import file_name
from .._domain.names import CATALOGUE_LABEL, FINGERPRINT, escrow_secret_name, is_ours, labels
from .._k8s.api import Api
from .._k8s.resources import Ref

__all__ = ["FolderStore", "SecretStore", "Store", "read_file"]

FOLDER_MODE = 0o700
# A copy has some ten thousand bytes; what is larger is another file.
LARGEST_BYTES = 1_048_576
CURRENT, PREVIOUS = "escrow.age", "previous.age"


class Store(t.Protocol):
    """A place of copies, each under the fingerprint of what it holds."""

    def has(self, client: ClientId, made_of: str) -> bool:
        """Return whether the copy of this fingerprint is there."""

    def put(self, client: ClientId, made_of: str, content: bytes) -> None:
        """Keep a copy. Raises LmsError where that is not possible."""

    def copies(self, client: ClientId) -> list[tuple[bytes, str]]:
        """Return the client's copies, each with where it lies."""


@dataclass(frozen=True)
class FolderStore:
    """Files of mode 0600, which appear whole or not at all; older ones stay."""

    folder: Path
    catalogue: str

    def has(self, client: ClientId, made_of: str) -> bool:
        """Return whether the file is there and not empty."""
        try:
            return self._path(client, made_of).stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._refused(error) from None

    def put(self, client: ClientId, made_of: str, content: bytes) -> None:
        """Write the file beside its place, and move it there when it is on the disk."""
        path = self._path(client, made_of)
        try:
            self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=f".{path.name}.", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(path)
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise self._refused(error) from None

    def copies(self, client: ClientId) -> list[tuple[bytes, str]]:
        """Return the client's files; which is the newest, they say themselves."""
        found = sorted(self.folder.glob(file_name(self.catalogue, client, "*")))
        return [(read_file(path, "escrow_folder"), str(path)) for path in found]

    def _path(self, client: ClientId, made_of: str) -> Path:
        return self.folder / file_name(self.catalogue, client, made_of)

    def _refused(self, error: OSError) -> LmsError:
        return LmsError(
            f"escrow_folder: {error.filename or self.folder}: {error.strerror}.",
            hint="Name a folder that whoever runs the playbook may write to.",
        )


@dataclass(frozen=True)
class SecretStore:
    """A Secret a client in another namespace: the copy, and the one before it."""

    api: Api
    namespace: str
    catalogue: str

    def has(self, client: ClientId, made_of: str) -> bool:
        """Return whether the Secret bears the fingerprint."""
        found = self.api.get(self._ref(client), metadata_only=True)
        return found is not None and (self._own(found, client)["metadata"].get("annotations") or {}).get(FINGERPRINT) == made_of

    def put(self, client: ClientId, made_of: str, content: bytes) -> None:
        """Create the Secret, or put the new copy before the one that it holds."""
        found = self.api.get(self._ref(client))
        metadata: dict[str, t.Any] = {"name": escrow_secret_name(client), "namespace": self.namespace}
        data = {CURRENT: base64.b64encode(content).decode("ascii")}
        if found is not None:
            metadata = {**self._own(found, client)["metadata"]}
            metadata.pop("managedFields", None)
            former = (found.get("data") or {}).get(CURRENT)
            data |= {PREVIOUS: former} if former else {}
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels(client), CATALOGUE_LABEL: self.catalogue}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), FINGERPRINT: made_of}
        wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        if found is None:
            self.api.create(wanted)
        else:
            self.api.replace(wanted)

    def copies(self, client: ClientId) -> list[tuple[bytes, str]]:
        """Return the newest copy, and the one before it, in the Secret."""
        found = self.api.get(self._ref(client))
        data = {} if found is None else self._own(found, client).get("data") or {}
        return [(base64.b64decode(data[key]), f"{key} of {self._ref(client)}") for key in (CURRENT, PREVIOUS) if data.get(key)]

    def _ref(self, client: ClientId) -> Ref:
        return Ref("v1", "Secret", escrow_secret_name(client), self.namespace)

    def _own(self, found: dict[str, t.Any], client: ClientId) -> dict[str, t.Any]:
        """Return the Secret that was found. Raises ConflictError where it is not of this client and catalogue."""
        if not is_ours(found, client) or found["metadata"]["labels"].get(CATALOGUE_LABEL) != self.catalogue:
            raise ConflictError(
                f"{self._ref(client)} exists and is not the copy of {client} in catalogue {self.catalogue}; it is left alone.",
                hint="Choose another escrow_namespace for this catalogue.",
            )
        return found


def read_file(path: Path, option: str) -> bytes:
    """Return the content of a file that an option names. Raises InputError where it cannot be read, or is too large to be meant."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{option}: {path} has more than {LARGEST_BYTES} bytes, so it is another file.", hint="Correct its path.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{option}: {path} cannot be read ({error.strerror}).", hint="Correct its path.") from None
