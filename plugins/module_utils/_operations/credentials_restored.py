# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a client's Secrets back from their encrypted copy: by plain creates, and over others only on a typed confirmation."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._core.clock import utc_now
from .._core.errors import ConflictError, InputError, LmsError
from .._core.operation import Context
from .._core.version import VERSION
from .._domain.client_id import ClientId
from .._domain.escrow import Escrow, decrypted
from .._domain.names import is_ours
from .._domain.record import MADE, Record
from .._domain.screen import failure, stage
from .._k8s.api import Api
from .._k8s.resources import Ref
from .client_lease import Holding, held
from .client_secrets import noted_as_made
from .escrow_stores import Store, read_file
from .registry import actor_or_default, read_record

__all__ = ["Restore", "restored"]

Secret = dict[str, t.Any]

# Older copies that the operator's screen names.
MOST_NAMED = 3


@dataclass(frozen=True)
class Restore:
    """What one run brings back; registry is the namespace of the records."""

    api: Api
    client: ClientId
    registry: str
    params: t.Mapping[str, t.Any]
    stores: t.Sequence[Store]


@dataclass(frozen=True)
class Copy:
    """The copy to restore from and where it lies; older: where others lie, the newest of them first, each with when it was made."""

    content: Escrow
    where: str
    older: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What of a copy is to be created, and what is to be replaced (the Secret of the copy, and the one that is there)."""

    record: Record | None
    missing: list[Secret]
    differing: list[tuple[Secret, Secret]]

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to write."""
        return not (self.missing or self.differing or self.record is None or self.record.credentials != MADE)


def restored(work: Restore, context: Context) -> dict[str, t.Any]:
    """Return which Secrets were created or replaced; everything is read and judged before the first write."""
    started = time.monotonic()
    copy = _newest(work)
    plan = _planned(work, copy.content)
    if not plan.is_empty and not context.check_mode:
        with held(work.api, work.registry, work.client, work.params, context) as holding:
            plan = _planned(work, copy.content)
            if not plan.is_empty:
                _written(work, plan, copy.content, holding)
    created, replaced = [_ref(secret).name for secret in plan.missing], [_ref(secret).name for secret, _live in plan.differing]
    if not plan.is_empty:
        verb = "would bring back" if context.check_mode else "brought back"
        names = ", ".join((*created, *replaced)) or "the record"
        context.report(stage("escrow", f"{verb}: {names}", time.monotonic() - started))
        for line in _screen(work, copy):
            context.report(line)
    return {
        "changed": not plan.is_empty,
        "created": created,
        "replaced": replaced,
        "copy_place": copy.where,
        "copy_made": copy.content.made,
        "copy_by": copy.content.by,
        "older": list(copy.older),
    }


def _screen(work: Restore, copy: Copy) -> list[str]:
    """Return which copy it was, which others there are, and what to do next."""
    older = [f"{len(copy.older)}, kept until you remove them: {', '.join(copy.older[:MOST_NAMED])}"] if copy.older else []
    facts = [
        ("copy", [f"{copy.where}, made {copy.content.made} by {copy.content.by}"]),
        ("older", older),
        ("next", [f"provision_client.yml -e client={work.client} gives databases and pods these values"]),
    ]
    return failure("", facts)


def _newest(work: Restore) -> Copy:
    """Return the copy in the file that is named, or the newest of all places, by what the copies say of themselves."""
    identity = _identity(work)
    if work.params["file"]:
        file = work.params["file"]
        return Copy(_opened(work, read_file(Path(file), "escrow_file"), identity, file), file)
    found = [copy for store in work.stores for copy in store.copies(work.client)]
    if not found:
        raise InputError(
            f"escrow_file: is missing, and no copy of {work.client} is in escrow_folder or escrow_namespace.", hint="Name the file."
        )
    opened: list[tuple[Escrow, str]] = []
    closed: list[LmsError] = []
    for content, where in found:
        try:
            opened.append((_opened(work, content, identity, where), where))
        except LmsError as error:
            closed.append(error)
    if not opened:
        raise closed[0]
    opened.sort(key=lambda one: one[0].made, reverse=True)
    if closed:
        raise InputError(
            f"escrow_file: is missing, and {len(closed)} of {len(found)} copies cannot be read, so it is not known which is the newest: "
            f"{closed[0].message}",
            hint=f"Name one: -e escrow_file=FILE; the newest that can be read is {opened[0][1]}, made {opened[0][0].made}.",
        )
    # The same copy may lie in several places.
    return Copy(*opened[0], older=tuple(f"{where} ({copy.made})" for copy, where in opened if copy.made < opened[0][0].made))


