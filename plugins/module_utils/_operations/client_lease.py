# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes, keeps and gives back the Leases of clients, and begins an epoch in the record of each that was taken.

A Lease only keeps people from working against each other; that nothing is written over another run's work rests on the epoch.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import ConflictError, LmsError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.lease import LEASE_SECONDS, Lease, holder_identity, holder_shown
from .._domain.names import lease_name
from .._domain.record import Record
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .._k8s.resources import Ref
from .._k8s.waiting import looks
from .registry import actor_or_default, change_record, known_record

__all__ = ["ARGUMENT_SPEC", "HELD_OPTIONS", "LEASE_OPTIONS", "OPERATION", "Holding", "beats", "held", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "clients": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "registry_namespace": {"type": "str", "required": True},
    # Names a run among others, and opens nothing.
    "token": {"type": "str", "default": "", "no_log": False},
    "epochs": {"type": "dict", "default": {}},
    "records": {"type": "dict", "default": {}},
    "duration": {"type": "int", "default": LEASE_SECONDS},
    "wait_timeout": {"type": "int", "default": 120},
    "before": {"type": "str", "default": ""},
    "actor": {"type": "str", "default": ""},
}

# Of operations that hold a Lease for their own time (doc fragment rarus.lms.held).
HELD_OPTIONS: dict[str, t.Any] = {
    "lease_seconds": {"type": "int", "default": LEASE_SECONDS},
    "lease_wait_seconds": {"type": "int", "default": 120},
}

# Of operations that wait while their run holds Leases (doc fragment rarus.lms.lease).
LEASE_OPTIONS: dict[str, t.Any] = {
    "lease": {
        "type": "dict",
        "options": {
            "token": {"type": "str", "required": True, "no_log": False},
            "clients": {"type": "list", "elements": "str", "required": True},
            "registry_namespace": {"type": "str", "required": True},
            "duration": {"type": "int", "default": LEASE_SECONDS},
            "actor": {"type": "str", "default": ""},
        },
    },
}

TOKEN_BYTES = 8
# Signs of life within a Lease's duration, so that two of them may be lost.
BEATS = 3


@dataclass
class Holding:
    """The Leases of one run: those of clients in the registry's namespace, by the run's own identity."""

    api: Api
    registry: str
    clients: t.Sequence[ClientId]
    identity: str
    duration: int = LEASE_SECONDS
    beaten: float = 0.0

    @classmethod
    def of_run(cls, api: Api, registry: str, clients: t.Sequence[ClientId], token: str, duration: int, actor: str = "") -> Holding:
        """Return the Leases of the run that a token names, which renews them within `duration` seconds."""
        return cls(api, registry, clients, holder_identity(actor_or_default(actor), token), duration, beaten=time.monotonic())

    def beat(self) -> None:
        """Renew all Leases where it is time to. Raises ConflictError where another run took one."""
        if time.monotonic() - self.beaten < self.duration / BEATS:
            return
        for client in self.clients:
            self.keep(client)
        self.beaten = time.monotonic()

    def keep(self, client: ClientId) -> None:
        """Renew one Lease. Raises ConflictError where another run took it."""
        lease = self._read(client)
        if lease is None or lease.holder != self.identity:
            raise self._overtaken(client, lease)
        try:
            self.api.replace(lease.kept(self.api.now()).to_object())
        except ConflictError:
            raise self._overtaken(client, self._read(client)) from None

    def expect(self, client: ClientId, epoch: int) -> None:
        """Give a sign of life before a write. Raises ConflictError where another run has begun an epoch since this one's."""
        self.beat()
        known_record(self.api, self.registry, client).expect_epoch(epoch)

    def take(self, client: ClientId, timeout: float, context: Context) -> bool:
        """Take one Lease, waiting for its holder where it has one; return whether this run had to wait. Raises ConflictError."""
        told = ""
        for taken, last in looks(timeout):
            lease = self._read(client)
            if lease is None or lease.is_free(self.api.now()):
                if self._taken(client, lease):
                    return bool(told)
                continue
            who = f"{client} is held by {holder_shown(lease.holder)} since {lease.since}"
            if last:
                raise ConflictError(
                    f"client: {who} (Lease {self.registry}/{lease_name(client)}); gave up after {taken:.0f} s.",
                    hint=f"Run the same again when that run has ended; one that was killed is passed over after {lease.seconds} s.",
                )
            if told != who:
                context.report(f"  waiting  {who}; at most {timeout:.0f} s")
                told = who
        raise ConflictError(f"client: several runs want {client} at once.", hint="Run the same again.")

    def give_back(self, client: ClientId) -> bool:
        """Free one Lease; return whether it was this run's."""
        lease = self._read(client)
        if lease is None or lease.holder != self.identity:
            return False
        try:
            self.api.replace(lease.given_back(self.api.now()).to_object())
        except ConflictError:
            return False
        return True

    def _taken(self, client: ClientId, found: Lease | None) -> bool:
        """Write this run's name into a Lease that is free; return False where another run was first."""
        lease = (found or Lease(client, self.registry)).taken_by(self.identity, self.api.now(), self.duration)
        try:
            if found is None:
                self.api.create(lease.to_object())
            else:
                self.api.replace(lease.to_object())
        except ConflictError:
            return False
        return True

    def _read(self, client: ClientId) -> Lease | None:
        found = self.api.get(Ref("coordination.k8s.io/v1", "Lease", lease_name(client), self.registry))
        return None if found is None else Lease.from_object(found, client)

    def _overtaken(self, client: ClientId, lease: Lease | None) -> ConflictError:
        """Return what is told of a Lease that was lost: by the record, where whoever took it has given it back."""
        if lease is not None and lease.holder:
            by = f"{holder_shown(lease.holder)} at {lease.since}"
        else:
            by = known_record(self.api, self.registry, client).epoch_by or "another run"
        return ConflictError(
            f"client: {client} was taken over by {by}; this run stops before it writes anything more.",
            hint="Run the same again when that run has ended.",
        )


