# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps an encrypted copy of clients' Secrets outside their namespace, and brings one client's Secrets back from it."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.basic import env_fallback

from .._core.clock import utc_now
from .._core.errors import InputError, LmsError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.escrow import Escrow, encrypted, fingerprint
from .._domain.names import CLIENT_LABEL, credentials_secret_name, rsa_secret_name, selector
from .._domain.screen import stage
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_lease import HELD_OPTIONS
from .credentials_restored import Restore, restored
from .escrow_stores import FolderStore, SecretStore, Store
from .registry import actor_or_default, known_record

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ALL = "all"
ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    **HELD_OPTIONS,
    "clients": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
    "catalogue": {"type": "str", "required": True},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "folder": {"type": "path"},
    "escrow_namespace": {"type": "str", "default": ""},
    "file": {"type": "path"},
    "identity": {"type": "str", "no_log": True, "fallback": (env_fallback, ["LMS_ESCROW_IDENTITY"])},
    "identity_file": {"type": "path"},
    "confirm": {"type": "str", "default": ""},
    "actor": {"type": "str", "default": ""},
}

Pair = list[dict[str, t.Any]]


@dataclass
class Work:
    """What one run works on."""

    api: Api
    params: t.Mapping[str, t.Any]
    stores: list[Store] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Return the namespace of the clients' environments."""
        return str(self.params["namespace"])

    @property
    def registry(self) -> str:
        """Return the namespace of the records."""
        return str(self.params["registry_namespace"] or self.namespace)


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return which clients' Secrets were copied, or what of one client's was brought back."""
    work = Work(connect(params), params)
    catalogue, escrow_namespace = params["catalogue"], params["escrow_namespace"]
    if escrow_namespace == work.namespace:
        raise InputError(f"escrow_namespace: {escrow_namespace} is the namespace whose loss it is for.", hint="Name another one.")
    if params["folder"]:
        work.stores.append(FolderStore(Path(params["folder"]), catalogue))
    if escrow_namespace:
        work.stores.append(SecretStore(work.api, escrow_namespace, catalogue))
    if params["state"] == "restored":
        if len(params["clients"]) != 1:
            raise InputError(f"clients: {len(params['clients'])} are given, and one is restored at a time.", hint="Name one client.")
        client = ClientId.parse(params["clients"][0])
        return restored(Restore(work.api, client, work.registry, params, work.stores), context)
    return _escrowed(work, context)


def _escrowed(work: Work, context: Context) -> dict[str, t.Any]:
    """Copy what is not in escrow yet, in every place."""
    started = time.monotonic()
    if not work.params["clients"]:
        raise InputError("clients: is empty.", hint="Name clients, or all.")
    clients = [] if work.params["clients"] == [ALL] else sorted({ClientId.parse(client) for client in work.params["clients"]})
    if not work.params["recipients"]:
        if not clients:
            raise InputError("escrow_recipients: is missing, so nobody could read the copies.", hint="Set it; docs/escrow.md shows how.")
        context.report(_without(work, clients))
        return {"changed": False, "escrowed": []}
    if not work.stores:
        raise InputError("escrow_folder: is missing, and escrow_recipients is given.", hint="Set escrow_folder or escrow_namespace.")
    copied = [client for client, pair in _pairs(work, clients, context).items() if _copied(work, client, pair, context)]
    if copied:
        verb = "would be put" if context.check_mode else "put"
        names = ", ".join(client.id for client in copied) if len(copied) <= 3 else f"{len(copied)} clients"
        context.report(stage("escrow", f"{names} {verb} into escrow", time.monotonic() - started))
    return {"changed": bool(copied), "escrowed": [client.id for client in copied]}


def _pairs(work: Work, clients: t.Sequence[ClientId], context: Context) -> dict[ClientId, Pair]:
    """Return the two Secrets of each client, by one list; of all clients that have them where none is named."""
    found: dict[ClientId, dict[str, dict[str, t.Any]]] = {client: {} for client in clients}
    one = clients[0] if len(clients) == 1 else None
    for secret in work.api.list("v1", "Secret", work.namespace, label_selector=selector(one)):
        client = ClientId.parse(secret["metadata"]["labels"][CLIENT_LABEL], f"label {CLIENT_LABEL}")
        name = secret["metadata"]["name"]
        if name in (credentials_secret_name(client), rsa_secret_name(client)) and (not clients or client in found):
            found.setdefault(client, {})[name] = secret
    pairs = {}
    for client, secrets in sorted(found.items()):
        missing = [name for name in (credentials_secret_name(client), rsa_secret_name(client)) if name not in secrets]
        if missing and not context.check_mode:
            raise LmsError(
                f"Secret {work.namespace}/{missing[0]} is missing, so {client} cannot be put into escrow.",
                hint=f"Run provision_client.yml -e client={client} first: it makes what was never made, or says what was lost.",
            )
        pairs[client] = [] if missing else [secrets[credentials_secret_name(client)], secrets[rsa_secret_name(client)]]
    return pairs


def _copied(work: Work, client: ClientId, pair: Pair, context: Context) -> bool:
    """Put one client's Secrets where they are not yet; return whether any place lacked them."""
    recipients = work.params["recipients"]
    made_of = fingerprint(pair, recipients) if pair else ""
    lacking = [store for store in work.stores if not pair or not store.has(client, made_of)]
    if lacking and not context.check_mode:
        record = known_record(work.api, work.registry, client)
        if work.params["clients"] == [ALL] and record.catalogue != work.params["catalogue"]:
            return False
        record.expect(catalogue=work.params["catalogue"], namespace=work.namespace)
        copy = Escrow.of(record, pair, made=utc_now(), by=actor_or_default(work.params["actor"]))
        content = encrypted(copy.to_bytes(), recipients)
        for store in lacking:
            store.put(client, made_of, content)
    return bool(lacking)


def _without(work: Work, clients: t.Sequence[ClientId]) -> str:
    """Return what having no escrow means."""
    names = ", ".join(client.id for client in clients)
    return f"  escrow       none: with namespace {work.namespace} the keys of {names} would be lost (docs/escrow.md)"


OPERATION = Operation(name="credentials_escrow", argument_spec=ARGUMENT_SPEC, run=run)
