# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretended Vault: KV engines of both versions and an AppRole, behind the `requests` library in this process or as an HTTPS server.

It knows the words of Vault that the collection reads; tests/integration/test_vault.py holds them against a real one (`make soak`).
It has no policies, no seal and no deletions of its own.
"""

from __future__ import annotations

import json
import ssl
import threading
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._vault import connection

__all__ = ["ROLE_ID", "SECRET_ID", "TOKEN", "FakeVault", "served"]

ROOT = "https://vault.example:8200"
TOKEN = "hvs.canary-of-a-token"
ROLE_ID, SECRET_ID = "9a3c-role", "canary-of-a-secret-id"
DATA, METADATA = "/v1/secret/data/", "/v1/secret/metadata/"
MOUNTS = "/v1/sys/internal/ui/mounts/"
POLL_SECONDS = 0.02
LOGIN = "/v1/auth/approle/login"
Answer = tuple[int, t.Any]


@dataclass
class Kept:
    """The versions of one secret, the first one at 0; a version without data was deleted or destroyed."""

    versions: list[dict[str, t.Any] | None] = field(default_factory=list)
    destroyed: bool = False

    @property
    def metadata(self) -> dict[str, t.Any]:
        """Return what is told of the newest version."""
        gone = self.versions[-1] is None and not self.destroyed
        return {
            "version": len(self.versions),
            "destroyed": self.destroyed,
            "deletion_time": "2026-11-21T09:00:00.1Z" if gone else "",
        }


class FakeVault(requests.adapters.BaseAdapter):
    """kept: secrets by path; requests: "METHOD path" of all that arrived; before: called with each, may raise, or give another answer."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Kept] = {}
        self.requests: list[str] = []
        self.version = "2"
        self.before: Callable[[str, str], tuple[int, t.Any] | None] = lambda _method, _path: None
        self.after: Callable[[str, str], None] = lambda _method, _path: None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have all connections lead here."""
        session = requests.Session()
        session.mount("https://", self)
        monkeypatch.setattr(connection, "_session", lambda _ca_file: session)

    @property
    def options(self) -> dict[str, t.Any]:
        """Return the option secret_store for this Vault."""
        defaults = {name: option["default"] for name, option in connection.STORE_OPTIONS.items()}
        return {**defaults, "kind": "vault", "url": ROOT}

    def context(self, lines: list[str] | None = None, *, check_mode: bool = False) -> Context:
        """Return how an operation is run that may log in here."""
        report = (lines if lines is not None else []).append
        return Context(check_mode=check_mode, report=report, lookup=lambda _name, _options: {"auth": {"client_token": TOKEN}})

    def data(self, path: str) -> dict[str, t.Any]:
        """Return the newest version of a secret."""
        found = self.kept[path].versions[-1]
        assert found is not None
        return found

    def delete(self, path: str, *, destroyed: bool = False) -> None:
        """Take the newest version's data away."""
        self.kept[path].versions[-1] = None
        self.kept[path].destroyed = destroyed

    def send(self, request: requests.PreparedRequest, *_arguments: t.Any, **_options: t.Any) -> requests.Response:
        """Answer a request."""
        method, path = str(request.method), str(request.path_url)
        self.requests.append(f"{method} {path}")
        assert request.headers["X-Vault-Token"] == TOKEN
        answer = self.before(method, path) or self.answer(method, path, json.loads(_text(request.body)))
        self.after(method, path)
        return _response(request, *answer)

    def close(self) -> None:
        """End; there is nothing to end."""

    def answer(self, method: str, target: str, body: dict[str, t.Any]) -> Answer:
        """Return status and JSON of the answer to a request; target: its path, with its query."""
        parts = urlsplit(target)
        path, query = parts.path, parse_qs(parts.query)
        if path.startswith(MOUNTS):
            mount = path.removeprefix(MOUNTS)
            return 200, {"data": {"type": "kv", "path": f"{mount}/", "options": {"version": self.version}}}
        if path.startswith(METADATA):
            return self._about(path.removeprefix(METADATA), listed="list" in query)
        if not path.startswith(DATA):
            return 404, {"errors": [f'no handler for route "{path.removeprefix("/v1/")}". route entry not found.']}
        name = path.removeprefix(DATA)
        return self._read(name, int(query.get("version", ["0"])[0])) if method == "GET" else self._write(name, body)

    def _about(self, name: str, *, listed: bool) -> Answer:
        """Return the names below a path, or what is told of a secret."""
        if listed:
            return 200, {"data": {"keys": [path.removeprefix(f"{name}/") for path in self.kept if path.startswith(f"{name}/")]}}
        return 200, {"data": {"current_version": len(self.kept[name].versions)}}

    def _read(self, name: str, version: int) -> Answer:
        kept = self.kept.get(name)
        if kept is None:
            return 404, {"errors": []}
        data = kept.versions[version - 1]
        return (200 if data is not None else 404), {"data": {"data": data, "metadata": kept.metadata}}

    def _write(self, name: str, body: dict[str, t.Any]) -> Answer:
        kept = self.kept.setdefault(name, Kept())
        if body["options"].get("cas", len(kept.versions)) != len(kept.versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        kept.versions.append(body["data"])
        return 200, {"data": kept.metadata}


@contextmanager
def served(fake: FakeVault, certificate: Path) -> Iterator[str]:
    """Serve a pretended Vault by HTTPS while the context lasts; yields its URL. certificate: PEM file, with its key."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            with lock:
                status, answer = self._answered(body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answered(self, body: dict[str, t.Any]) -> Answer:
            if self.path == LOGIN:
                known = (body.get("role_id"), body.get("secret_id")) == (ROLE_ID, SECRET_ID)
                return (200, {"auth": {"client_token": TOKEN}}) if known else (400, {"errors": ["invalid role or secret ID"]})
            if self.headers.get("X-Vault-Token") != TOKEN:
                return 403, {"errors": ["permission denied"]}
            return fake.answer(self.command, self.path, body)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *_arguments: t.Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _text(body: t.Any) -> str:
    """Return the JSON of a request's body."""
    return (body.decode() if isinstance(body, bytes) else body) or "{}"


def _response(request: requests.PreparedRequest, status: int, body: t.Any) -> requests.Response:
    """Return an answer as `requests` gives it: a dictionary as JSON, a text as a page."""
    response = requests.Response()
    response.status_code = status
    response.request = request
    response.url = str(request.url)
    is_page = isinstance(body, str)
    response.headers["Content-Type"] = "text/html" if is_page else "application/json"
    response._content = (body if is_page else json.dumps(body)).encode()
    return response
