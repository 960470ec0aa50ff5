# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public path is asked through real TLS on loopback: its certificates and answers, good and bad."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._k8s import public_path
from support.tls import certificate

CLOSED_PORT = 9
CASES = [
    ("localhost", 30, 200, 200, "Served"),
    ("localhost", 30, 404, 200, "NotFound"),
    ("localhost", 30, 503, 200, "ServerError"),
    ("localhost", 30, 302, 200, "UnexpectedStatus"),
    ("localhost", 30, 302, 302, "Served"),
    ("other.example", 30, 200, 200, "CertificateName"),
    ("localhost", -1, 200, 200, "CertificateExpired"),
]


def written(folder: Path, name: str, days: int) -> Path:
    """Write a certificate with its key; return the file."""
    path = folder / "certificate.pem"
    path.write_text("".join(certificate(name, days)))
    return path


@contextmanager
def serving(pem: Path, status: int) -> Iterator[str]:
    """Serve one status under one certificate; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_parts: object) -> None:
            """Stay silent."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://localhost:{server.server_address[1]}/C42/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("name", "days", "status", "expected", "reason"), CASES)
def test_answers(tmp_path: Path, name: str, days: int, status: int, expected: int, reason: str) -> None:
    pem = written(tmp_path, name, days)
    with serving(pem, status) as address:
        answer = public_path.ask(address, expected=expected, ca_file=str(pem))
    assert answer.reason == reason, answer
    assert answer.days_left == (days - 1 if reason in ("Served", "NotFound", "ServerError", "UnexpectedStatus") else None)


def test_an_unknown_signer(tmp_path: Path) -> None:
    with serving(written(tmp_path, "localhost", 30), 200) as address:
        assert public_path.ask(address, expected=200).reason == "CertificateUntrusted"


def test_nobody_listens() -> None:
    assert public_path.ask(f"https://localhost:{CLOSED_PORT}/", expected=200).reason == "Refused"


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nothing")
    with pytest.raises(InputError, match="probe_ca_file: "):
        public_path.ask("https://localhost/", expected=200, ca_file=str(tmp_path / "x"))
