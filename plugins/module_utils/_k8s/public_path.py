# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a client's public path as somebody outside would: one GET through TLS, its certificate checked for signer, name and time."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

from .._core.errors import InputError
from .._domain.diagnosis.model import PublicAnswer
from .._domain.public_path import answered, days_left, distrusted

__all__ = ["ask", "authority", "trusting"]

TIMEOUT_SECONDS = 5.0
# What broke, by the class of the exception, the first that fits.
_FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "TLS"),
    (socket.gaierror, "UnknownHost"),
    (TimeoutError, "Timeout"),
    (ConnectionResetError, "Broken"),
    (OSError, "Refused"),
    (http.client.HTTPException, "Broken"),
)


def ask(address: str, *, expected: int, ca_file: str = "") -> PublicAnswer:
    """Return what an https:// address answers; no redirection is followed. ca_file: PEM of who signs, else this machine's list.

    Raises InputError where ca_file cannot be read.
    """
    url = urlsplit(address)
    connection = http.client.HTTPSConnection(url.netloc, timeout=TIMEOUT_SECONDS, context=trusting(ca_file))
    try:
        connection.connect()
        days = _days_left(connection)
        connection.request("GET", url.path, headers={"User-Agent": "rarus.lms"})
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return distrusted(address, error.verify_code, error.verify_message)
    except (OSError, http.client.HTTPException) as error:
        reason = next(word for kind, word in _FAULTS if isinstance(error, kind))
        return PublicAnswer(address, reason, " ".join(str(error).split()))
    finally:
        connection.close()
    return answered(address, status, expected, days)


def authority(ca_file: str) -> str:
    """Return the certificates (PEM) in a file of who signs, empty for none; InputError where it cannot be read as such."""
    if not ca_file:
        return ""
    trusting(ca_file)
    return Path(ca_file).read_text()


def trusting(ca_file: str, option: str = "probe_ca_file") -> ssl.SSLContext:
    """Return what checks certificates by a file of authorities, or by this machine's list; InputError where the file is none."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError):
        raise InputError(
            f"{option}: {ca_file} cannot be read as certificates (PEM).", hint=f"Correct lms_{option}, or leave it empty."
        ) from None


def _days_left(connection: http.client.HTTPSConnection) -> int | None:
    """Return the days until the certificate that was shown expires."""
    shown: t.Any = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
    return days_left(shown["notAfter"], time.time()) if shown and "notAfter" in shown else None
