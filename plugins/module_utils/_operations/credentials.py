# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a client's Secrets when it is proven that there are none, rotates what they hold, and tells by fingerprints what that is."""

from __future__ import annotations

import time
import typing as t

from .._core.clock import utc_now
from .._core.errors import ConflictError, InputError, LmsError
from .._core.operation import Context, Operation
from .._domain import credentials as domain
from .._domain.client_id import ClientId
from .._domain.names import MANAGED_BY, credentials_secret_name, is_ours, selector
from .._domain.record import CREATING, NONE, Record
from .._domain.record import MADE as RECORD_MADE
from .._domain.rotation import PARTS, STEPS
from .._domain.screen import stage
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._vault.connection import STORE_OPTIONS
from .brought_key import BROUGHT_OPTIONS, brought_key, given_key
from .client_lease import LEASE_OPTIONS
from .client_secrets import RESTORE, Secrets, Work, listed, told, watched
from .credentials_home import DIFFERING, Home, home_of
from .credentials_rotation import rotate
from .registry import change_record, known_record, read_record

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ROTATED = "rotated"
ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "client": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", ROTATED], "default": "present"},
    "recorded": {"type": "str", "choices": [NONE, CREATING, RECORD_MADE, ""], "default": ""},
    "database_user": {"type": "str", "default": ""},
    "rsa_bits": {"type": "int", "choices": [2048, 3072, 4096], "default": 2048},
    **BROUGHT_OPTIONS,
    "rsa_key_secret": {
        "type": "dict",
        "no_log": False,
        "options": {"name": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}},
    },
    "requests": {"type": "list", "elements": "dict", "default": []},
    "secret_store": {"type": "dict", "no_log": False, "options": STORE_OPTIONS},
    "differing": {"type": "str", "choices": list(DIFFERING), "default": "stop"},
    "recreate": {"type": "bool", "default": False},
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": []},
    "step": {"type": "str", "choices": list(STEPS)},
    "confirm": {"type": "str", "default": ""},
    "wait_timeout": {"type": "int", "default": 120},
    **LEASE_OPTIONS,
    "epoch": {"type": "int"},
    "actor": {"type": "str", "default": ""},
}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return names, fingerprints and dates of the client's credentials, after making or rotating them."""
    client = ClientId.parse(params["client"])
    namespace = params["namespace"]
    work = Work(connect(params), client, namespace, params["registry_namespace"] or namespace, params)
    return rotate(work, context) if params["state"] == ROTATED else _present(work, context)


def _present(work: Work, context: Context) -> dict[str, t.Any]:
    """Make those of the credentials that are proven absent."""
    started = time.monotonic()
    found = listed(work)
    home = home_of(work, context)
    changed = home.settle(found)
    missing = [name for name in work.names if name not in found]
    values = watched(work)
    recorded = work.params["recorded"]
    changed = changed or bool(missing)
    kept = home.known
    if missing or recorded != RECORD_MADE:
        record = _record(work, check_mode=context.check_mode)
        _refuse_doubt(work, record, found, missing, kept=kept)
        changed = changed or record.credentials != RECORD_MADE
        if not context.check_mode:
            found |= _completed(work, record, missing, home, found)
    if missing:
        verb = "would create" if context.check_mode else "created"
        contents = f"{' and '.join(missing)}, as Vault has kept it" if kept else _contents(work, missing)
        context.report(stage("credentials", f"{verb}: {contents}", time.monotonic() - started))
    answer = {"changed": changed, "created": missing, "secrets": list(work.names)}
    if any(name not in found for name in work.names):
        unknown = {
            "fingerprint": "",
            "fingerprints": {},
            "database_fingerprint": "",
            "made": "",
            "rotated": {},
            "logins": {},
            "rotation": {},
        }
        return {**answer, "changed": True, **unknown}
    _expect_taken(work, found)
    return {**answer, **told(work, found, values)}


def _expect_taken(work: Work, found: Secrets) -> None:
    """Raise InputError where a key was given with the run, and the client has another one by now."""
    given = given_key(work.params)
    stored = domain.values_of(found[work.names[1]], (domain.RSA_KEY,), RESTORE)[domain.RSA_KEY]
    if given and given.pem.strip() != stored.strip():
        raise InputError(
            f"{given.where} is another key than {work.client} has, which stays as it is.",
            hint=f"Leave it out, or put it in use: rotate_credentials.yml -e client={work.client} -e credentials=rsa, with the same key.",
        )


def _record(work: Work, *, check_mode: bool) -> Record:
    """Return the client's record; in check mode that of a client who would have been registered by now."""
    record = read_record(work.api, work.registry, work.client) if check_mode else known_record(work.api, work.registry, work.client)
    return record or Record(client=work.client, catalogue="", namespace=work.namespace, registry_namespace=work.registry)