def _opened(work: Restore, content: bytes, identity: str, where: str) -> Escrow:
    """Return what a copy holds. Raises LmsError where it cannot be read, or is not of this client, catalogue and namespace."""
    copy = Escrow.from_bytes(decrypted(content, identity, where), where)
    copy.expect(work.client, catalogue=work.params["catalogue"], namespace=work.params["namespace"], where=where)
    return copy


def _planned(work: Restore, copy: Escrow) -> Plan:
    """Return what of a copy is not there. Raises InputError where something else is, and its loss was not confirmed."""
    record = read_record(work.api, work.registry, work.client)
    if record is not None:
        record.expect(catalogue=copy.catalogue, namespace=copy.namespace)
    live = [(secret, work.api.get(_ref(secret))) for secret in copy.secrets]
    missing = [secret for secret, found in live if found is None]
    differing = [(secret, found) for secret, found in live if found is not None and _differs(work, secret, found)]
    if differing and work.params["confirm"] != work.client.id:
        raise _refused(work, [secret for secret, _found in differing], copy)
    return Plan(record, missing, differing)


def _written(work: Restore, plan: Plan, copy: Escrow, holding: Holding) -> None:
    """Note in the record that the credentials were made, then make them; killed anywhere, the next run does the rest."""
    holding.keep(work.client)
    epoch = _remembered(work, plan.record, copy).epoch
    for secret in plan.missing:
        holding.expect(work.client, epoch)
        _create(work, secret)
    for secret, found in plan.differing:
        holding.expect(work.client, epoch)
        work.api.replace(_over(secret, found))


def _identity(work: Restore) -> str:
    """Return the text of the identities that the copy may be read with."""
    if work.params["identity_file"]:
        return read_file(Path(work.params["identity_file"]), "escrow_identity_file").decode("utf-8", errors="replace")
    if not work.params["identity"]:
        raise InputError(
            "escrow_identity_file: is missing. Expected the file that age-keygen wrote, or its content in LMS_ESCROW_IDENTITY.",
            hint="Add -e escrow_identity_file=FILE.",
        )
    return str(work.params["identity"])


def _differs(work: Restore, secret: Secret, live: Secret) -> bool:
    """Return whether a Secret that is there is not the one in the copy: by its values, or by whose it is."""
    return (live.get("data") or {}) != secret["data"] or not is_ours(live, work.client)


def _refused(work: Restore, differing: t.Sequence[Secret], copy: Escrow) -> InputError:
    """Return what is told where something else stands in the place of a copy."""
    names = " and ".join(str(_ref(secret)) for secret in differing)
    return InputError(
        f"{names} exists and differs from the copy of {copy.made}; nothing was touched.",
        hint=f"To replace it, type the client's id: -e confirm={work.client}. The values that are there now are lost then; "
        "provision_client.yml brings the databases and pods to the ones of the copy.",
    )


def _remembered(work: Restore, record: Record | None, copy: Escrow) -> Record:
    """Note that the credentials were made, before the first of them is there: a run that is killed makes nobody draw new ones."""
    actor = actor_or_default(work.params["actor"])
    kept = {"created": utc_now(), "created_by": actor, **copy.record}
    fresh = Record(
        client=work.client, catalogue=copy.catalogue, namespace=copy.namespace, registry_namespace=work.registry, version=VERSION, **kept
    )
    return noted_as_made(work.api, record, fresh, actor)


def _create(work: Restore, secret: Secret) -> None:
    """Create a Secret; one that appeared meanwhile is taken where it is equal."""
    try:
        work.api.create(secret)
    except ConflictError:
        found = work.api.get(_ref(secret))
        if found is None or _differs(work, secret, found):
            raise ConflictError(f"{_ref(secret)} was made by somebody else meanwhile, and differs.", hint="Run the same again.") from None


def _over(secret: Secret, live: Secret) -> Secret:
    """Return the copy in the place of what is there, as it was read: metadata of others stays."""
    metadata, own = dict(live["metadata"]), secret["metadata"]
    metadata.pop("managedFields", None)
    metadata["labels"] = {**(metadata.get("labels") or {}), **own["labels"]}
    metadata["annotations"] = own["annotations"]
    return {**secret, "metadata": metadata}


def _ref(secret: Secret) -> Ref:
    return Ref("v1", "Secret", secret["metadata"]["name"], secret["metadata"]["namespace"])
