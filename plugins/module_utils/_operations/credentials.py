# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a client's Secrets when it is proven that there are none, and tells by fingerprints what they hold."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._core.errors import ConflictError, InputError, LmsError
from .._core.operation import Context, Operation
from .._domain import credentials as domain
from .._domain.client_id import ClientId
from .._domain.names import MADE, MANAGED_BY, credentials_secret_name, database_name, is_ours, rsa_secret_name, selector
from .._domain.record import CREATING, NONE, Record
from .._domain.record import MADE as RECORD_MADE
from .._domain.screen import stage
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .._k8s.resources import Ref
from .registry import change_record, known_record, read_record, utc_now

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "client": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "registry_namespace": {"type": "str", "default": ""},
    "recorded": {"type": "str", "choices": [NONE, CREATING, RECORD_MADE, ""], "default": ""},
    "database_user": {"type": "str", "default": ""},
    "rsa_bits": {"type": "int", "choices": [2048, 3072, 4096], "default": 2048},
    "rsa_key_secret": {
        "type": "dict",
        "no_log": False,
        "options": {"name": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}},
    },
    "watched_secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
        },
    },
}

# A second login, which rotation alternates with the first.
SECOND_LOGIN = "_b"

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


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return names, fingerprints and date of the client's credentials, after making those that are proven absent."""
    started = time.monotonic()
    client = ClientId.parse(params["client"])
    namespace = params["namespace"]
    work = Work(connect(params), client, namespace, params["registry_namespace"] or namespace, params)
    found = _listed(work)
    missing = [name for name in work.names if name not in found]
    watched = _watched(work)
    recorded = params["recorded"]
    changed = bool(missing)
    if missing or recorded != RECORD_MADE:
        record = _record(work, check_mode=context.check_mode)
        _refuse_doubt(work, record, found, missing)
        changed = changed or record.credentials != RECORD_MADE
        if not context.check_mode:
            found |= _completed(work, record, missing)
    if missing:
        verb = "would create" if context.check_mode else "created"
        context.report(stage("credentials", f"{verb}: {_contents(work, missing)}", time.monotonic() - started))
    if any(name not in found for name in work.names):
        return {"changed": True, "created": missing, "secrets": list(work.names), "fingerprint": "", "fingerprints": {}, "made": ""}
    return {"changed": changed, "created": missing, "secrets": list(work.names), **_told(work, found, watched)}


def _listed(work: Work) -> Secrets:
    """Return those of the client's Secrets that exist, by name, in one read."""
    found = work.api.list("v1", "Secret", work.namespace, label_selector=selector(work.client))
    return {secret["metadata"]["name"]: secret for secret in found if secret["metadata"]["name"] in work.names}


def _record(work: Work, *, check_mode: bool) -> Record:
    """Return the client's record; in check mode that of a client who would have been registered by now."""
    record = read_record(work.api, work.registry, work.client) if check_mode else known_record(work.api, work.registry, work.client)
    return record or Record(client=work.client, catalogue="", namespace=work.namespace, registry_namespace=work.registry)


def _refuse_doubt(work: Work, record: Record, found: Secrets, missing: t.Sequence[str]) -> None:
    """Raise unless every missing Secret is proven never to have been made: by a true 404 now, and by the record that was read before."""
    absent = []
    for name in missing:
        now = work.api.get(work.ref(name), metadata_only=True)
        if now is None:
            absent.append(name)
        elif not is_ours(now, work.client):
            raise _not_ours(work, name, now)
    if absent and record.credentials == RECORD_MADE:
        raise _lost(work, absent, f"though the record of {work.client} says that it was made")
    if absent and found and record.credentials == NONE:
        raise _lost(work, absent, f"though {' and '.join(found)} exists and the record of {work.client} knows of neither")


def _completed(work: Work, record: Record, missing: t.Sequence[str]) -> Secrets:
    """Create what is missing between the two notes in the record; a run killed anywhere is finished by the next one."""
    made: Secrets = {}
    if missing:
        fresh = {name: _fresh(work, name) for name in missing}
        record, _written = change_record(work.api, record, _note(CREATING))
        for name in missing:
            made[name] = _created(work, fresh[name])
    change_record(work.api, record, _note(RECORD_MADE))
    return made


def _note(state: str) -> t.Callable[[Record], Record]:
    """Return the change of a record that notes a state of the credentials; "made" is never taken back."""
    return lambda record: record if record.credentials == RECORD_MADE else record.with_(credentials=state)


def _fresh(work: Work, name: str) -> dict[str, t.Any]:
    """Return a Secret with fresh values, or with the key that the operator brought."""
    made = utc_now()
    if name == credentials_secret_name(work.client):
        return domain.credentials_secret(work.client, namespace=work.namespace, user=work.user, made=made)
    brought = work.params["rsa_key_secret"]
    key = _brought_key(work, brought["name"], brought["key"]) if brought else domain.generate_rsa_key(work.params["rsa_bits"])
    return domain.rsa_secret(work.client, namespace=work.namespace, key=key, made=made)


