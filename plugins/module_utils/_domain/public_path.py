# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one client is published, and how the verdict asks whether the path is served."""

from __future__ import annotations

import ssl
import typing as t
from dataclasses import dataclass, fields
from http import HTTPStatus

from .client_id import ClientId
from .diagnosis.model import PublicAnswer

__all__ = ["CONTROLLER", "JOB", "PROBES", "PUBLISH", "PublicPath", "answered", "days_left", "distrusted"]

DAY_SECONDS = 86400
PUBLISH = ("ingress", "httproute", "none")
CONTROLLER, JOB = "controller", "job"
PROBES = (CONTROLLER, JOB, "none")
# OpenSSL's numbers for a certificate that is out of its time, and for one that bears another name.
_OUT_OF_TIME, _OTHER_NAME = (9, 10), (62, 64)
_CERTIFICATES = {**dict.fromkeys(_OUT_OF_TIME, "CertificateExpired"), **dict.fromkeys(_OTHER_NAME, "CertificateName")}


@dataclass(frozen=True)
class PublicPath:
    """The settings that say how a client is reached: publish, public_dns, and probe, probe_status, probe_ca_file, probe_image."""

    publish: str = "none"
    public_dns: str = ""
    probe: str = "none"
    probe_status: int = 200
    probe_ca_file: str = ""
    probe_image: str = ""

    @classmethod
    def of(cls, *layers: t.Mapping[str, t.Any]) -> PublicPath:
        """Return what layers of settings say together, each over those before it; other settings are passed over."""
        found: dict[str, t.Any] = {}
        for layer in layers:
            found |= {one.name: layer[one.name] for one in fields(cls) if layer.get(one.name) is not None}
        return cls(**found)

    def address(self, client: ClientId) -> str:
        """Return the public address, empty where the client is not published."""
        return f"https://{self.public_dns}/{client}/" if self.public_dns and self.publish != "none" else ""

    def asked(self, client: ClientId) -> bool:
        """Return whether the path is to be asked once the pods serve."""
        return self.probe != "none" and bool(self.address(client))


def answered(address: str, status: int, expected: int, days_left: int | None) -> PublicAnswer:
    """Return what an HTTP status says of the path; days_left: days until the certificate that was shown expires, None unknown."""
    return PublicAnswer(address, _reason(status, expected), f"HTTP status {status}, expected {expected}", days_left=days_left)


def distrusted(address: str, code: int, message: str) -> PublicAnswer:
    """Return what a refused certificate says of the path; code: OpenSSL's number for why it was refused."""
    return PublicAnswer(address, _CERTIFICATES.get(code, "CertificateUntrusted"), message)


def _reason(status: int, expected: int) -> str:
    """Return the word for an answer."""
    if status == expected:
        return PublicAnswer.SERVED
    if status == HTTPStatus.NOT_FOUND:
        return "NotFound"
    return "ServerError" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "UnexpectedStatus"


def days_left(until: str, now: float) -> int:
    """Return the whole days until a certificate expires.

    until: as certificates write it ("Nov 21 09:00:00 2026 GMT"); now: seconds since 1970. Raises ValueError for what is no such time.
    """
    return int((ssl.cert_time_to_seconds(until) - now) // DAY_SECONDS)
