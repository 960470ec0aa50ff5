"""Small questions to what is starting: does it answer yet?"""
from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_SECONDS = 2.0
HANG_UP_SECONDS = 0.5


def answers(url: str, *, status: int = 200, ca_file: Path | None = None, address: str | None = None) -> bool:
    """Whether GET `url` gets `status`, at `address` if its host does not resolve; without `ca_file` no certificate is judged."""
    return _get(url, ca_file, address)[0] == status


def metric(url: str, name: str) -> float:
    """The value of a metric in Prometheus' text at `url`; 0 where nobody answers, or it is not there yet."""
    return next((float(line.rpartition(" ")[2]) for line in _get(url)[1].splitlines() if line.startswith(name)), 0.0)


def _get(url: str, ca_file: Path | None = None, address: str | None = None) -> tuple[int, str]:
    """Status and body of the answer to GET `url`; 0 and nothing where there is none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        with socket.create_connection((address or host, parts.port or (443 if parts.scheme == "https" else 80)), PATIENCE_SECONDS) as plain:
            connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
            connection.sock = _context(ca_file).wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
            connection.request("GET", parts.path or "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""


def _context(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file:
        return ssl.create_default_context(cafile=str(ca_file))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def accepts(address: str, port: int) -> bool:
    """Whether something listens on the address and port."""
    try:
        with socket.create_connection((address, port), PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def stays(address: str, port: int) -> bool:
    """Whether something listens there and does not hang up at once, as a way to a server that is away does."""
    try:
        with socket.create_connection((address, port), PATIENCE_SECONDS) as client:
            client.settimeout(HANG_UP_SECONDS)
            return bool(client.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


def listens(path: Path) -> bool:
    """Whether something listens on the unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_SECONDS)
        try:
            client.connect(str(path))
            return True
        except OSError:
            return False
