# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lease of a client (coordination.k8s.io/v1): who works on it, since when, and until when without a sign of life."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field, replace

from .client_id import ClientId
from .names import labels, lease_name

__all__ = ["LEASE_SECONDS", "Lease", "holder_identity", "holder_shown"]

# A run that was killed frees its clients after so long, unless it said otherwise; a living one renews well before.
LEASE_SECONDS = 20
_MICRO = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Lease:
    """One client's Lease; times are seconds since 1970 by the API server's clock.

    holder: "" where nobody holds it. metadata: as it was read, with its resourceVersion; empty for one that is not there yet.
    """

    client: ClientId
    namespace: str
    holder: str = ""
    acquired: float = 0.0
    renewed: float = 0.0
    seconds: int = LEASE_SECONDS
    transitions: int = 0
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_object(cls, obj: t.Mapping[str, t.Any], client: ClientId) -> Lease:
        """Read a Lease; fields that are missing or unreadable leave it free."""
        metadata, spec = obj["metadata"], obj.get("spec") or {}
        return cls(
            client=client,
            namespace=str(metadata.get("namespace", "")),
            holder=str(spec.get("holderIdentity") or ""),
            acquired=_seconds(spec.get("acquireTime")),
            renewed=_seconds(spec.get("renewTime")),
            seconds=int(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
            transitions=int(spec.get("leaseTransitions") or 0),
            metadata=metadata,
        )

    def to_object(self) -> dict[str, t.Any]:
        """Return the object, with the metadata that was read."""
        found = {**(self.metadata.get("labels") or {}), **labels(self.client)}
        metadata = {**self.metadata, "name": lease_name(self.client), "namespace": self.namespace, "labels": found}
        metadata.pop("managedFields", None)
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.seconds,
            "acquireTime": _text(self.acquired),
            "renewTime": _text(self.renewed),
            "leaseTransitions": self.transitions,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def is_free(self, now: float) -> bool:
        """Return whether nobody holds it, or its holder gave no sign of life for so long that it must be gone."""
        return not self.holder or now >= self.renewed + self.seconds

    def taken_by(self, holder: str, now: float, seconds: int = LEASE_SECONDS) -> Lease:
        """Return it as its next holder writes it, who means to renew it within `seconds`."""
        return replace(self, holder=holder, acquired=now, renewed=now, seconds=seconds, transitions=self.transitions + 1)

    def kept(self, now: float) -> Lease:
        """Return it as its holder renews it."""
        return replace(self, renewed=now)

    def given_back(self, now: float) -> Lease:
        """Return it free."""
        return replace(self, holder="", renewed=now)

    @property
    def since(self) -> str:
        """Return when its holder took it, for people: `2026-11-21 09:00:03 UTC`."""
        return dt.datetime.fromtimestamp(self.acquired, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def holder_identity(actor: str, token: str) -> str:
    """Return how a run names itself: who acts, and what no other run has."""
    return f"{actor} {token}"


def holder_shown(identity: str) -> str:
    """Return who acts, without the token."""
    return identity.rpartition(" ")[0] or identity


def _seconds(text: t.Any) -> float:
    """Return a MicroTime as seconds since 1970, 0 for one that cannot be read."""
    for form in (_MICRO, "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return dt.datetime.strptime(str(text), form).replace(tzinfo=dt.UTC).timestamp()
        except ValueError:
            continue
    return 0.0


def _text(seconds: float) -> str:
    """Return seconds since 1970 as a MicroTime."""
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime(_MICRO)