@contextlib.contextmanager
def held(api: Api, registry: str, client: ClientId, params: t.Mapping[str, t.Any], context: Context) -> t.Iterator[Holding]:
    """Hold one client's Lease for a block, which reads again what it writes over: another run may have written until now.

    params: HELD_OPTIONS and actor. Raises ConflictError where another run does not give the Lease back in time.
    """
    holding = Holding.of_run(api, registry, [client], secrets.token_hex(TOKEN_BYTES), params["lease_seconds"], params["actor"])
    holding.take(client, params["lease_wait_seconds"], context)
    try:
        yield holding
    finally:
        with contextlib.suppress(LmsError):  # it ends by itself
            holding.give_back(client)


def beats(api: Api, lease: t.Mapping[str, t.Any] | None) -> t.Callable[[], None]:
    """Return what a wait calls at every look, so that the run keeps its Leases (LEASE_OPTIONS); the first call renews them in any case."""
    if not lease:
        return lambda: None
    clients = [ClientId.parse(client, "lease.clients") for client in lease["clients"]]
    holding = Holding.of_run(api, lease["registry_namespace"], clients, lease["token"], lease["duration"], lease["actor"])
    holding.beaten = -math.inf
    return holding.beat


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return the token and the epochs by which the run's next steps prove that they are still its own."""
    clients = sorted({ClientId.parse(client, "clients") for client in params["clients"]})
    token = params["token"] or secrets.token_hex(TOKEN_BYTES)
    actor = actor_or_default(params["actor"])
    epochs = {ClientId.parse(client, "epochs").id: int(epoch) for client, epoch in params["epochs"].items()}
    result: dict[str, t.Any] = {"changed": False, "token": token, "waited": False, "epochs": epochs, "lease": {}}
    if params["before"] and not params["token"]:
        context.report(params["before"])
    if context.check_mode or not clients:
        return result
    holding = Holding.of_run(connect(params), params["registry_namespace"], clients, token, params["duration"], actor)
    if params["state"] == "absent":
        freed = [client for client in clients if holding.give_back(client)]
        return {**result, "changed": bool(freed), "epochs": {}}
    taken: list[ClientId] = []
    try:
        for client in clients:
            if client.id in epochs:
                known_record(holding.api, holding.registry, client).expect_epoch(epochs[client.id])
                holding.keep(client)
            else:
                result["waited"] = holding.take(client, params["wait_timeout"], context) or result["waited"]
                taken.append(client)
                epochs[client.id] = _begun(holding, client, actor, params["records"].get(client.id))
    except ConflictError:
        for client in taken:
            holding.give_back(client)
        raise
    kept = {"token": token, "clients": list(epochs), "actor": actor, **{key: params[key] for key in ("registry_namespace", "duration")}}
    return {**result, "changed": True, "lease": kept}


def _begun(holding: Holding, client: ClientId, actor: str, read: t.Mapping[str, t.Any] | None) -> int:
    """Begin an epoch in a client's record, and return it; read: the record as this run knows it, by which it is about to act."""
    record = known_record(holding.api, holding.registry, client)

    def begun(found: Record) -> Record:
        if read:
            found.expect_as_read(settings=read["settings"], phase=read["phase"])
        return found.begun(actor)

    record, _written = change_record(holding.api, record, begun)
    return record.epoch


OPERATION = Operation(name="client_lease", argument_spec=ARGUMENT_SPEC, run=run)
