# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries, asked through real TLS on loopback: with a login, with a token, for several platforms, and those that tell nothing."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Seen
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.image_registry import INDEXES, with_newer_images
from support.diagnosis_cases import seen_of_case
from support.fake_api import FakeApi
from support.tls import certificate

RUNS, NEWER = f"sha256:{'1' * 64}", f"sha256:{'9' * 64}"
PASSWORD = "canary-of-the-registry"
BASIC = "Basic " + base64.b64encode(f"lms:{PASSWORD}".encode()).decode()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Registry:
    """A registry: what its only tag stands for, and whom it lets in (a header's value; empty for everybody)."""

    ca_file: Path
    digest: str = RUNS
    kind: str = MANIFEST
    parts: list[str] = field(default_factory=list)
    admits: str = BASIC
    status: int = 200
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def image(self) -> str:
        """Return the image's name."""
        return f"localhost:{self.port}/lms/backend:dev"

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        if path.startswith("/token"):
            return (200, {}, b'{"token": "t0ken"}') if authorization == BASIC else (401, {}, b"")
        if self.admits and authorization != self.admits:
            bearer = f'Bearer realm="https://localhost:{self.port}/token",service="registry",scope="repository:lms/backend:pull"'
            return 401, {"WWW-Authenticate": bearer if self.admits.startswith("Bearer") else "Basic realm=x"}, b""
        body = json.dumps({"manifests": [{"digest": part} for part in self.parts]}).encode()
        headers = {"Content-Type": self.kind, **({"Docker-Content-Digest": self.digest} if self.digest else {})}
        return self.status, {**headers, "Location": f"https://localhost:{self.port}/elsewhere"} if self.status == 302 else headers, body


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Provide a registry on loopback."""
    pem = tmp_path / "registry.pem"
    pem.write_text("".join(certificate("localhost", 30)))
    served = Registry(pem)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            authorization = self.headers.get("Authorization", "")
            served.seen.append((self.command, self.path.partition("?")[0], authorization))
            status, headers, body = served.answer(self.path, authorization)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_HEAD = _serve

        def log_message(self, *_parts: object) -> None:
            """Stay silent."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def compared(api: FakeApi, registry: Registry, *, image: str = "", ca_file: Path | None = None) -> Seen:
    """Return what is said of a client that runs an image of the registry, pulled with its login."""
    auths = {"auths": {f"localhost:{registry.port}": {"username": "lms", "password": PASSWORD}}}
    config = base64.b64encode(json.dumps(auths).encode()).decode()
    metadata = {"name": "repository-token", "namespace": "lms-dev"}
    api.add({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {".dockerconfigjson": config}})
    case: dict[str, t.Any] = {"ready": True, "container": {"imageID": f"localhost/lms/backend@{RUNS}"}}
    seen = seen_of_case(case)
    spec = {**seen.pods[0]["spec"], "containers": [{"name": "c42", "image": image or registry.image}]}
    seen = replace(seen, pods=[{**seen.pods[0], "spec": spec}])
    (found,) = with_newer_images(connect(api.params), {seen.client: seen}, ca_file=str(ca_file or registry.ca_file)).values()
    return found


SAME: list[dict[str, t.Any]] = [
    {},
    {"admits": ""},
    {"admits": "Bearer t0ken"},
    {"digest": NEWER, "kind": INDEXES[0], "parts": [f"sha256:{'3' * 64}", RUNS]},
]


@pytest.mark.parametrize("facts", SAME, ids=["login", "everybody", "token", "platforms"])
def test_the_tag_stands_for_what_runs(fake_api: FakeApi, registry: Registry, facts: dict[str, t.Any]) -> None:
    vars(registry).update(facts)
    seen = compared(fake_api, registry)
    assert (seen.newer_image, seen.not_seen) == ("", {})


@pytest.mark.parametrize("facts", [{}, {"admits": "Bearer t0ken"}, {"kind": INDEXES[1], "parts": [f"sha256:{'3' * 64}"]}])
def test_the_tag_has_moved_on(fake_api: FakeApi, registry: Registry, facts: dict[str, t.Any]) -> None:
    vars(registry).update({"digest": NEWER, **facts})
    assert compared(fake_api, registry).newer_image == f"{registry.image}@{NEWER}"


SILENT: list[tuple[dict[str, t.Any], str]] = [
    ({"admits": "Basic of somebody else"}, "it answered 401 to HEAD https://localhost"),
    ({"status": 404}, "it answered 404"),
    ({"status": 302}, "it answered 302"),
    ({"digest": ""}, "it tells no digest"),
]


@pytest.mark.parametrize(("facts", "why"), SILENT, ids=lambda value: str(value)[:20])
def test_what_cannot_be_found_out_is_noted_and_fails_nothing(
    fake_api: FakeApi, registry: Registry, facts: dict[str, t.Any], why: str
) -> None:
    vars(registry).update(facts)
    seen = compared(fake_api, registry)
    assert seen.newer_image == ""
    assert why in seen.not_seen["image registry"]
    assert PASSWORD not in seen.not_seen["image registry"]
    assert "/elsewhere" not in [path for _method, path, _authorization in registry.seen]


def test_a_registry_that_is_away_or_not_trusted(fake_api: FakeApi, registry: Registry, tmp_path: Path) -> None:
    assert "refused" in compared(fake_api, registry, image="localhost:9/lms/backend:dev").not_seen["image registry"]
    other = tmp_path / "other.pem"
    other.write_text(certificate("localhost", 30)[0])
    assert "CERTIFICATE_VERIFY_FAILED" in compared(fake_api, registry, ca_file=other).not_seen["image registry"]
    assert registry.seen == []


def test_the_pull_secret_may_not_be_read(fake_api: FakeApi, registry: Registry) -> None:
    fake_api.fail("GET", "/secrets/repository-token", 403, "Forbidden")
    assert "repository-token" in compared(fake_api, registry).not_seen["image registry"]


def test_an_image_named_by_its_digest_is_not_asked_for(fake_api: FakeApi, registry: Registry) -> None:
    assert compared(fake_api, registry, image=f"{registry.image}@{RUNS}").newer_image == ""
    assert (registry.seen, fake_api.requests) == ([], [])


def test_a_file_that_is_no_certificate(fake_api: FakeApi, registry: Registry) -> None:
    with pytest.raises(InputError, match="image_ca_file: "):
        compared(fake_api, registry, ca_file=Path(__file__))