def _refuse_doubt(work: Work, record: Record, found: Secrets, missing: t.Sequence[str], *, kept: bool) -> None:
    """Raise unless every missing Secret is proven never to have been made: by a true 404 now, and by the record that was read before.

    kept: its values are at home in a store, so that it can be made again.
    """
    absent = []
    for name in missing:
        now = work.api.get(work.ref(name), metadata_only=True)
        if now is None:
            absent.append(name)
        elif not is_ours(now, work.client):
            raise _not_ours(work, name, now)
    if not absent or kept or _may_recreate(work):
        return
    if record.credentials == RECORD_MADE:
        raise _lost(work, absent, f"though the record of {work.client} says that it was made")
    if found and record.credentials == NONE:
        raise _lost(work, absent, f"though {' and '.join(found)} exists and the record of {work.client} knows of neither")


def _may_recreate(work: Work) -> bool:
    """Return whether the operator wants what was lost to be made anew; raises InputError where the id was not typed with it."""
    if not work.params["recreate"]:
        return False
    if work.params["confirm"] != work.client.id:
        raise InputError(
            f"confirm: making lost credentials of {work.client} anew ends every user's session, and new database connections of the running"
            f" pods fail until they are replaced. Expected the client's id, {work.client}.",
            hint=f"Type it, confirm={work.client}, or restore the Secrets from a backup.",
        )
    return True


def _completed(work: Work, record: Record, missing: t.Sequence[str], home: Home, found: Secrets) -> Secrets:
    """Create what is missing between the two notes in the record; a run killed anywhere is finished by the next one."""
    made: Secrets = {}
    if missing:
        fresh = {name: {} if home.known else _fresh(work, name) for name in missing}
        record, _written = change_record(work.api, record, _note(CREATING, work.params["epoch"]))
        for name, secret in home.keep(fresh, found).items():
            made[name] = _created(work, secret)
    change_record(work.api, record, _note(RECORD_MADE, work.params["epoch"]))
    return made


def _note(state: str, epoch: int | None = None) -> t.Callable[[Record], Record]:
    """Return the change of a record that notes a state of the credentials, by a run of that epoch; "made" is never taken back."""

    def noted(record: Record) -> Record:
        record.expect_epoch(epoch)
        return record if record.credentials == RECORD_MADE else record.with_(credentials=state)

    return noted


def _fresh(work: Work, name: str) -> dict[str, t.Any]:
    """Return a Secret with fresh values, or with the key that the operator brought."""
    made = utc_now()
    if name == credentials_secret_name(work.client):
        return domain.credentials_secret(work.client, namespace=work.namespace, user=work.user, made=made)
    brought = brought_key(work.api, work.namespace, work.params)
    key = brought.pem if brought else domain.generate_rsa_key(work.params["rsa_bits"])
    return domain.rsa_secret(work.client, namespace=work.namespace, key=key, made=made)


def _created(work: Work, secret: dict[str, t.Any]) -> dict[str, t.Any]:
    """Create a Secret; where somebody else was first, theirs is the one that counts, if it is ours."""
    work.expect_epoch()
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


def _contents(work: Work, missing: t.Sequence[str]) -> str:
    """Return what the missing Secrets hold, for the operator."""
    brought = any(work.params[option] for option in (*BROUGHT_OPTIONS, "rsa_key_secret"))
    key = "rsa (brought)" if brought else f"rsa {work.params['rsa_bits']}"
    credentials_name, rsa_name = work.names
    parts = {credentials_name: ["seed", "postgres", "clickhouse"], rsa_name: [key]}
    texts = [text for name in missing for text in parts[name]]
    return ", ".join(sorted(texts, key=lambda text: ("seed", "rsa", "postgres", "clickhouse").index(text.split()[0])))


def _not_ours(work: Work, name: str, found: t.Mapping[str, t.Any]) -> LmsError:
    """Return what is told of a Secret of our name that somebody else made."""
    owner = (found["metadata"].get("labels") or {}).get(MANAGED_BY, "nobody that says so")
    return LmsError(
        f"{work.ref(name)} exists and is not this collection's Secret of {work.client} (made by {owner}); it is left alone.",
        hint=f"Of an environment made by hand: adopt_client.yml -e client={work.client} keeps its values. Otherwise move it away.",
    )


def _lost(work: Work, missing: t.Sequence[str], why: str) -> LmsError:
    """Return what is told of Secrets that were deleted behind our back."""
    names = " and ".join(str(work.ref(name)) for name in missing)
    return LmsError(
        f"{names} is missing, {why}. It is not made anew: the databases and the users' sessions rest on the old values.",
        hint=f"Restore it from a backup with its labels ({selector(work.client)}), then run the same again; where it is in escrow: "
        f"restore_credentials.yml -e client={work.client}. Without a backup: recreate=true and confirm={work.client} make new ones, "
        "which the databases then get (docs/credentials.md).",
        data={"missing": list(missing)},
    )


OPERATION = Operation(name="credentials", argument_spec=ARGUMENT_SPEC, run=run)
