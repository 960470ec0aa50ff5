"""A reverse proxy by TLS, put before the lab's API by a test, that fails as it is told: the n-th request that matches a rule.

with FaultProxy(upstream, certificate=pem) as proxy:
    proxy.rules = [Rule("POST", "/secrets$", cut=Cut.ANSWER)]      # written, but nobody learns of it
    ...                                                            # requests to proxy.url + the upstream's own path
    assert proxy.passed[-1] == Passed("POST", "/k8s/.../secrets", "201, lost")
"""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 60.0
# What belongs to one connection alone (RFC 9110), and what this proxy says itself.
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "te", "trailer"}
# As Kubernetes says them; newer Pythons have other words.
PHRASES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}
LINGER_NOT = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """Where an exchange ends early."""

    NOT = ""
    REQUEST = "reset before the request was passed on"
    MIDDLE = "cut in the middle of the answer"
    ANSWER = "passed on, and the answer lost"
    SILENCE = "silence until the client goes"


@dataclass(frozen=True)
class Rule:
    """What becomes of the requests number `first` to `first + times - 1` (times 0: of all from there) of those that match.

    method, path: regular expressions, found anywhere (the query is no part of the path). status 0: passed on as usual, after `delay`
    seconds. body: text, or what becomes JSON. expired: from this request on, every new connection gets the expired certificate.
    """

    method: str = ""
    path: str = ""
    first: int = 1
    times: int = 1
    status: int = 0
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: Cut = Cut.NOT
    expired: bool = False


@dataclass(frozen=True)
class Passed:
    """A request that arrived, and what became of it: a status, a word of Cut, or both where the answer was lost."""

    method: str
    path: str
    became: str


@dataclass
class Exchange:
    """A request as it is passed on: target is the path with its query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class FaultProxy(ThreadingHTTPServer):
    """Listens on a free port of `address` while its context lasts.

    upstream: opens a connection to what stands behind. certificate, expired: PEM files with certificate and key.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        upstream: Callable[[], http.client.HTTPConnection],
        *,
        certificate: Path,
        expired: Path | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        super().__init__((address, 0), _Handler)
        self.upstream = upstream
        self.url = f"https://{address}:{self.server_address[1]}"
        self.passed: list[Passed] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._fit, self._expired = _context(certificate), _context(expired or certificate)
        self._shown = self._fit
        self._rules: Sequence[Rule] = ()
        self._seen: dict[int, int] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def rules(self) -> Sequence[Rule]:
        return self._rules

    @rules.setter
    def rules(self, rules: Sequence[Rule]) -> None:
        """Set what is to fail from now on; earlier counts, the list of what passed and an expired certificate are forgotten."""
        with self._lock:
            self._rules, self._seen, self._shown = tuple(rules), {}, self._fit
            self.passed.clear()

    def rule_for(self, method: str, path: str) -> Rule:
        """Count a request for every rule that it matches, and return the first rule whose turn it is."""
        with self._lock:
            found = Rule()
            for number, rule in enumerate(self._rules):
                if not (re.search(rule.method, method) and re.search(rule.path, path)):
                    continue
                turn = self._seen[number] = self._seen.get(number, 0) + 1
                if found == Rule() and rule.first <= turn and (not rule.times or turn < rule.first + rule.times):
                    found = rule
            if found.expired:
                self._shown = self._expired
            return found

    def note(self, method: str, path: str, became: str) -> None:
        with self._lock:
            self.passed.append(Passed(method, path, became))

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; it is made secure in its own thread."""
        accepted, address = self.socket.accept()
        return self._shown.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes, or does not like the certificate, is none of the proxy's errors; its test sees what it saw."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultProxy
    connection: ssl.SSLSocket

    def setup(self) -> None:
        self.request.settimeout(PATIENCE_SECONDS)
        self.request.do_handshake()
        super().setup()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        sent = Exchange(self.command, self.path, _kept(self.headers), self.rfile.read(length))
        rule = self.server.rule_for(sent.method, path)
        if rule.delay:
            self.server.ending.wait(rule.delay)
        if rule.cut in (Cut.REQUEST, Cut.SILENCE):
            self.server.note(sent.method, path, rule.cut)
            self._vanish(wait=rule.cut is Cut.SILENCE)
            return
        status, headers, data = _made_up(rule) if rule.status else self._pass_on(sent)
        self.server.note(sent.method, path, f"{status}, lost" if rule.cut else str(status))
        if rule.cut is Cut.ANSWER:
            self._vanish()
            return
        self._answer(status, headers, data, whole=rule.cut is not Cut.MIDDLE)

    def _pass_on(self, sent: Exchange) -> tuple[int, dict[str, str], bytes]:
        """Send a request to what stands behind, and return its answer."""
        upstream = self.server.upstream()
        try:
            upstream.request(sent.method, sent.target, body=sent.body or None, headers={**sent.headers, "Host": upstream.host})
            answer = upstream.getresponse()
            return answer.status, _kept(answer.headers), answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes, *, whole: bool) -> None:
        self.send_response_only(status, PHRASES.get(status))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if whole else data[: len(data) // 2])
        if not whole:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _vanish(self, *, wait: bool = False) -> None:
        """Reset the connection, after the client has gone where `wait` is set."""
        while wait and not self.server.ending.is_set() and not select.select([self.connection], [], [], POLL_SECONDS)[0]:
            pass
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        os.close(self.connection.detach())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def behind_tls(address: str, host: str, ca_file: Path) -> Callable[[], http.client.HTTPConnection]:
    """Return what opens connections to a server by its address, whose certificate must be for `host`."""
    context = ssl.create_default_context(cafile=str(ca_file))

    def opened() -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(socket.create_connection((address, 443), PATIENCE_SECONDS), server_hostname=host)
        return connection

    return opened


def _context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _kept(headers: Any) -> dict[str, str]:
    """Return the headers that are passed on."""
    return {name: value for name, value in headers.items() if name.lower() not in OWN_HEADERS}


def _made_up(rule: Rule) -> tuple[int, dict[str, str], bytes]:
    """Return the answer that a rule gives by itself."""
    if isinstance(rule.body, str):
        return rule.status, {"Content-Type": "text/html", **rule.headers}, rule.body.encode()
    return rule.status, {"Content-Type": "application/json", **rule.headers}, json.dumps(rule.body).encode()
