# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a client's Secrets, and the operator's own, and says what may be known of them; shared by all that works on credentials."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import InputError
from .._domain import credentials as domain
from .._domain.client_id import ClientId
from .._domain.names import MADE, credentials_secret_name, database_name, rsa_secret_name, selector
from .._domain.record import MADE as RECORD_MADE
from .._domain.record import Record
from .._domain.rotation import SECOND_LOGIN, Rotation, rotated_dates
from .._k8s.api import Api
from .._k8s.resources import Ref
from .client_organisations import keep_first
from .registry import change_record, known_record

__all__ = [
    "RESTORE",
    "Secrets",
    "Work",
    "annotations_of",
    "brought_key",
    "facts_of",
    "listed",
    "noted_as_made",
    "told",
    "watched",
    "with_values",
]

RESTORE = "Restore it from a backup; values are never made anew behind the databases' back."

Secrets = dict[str, dict[str, t.Any]]


@dataclass(frozen=True)
class Work:
    """What one run works on."""

    api: Api
    client: ClientId
    namespace: str
    registry: str
    params: t.Mapping[str, t.Any]

    @property
    def names(self) -> tuple[str, str]:
        """Return the names of the client's Secrets, in the order in which they are made."""
        return (credentials_secret_name(self.client), rsa_secret_name(self.client))

    @property
    def user(self) -> str:
        """Return the name of the client's role in the databases."""
        return str(self.params["database_user"] or database_name(self.client))

    def ref(self, name: str) -> Ref:
        """Return the reference of a Secret in the client's namespace."""
        return Ref("v1", "Secret", name, self.namespace)

    def expect_epoch(self) -> None:
        """Raise ConflictError where another run has taken the client over; comes before every write of a run that began an epoch."""
        if self.params.get("epoch") is not None:
            known_record(self.api, self.registry, self.client).expect_epoch(self.params["epoch"])


def with_values(secret: t.Mapping[str, t.Any], annotations: t.Mapping[str, str], data: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return a Secret that was read, with other annotations and values (base64), to be written over it; metadata of others stays."""
    metadata = {key: value for key, value in secret["metadata"].items() if key != "managedFields"}
    return {**secret, "metadata": {**metadata, "annotations": annotations}, "data": data}


def noted_as_made(api: Api, record: Record | None, fresh: Record, actor: str) -> Record:
    """Note in a client's record that its credentials were made, and begin an epoch; where there is no record, create the fresh one so.

    From then on nobody draws new ones: it is done before the first of them is brought from elsewhere. Which Jobs were done is forgotten,
    as the databases may have other logins by now than those that are brought.
    """
    if record is not None:
        return change_record(api, record, lambda found: found.begun(actor).with_(credentials=RECORD_MADE, databases={}))[0]
    wanted = fresh.begun(actor).with_(credentials=RECORD_MADE)
    api.create(wanted.to_object())
    keep_first(api, wanted, new=True, write=True)
    return wanted


def listed(work: Work) -> Secrets:
    """Return those of the client's Secrets that exist, by name, in one read."""
    found = work.api.list("v1", "Secret", work.namespace, label_selector=selector(work.client))
    return {secret["metadata"]["name"]: secret for secret in found if secret["metadata"]["name"] in work.names}


def watched(work: Work) -> dict[str, bytes]:
    """Return the values in the operator's Secrets whose change shall be noticed, by "secret/key"; each Secret is read once."""
    keys: dict[str, list[str]] = {}
    for entry in work.params["watched_secrets"]:
        keys.setdefault(entry["name"], []).append(entry["key"])
    return {
        f"{name}/{key}": value for name in keys for key, value in _operators(work, name, sorted(set(keys[name])), "watched_secrets").items()
    }


def brought_key(work: Work, name: str, key: str) -> bytes:
    """Return the private key that the operator brought in a Secret, checked."""
    value = _operators(work, name, [key], "rsa_key_secret")[key]
    domain.validate_rsa_key(value, f"key {key} of Secret {work.namespace}/{name}")
    return value


def _operators(work: Work, name: str, keys: t.Sequence[str], option: str) -> dict[str, bytes]:
    """Return values of a Secret that the operator provides."""
    secret = work.api.get(work.ref(name))
    fix = f"Create it with the key{'s' if len(keys) > 1 else ''} {' and '.join(keys)}, or correct the setting."
    if secret is None:
        raise InputError(f"{option}: there is no {work.ref(name)}.", hint=fix)
    return domain.values_of(secret, keys, fix)


def told(work: Work, found: Secrets, watched_values: t.Mapping[str, bytes]) -> dict[str, t.Any]:
    """Return what may be known of the credentials: facts_of, and the one fingerprint over all that pods depend on."""
    credentials_name, rsa_name = work.names
    values = domain.values_of(found[credentials_name], domain.CREDENTIALS_KEYS, RESTORE)
    rsa_key = domain.values_of(found[rsa_name], (domain.RSA_KEY,), RESTORE)[domain.RSA_KEY]
    _expect_user(work, values)
    single = domain.fingerprints(values, rsa_key, watched_values)
    facts = facts_of(found, work.names, work.namespace)
    return {**facts, "fingerprint": domain.combined(values, single), "fingerprints": {**facts["fingerprints"], **single}}


def facts_of(found: Secrets, names: tuple[str, str], namespace: str) -> dict[str, t.Any]:
    """Return what a client's Secrets tell without their values: fingerprints, dates, logins in use, and a rotation under way.

    names: of the Secret with the credentials and of that with the RSA key, both of which must have been found.
    """
    credentials, rsa = (found[name] for name in names)
    domain.values_of(credentials, domain.CREDENTIALS_KEYS, RESTORE)
    values = domain.data_of(credentials)
    rsa_key = domain.values_of(rsa, (domain.RSA_KEY,), RESTORE)[domain.RSA_KEY]
    rotation = Rotation.of(annotations_of(credentials), f"Secret {namespace}/{names[0]}")
    return {
        "fingerprints": {**domain.fingerprints(values, rsa_key, {}), **domain.login_fingerprints(values)},
        "database_fingerprint": domain.databases_text(values),
        "made": annotations_of(credentials).get(MADE) or credentials["metadata"].get("creationTimestamp", ""),
        "rotated": {**rotated_dates(annotations_of(credentials)), **rotated_dates(annotations_of(rsa))},
        "logins": {database: values[f"{database}-user"].decode(errors="replace") for database in domain.LOGIN_FIELDS},
        "rotation": rotation.as_dict() if rotation else {},
    }


def annotations_of(obj: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return an object's annotations."""
    return dict(obj["metadata"].get("annotations") or {})


def _expect_user(work: Work, values: t.Mapping[str, bytes]) -> None:
    """Raise where the Secret's logins are of another role than the settings name."""
    for database in domain.LOGIN_FIELDS:
        user = values[f"{database}-user"].decode(errors="replace")
        if user not in (work.user, work.user + SECOND_LOGIN):
            raise InputError(
                f"database_user: {work.user} is not the user {user} that {work.ref(work.names[0])} was made with ({database}).",
                hint="Set database_prefix back; a role and its database are not renamed by a setting.",
            )
