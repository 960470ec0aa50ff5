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
from .._domain.names import CLIENT_LABEL, MADE, credentials_secret_name, database_name, rsa_secret_name, selector
from .._domain.record import MADE as RECORD_MADE
from .._domain.record import Record
from .._domain.rotation import SECOND_LOGIN, Rotation, rotated_dates
from .._domain.watched import EVERY_KEY, watched_of
from .._k8s.api import Api
from .._k8s.resources import Ref
from .client_organisations import keep_first
from .registry import change_record, known_record

__all__ = [
    "RESTORE",
    "Secrets",
    "Work",
    "annotations_of",
    "facts_of",
    "listed",
    "listed_of",
    "noted_as_made",
    "told",
    "watched",
    "with_values",
]

RESTORE = "Restore it from a backup; values are never made anew behind the databases' back."

Object = dict[str, t.Any]
Secrets = dict[str, Object]


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
    if record is None:
        noted = fresh.begun(actor).with_(credentials=RECORD_MADE)
        api.create(noted.to_object())
    else:
        noted, _written = change_record(api, record, lambda found: found.begun(actor).with_(credentials=RECORD_MADE, databases={}))
    # Of a record that was found too: the run that created it may have been killed right then.
    keep_first(api, noted, new=record is None, write=True)
    return noted


def listed(work: Work) -> Secrets:
    """Return those of the client's Secrets that exist, by name, in one read."""
    return listed_of(work.api, work.namespace, [work.client]).get(work.client, {})


def listed_of(api: Api, namespace: str, named: t.Sequence[ClientId]) -> dict[ClientId, Secrets]:
    """Return the Secrets that hold credentials, by client and name, in one read; without any named, of all clients."""
    found: dict[ClientId, Secrets] = {}
    for secret in api.list("v1", "Secret", namespace, label_selector=selector(named[0] if len(named) == 1 else None)):
        metadata = secret["metadata"]
        client = ClientId.parse(metadata["labels"][CLIENT_LABEL], f"Secret {namespace}/{metadata['name']}: label {CLIENT_LABEL}")
        if metadata["name"] in (credentials_secret_name(client), rsa_secret_name(client)):
            found.setdefault(client, {})[metadata["name"]] = secret
    return found


def watched(work: Work, get: t.Callable[[Ref], Object | None] | None = None) -> dict[str, bytes]:
    """Return the values whose change shall be noticed, which the requests' pods refer to and others provide; each object is read once.

    They come by "secret/key" and "ConfigMap/name/key". What a pod can start without is left out where it is missing.
    get: reads an object, where several clients' pods may refer to the same.
    """
    found: dict[str, bytes] = {}
    for (kind, name), keys in watched_of(work.params["requests"], work.client).items():
        place = f"{name}/" if kind == "Secret" else f"{kind}/{name}/"
        ref = Ref("v1", kind, name, work.namespace)
        values = _provided(work, ref, (get or work.api.get)(ref), keys)
        wanted = values if EVERY_KEY in keys else [key for key in keys if key in values]
        found |= {place + key: values[key] for key in wanted}
    return found


def _provided(work: Work, ref: Ref, obj: Object | None, keys: t.Mapping[str, bool]) -> dict[str, bytes]:
    """Return all values of a Secret or ConfigMap; raises InputError where it, or a key that is not optional, is missing."""
    values = domain.data_of(obj) if obj and ref.kind == "Secret" else domain.config_data_of(obj or {})
    needed = sorted(key for key, optional in keys.items() if not optional)
    missing = [key for key in needed if key not in (EVERY_KEY, *values)]
    if needed and (obj is None or missing):
        lacks = f"there is no {ref}" if obj is None else f"{ref} lacks {' and '.join(missing)}"
        raise InputError(
            f"requests: {lacks}, and the pods of {work.client} refer to it.", hint="Create it, or correct the setting or the template."
        )
    return values


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