def _brought_key(work: Work, name: str, key: str) -> bytes:
    """Return the private key that the operator brought in a Secret, checked."""
    value = _operators(work, name, [key], "rsa_key_secret")[key]
    domain.validate_rsa_key(value, f"key {key} of Secret {work.namespace}/{name}")
    return value


def _created(work: Work, secret: dict[str, t.Any]) -> dict[str, t.Any]:
    """Create a Secret; where somebody else was first, theirs is the one that counts, if it is ours."""
    try:
        return work.api.create(secret)
    except ConflictError:
        name = secret["metadata"]["name"]
        found = work.api.get(work.ref(name))
        if found is None or found["metadata"].get("deletionTimestamp"):
            raise LmsError(
                f"{work.ref(name)} is being deleted by somebody while it is made.", hint="Run the same again when it is gone."
            ) from None
        if not is_ours(found, work.client):
            raise _not_ours(work, name, found) from None
        return found


def _watched(work: Work) -> dict[str, bytes]:
    """Return the values in the operator's Secrets whose change shall be noticed, by "secret/key"."""
    return {
        f"{entry['name']}/{key}": value
        for entry in work.params["watched_secrets"]
        for key, value in _operators(work, entry["name"], entry["keys"], "watched_secrets").items()
    }


def _operators(work: Work, name: str, keys: t.Sequence[str], option: str) -> dict[str, bytes]:
    """Return values of a Secret that the operator provides."""
    secret = work.api.get(work.ref(name))
    fix = f"Create it with the key{'s' if len(keys) > 1 else ''} {' and '.join(keys)}, or correct the setting."
    if secret is None:
        raise InputError(f"{option}: there is no {work.ref(name)}.", hint=fix)
    return domain.values_of(secret, keys, fix)


def _told(work: Work, found: Secrets, watched: t.Mapping[str, bytes]) -> dict[str, t.Any]:
    """Return what may be known of the credentials: fingerprints and the date."""
    restore = "Restore it from a backup; values are never made anew behind the databases' back."
    credentials_name, rsa_name = work.names
    values = domain.values_of(found[credentials_name], domain.CREDENTIALS_KEYS, restore)
    rsa_key = domain.values_of(found[rsa_name], (domain.RSA_KEY,), restore)[domain.RSA_KEY]
    _expect_user(work, values)
    single = domain.fingerprints(values, rsa_key, watched)
    metadata = found[credentials_name]["metadata"]
    made = (metadata.get("annotations") or {}).get(MADE) or metadata.get("creationTimestamp", "")
    return {"fingerprint": domain.combined(values, single), "fingerprints": single, "made": made}


def _expect_user(work: Work, values: t.Mapping[str, bytes]) -> None:
    """Raise where the Secret's logins are of another role than the settings name."""
    for database in ("postgres", "clickhouse"):
        user = values[f"{database}-user"].decode(errors="replace")
        if user not in (work.user, work.user + SECOND_LOGIN):
            raise InputError(
                f"database_user: {work.user} is not the user {user} that {work.ref(work.names[0])} was made with ({database}).",
                hint="Set database_prefix back; a role and its database are not renamed by a setting.",
            )


def _contents(work: Work, missing: t.Sequence[str]) -> str:
    """Return what the missing Secrets hold, for the operator."""
    key = "rsa (brought)" if work.params["rsa_key_secret"] else f"rsa {work.params['rsa_bits']}"
    credentials_name, rsa_name = work.names
    parts = {credentials_name: ["seed", "postgres", "clickhouse"], rsa_name: [key]}
    texts = [text for name in missing for text in parts[name]]
    return ", ".join(sorted(texts, key=lambda text: ("seed", "rsa", "postgres", "clickhouse").index(text.split()[0])))


def _not_ours(work: Work, name: str, found: t.Mapping[str, t.Any]) -> LmsError:
    """Return what is told of a Secret of our name that somebody else made."""
    owner = (found["metadata"].get("labels") or {}).get(MANAGED_BY, "nobody that says so")
    return LmsError(
        f"{work.ref(name)} exists and is not this collection's Secret of {work.client} (made by {owner}); it is left alone.",
        hint="Move it away if nothing uses it; an environment made by hand is to be adopted, not provisioned.",
    )


def _lost(work: Work, missing: t.Sequence[str], why: str) -> LmsError:
    """Return what is told of Secrets that were deleted behind our back."""
    names = " and ".join(str(work.ref(name)) for name in missing)
    return LmsError(
        f"{names} is missing, {why}. It is not made anew: the databases and the users' sessions rest on the old values.",
        hint=f"Restore it from a backup with its labels ({selector(work.client)}), then run the same again.",
        data={"missing": list(missing)},
    )


OPERATION = Operation(name="credentials", argument_spec=ARGUMENT_SPEC, run=run)
