# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of a client's Secrets that outlives their namespace: one JSON document, encrypted with age to the operator's public keys.

The document: format, schema, client, catalogue, namespace, made (ISO 8601, UTC), by, record (organisation, settings, created, created_by)
and secrets, whole as Kubernetes keeps them but for what a server sets. It exists in memory alone, and leaves it encrypted.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import typing as t
from dataclasses import dataclass

from .._core.deps import PYRAGE
from .._core.errors import InputError, LmsError
from .client_id import ClientId
from .credentials import FINGERPRINT_KEY
from .names import WRITE, credentials_secret_name, rsa_secret_name
from .record import Record

__all__ = ["Escrow", "copy_of", "decrypted", "encrypted", "file_name", "fingerprint"]

FORMAT, SCHEMA = "rarus.lms escrow", 1
FINGERPRINT_DIGITS = 16
# What an encrypted file begins with, in binary and in text form.
AGE_HEADS = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
IDENTITY = "AGE-SECRET-KEY-1"
KEPT_OF_RECORD = ("organisation", "settings", "created", "created_by")

Secret = dict[str, t.Any]


@dataclass(frozen=True)
class Escrow:
    """What a copy holds; secrets are ready to be created in `namespace`, in the order in which they are made."""

    client: ClientId
    catalogue: str
    namespace: str
    made: str
    by: str
    record: t.Mapping[str, t.Any]
    secrets: tuple[Secret, ...]

    @classmethod
    def of(cls, record: Record, secrets: t.Iterable[Secret], *, made: str, by: str) -> Escrow:
        """Return the copy of a client's Secrets, as they are read from the cluster."""
        kept = {key: getattr(record, key) for key in KEPT_OF_RECORD}
        return cls(record.client, record.catalogue, record.namespace, made, by, kept, tuple(copy_of(secret) for secret in secrets))

    def to_bytes(self) -> bytes:
        """Return the document."""
        head = {"format": FORMAT, "schema": SCHEMA, "client": self.client.id}
        body = {key: getattr(self, key) for key in ("catalogue", "namespace", "made", "by", "record", "secrets")}
        return json.dumps({**head, **body}, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, text: bytes, where: str) -> Escrow:
        """Read a document that was decrypted; where names its file. Raises LmsError, with no value in it."""
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise LmsError(f"{where} is encrypted, but holds no copy of a client's Secrets.", hint="Give the file that escrow has made.")
        if found.get("schema") != SCHEMA:
            raise LmsError(
                f"{where} was written by a newer version of the collection (schema {found.get('schema')}).", hint="Install that one."
            )
        client = ClientId.parse(found.get("client"), f"{where}: client")
        secrets = tuple(found.get("secrets") or ())
        if [_name(secret) for secret in secrets] != [credentials_secret_name(client), rsa_secret_name(client)]:
            raise LmsError(f"{where} is damaged: it lacks one of the two Secrets of {client}.", hint="Give another copy.")
        texts = {key: str(found.get(key, "")) for key in ("catalogue", "namespace", "made", "by")}
        record = {key: value for key, value in (found.get("record") or {}).items() if key in KEPT_OF_RECORD}
        return cls(client=client, record=record, secrets=secrets, **texts)

    def expect(self, client: ClientId, *, catalogue: str, namespace: str, where: str) -> None:
        """Raise InputError unless the copy is of this client, catalogue and namespace; where names its file."""
        if self.client != client:
            raise InputError(f"{where} is the copy of {self.client}, not of {client}.", hint="Give the file of this client.")
        if self.catalogue != catalogue:
            raise InputError(
                f"{where} is of {client} in catalogue {self.catalogue}, not in {catalogue}.", hint=f"Use -i inventories/{self.catalogue}."
            )
        if self.namespace != namespace:
            raise InputError(
                f"{where} is of {client} in namespace {self.namespace}, not in {namespace}.",
                hint=f"Set namespace_id of catalogue {catalogue} back to {self.namespace}.",
            )


def copy_of(secret: t.Mapping[str, t.Any]) -> Secret:
    """Return a Secret without what a server sets, so that it can be created again."""
    metadata = secret["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != WRITE}
    kept = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": dict(metadata.get("labels") or {}),
        "annotations": annotations,
    }
    data = dict(secret.get("data") or {})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": kept, "type": secret.get("type", "Opaque"), "data": data}


def fingerprint(secrets: t.Sequence[t.Mapping[str, t.Any]], recipients: t.Iterable[str]) -> str:
    """Return a keyed fingerprint of all values of a client's Secrets and of who may read their copy: another one asks for a new copy.

    The key lies in the client's own Secret, so that the fingerprint tells nothing to who sees a file's name.
    """
    data = {secret["metadata"]["name"]: secret.get("data") or {} for secret in secrets}
    key = next((values[FINGERPRINT_KEY] for values in data.values() if values.get(FINGERPRINT_KEY)), "")
    if not key:
        raise LmsError(
            f"{' and '.join(data) or 'no Secret'}: there is no key {FINGERPRINT_KEY}.", hint="Restore the Secret; it was not made so."
        )
    text = json.dumps([data, sorted(set(recipients))], sort_keys=True).encode()
    return hmac.new(base64.b64decode(key), b"escrow\0" + text, "sha256").hexdigest()[:FINGERPRINT_DIGITS]


def file_name(catalogue: str, client: ClientId, made_of: str) -> str:
    """Return the name of a copy's file, by its fingerprint: `lms-dev-C42-0123456789abcdef.age`; made_of `*` is a pattern of all."""
    return f"{catalogue}-{client}-{made_of}.age"


def encrypted(plain: bytes, recipients: t.Sequence[str]) -> bytes:
    """Return the text as only the holders of the recipients' identities can read it. Raises InputError for a key that is none."""
    pyrage = PYRAGE.require()
    keys = []
    for recipient in recipients:
        try:
            keys.append(PYRAGE.part("x25519").Recipient.from_str(recipient))
        except pyrage.RecipientError:
            raise InputError(
                f"escrow_recipients: {recipient} is not an age public key: a character is wrong.", hint="Copy it again from age-keygen -y."
            ) from None
    return bytes(pyrage.encrypt(plain, keys))


def decrypted(content: bytes, identities: str, where: str) -> bytes:
    """Return what a copy holds; identities is the text of an identity file, where names the copy. Raises LmsError."""
    pyrage = PYRAGE.require()
    if not content.startswith(AGE_HEADS):
        raise LmsError(f"{where} is not a file that age has encrypted.", hint="Give the file as escrow has made it.")
    try:
        return bytes(pyrage.decrypt(content, _identities(identities)))
    except pyrage.DecryptError as error:
        reason = re.sub(r"\s+", " ", str(error)).rstrip(".")
        raise LmsError(
            f"{where} cannot be decrypted: {reason}.",
            hint="Give the identity of one of its recipients, and the file as it was written.",
        ) from None


def _identities(text: str) -> list[t.Any]:
    """Return the keys of an identity file: lines of AGE-SECRET-KEY-1..., empty ones and comments passed over."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    try:
        found = [PYRAGE.part("x25519").Identity.from_str(line) for line in lines]
    except PYRAGE.require().IdentityError:
        found = []
    if not found:
        raise InputError(f"escrow_identity: is not an age identity. Expected lines of {IDENTITY}..., as age-keygen writes them.")
    return found


def _name(secret: t.Any) -> str:
    """Return the name of a Secret in a document, empty for what is none."""
    if not isinstance(secret, dict) or not isinstance(secret.get("data"), dict) or not isinstance(secret.get("metadata"), dict):
        return ""
    return str(secret["metadata"].get("name", ""))
