"""The lab's images: the same files give the same digest, and only what the registry lacks is sent."""
from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import images
import pytest
from layout import LabError


class FakeRegistry(ThreadingHTTPServer):
    """The registry's HTTP API as far as pushing needs it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, str] = {}
        self.writes: list[str] = []


class RegistryHandler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def _reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_HEAD(self) -> None:
        if self.headers["Authorization"] != "Basic bGFiOnB3":
            return self._reply(401)
        if "/manifests/" in self.path:
            digest = self.server.manifests.get(self.path)
            return self._reply(200, Docker_Content_Digest=digest) if digest else self._reply(404)
        return self._reply(200 if self.path.rsplit("/", 1)[1] in self.server.blobs else 404)

    def do_POST(self) -> None:
        self._body()
        self._reply(202, Location="/upload/1?state=x")

    def do_PUT(self) -> None:
        body = self._body()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.server.writes.append(self.path)
        if "/manifests/" in self.path:
            self.server.manifests[self.path] = digest
        else:
            assert self.path == f"/upload/1?state=x&digest={digest}"
            self.server.blobs[digest] = body
        self._reply(201)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    server = FakeRegistry()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Two static programs in place of the built ones."""
    for name in ("lms-backend", "clickhouse-client"):
        (tmp_path / name).write_bytes(b"#!" + name.encode())
    return tmp_path


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Name to content of the regular files in a tar."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {entry.name: found.read() for entry in files if (found := files.extractfile(entry))}


def push(server: FakeRegistry, parts: Path, password: str = "pw") -> tuple[dict[str, str], list[str]]:
    (parts / "password").write_text(password + "\n")
    said: list[str] = []
    url = f"http://127.0.0.1:{server.server_address[1]}"
    references = images.ensure(
        parts / "state", parts, registry_push=url, user="lab", password_file=parts / "password", report=said.append)
    return references, said


def test_pushes_what_is_missing_and_then_nothing(registry: FakeRegistry, parts: Path) -> None:
    references, said = push(registry, parts)
    assert references == {
        "backend": "registry.example/lms/backend:dev",
        "backend_next": "registry.example/lms/backend:2.0",
        "postgres_client": "registry.example/tools/postgres-client:15",
        "clickhouse_client": "registry.example/tools/clickhouse-client:1",
        "curl": "registry.example/tools/curl:7",
    }
    assert len(said) == 5
    registry.writes.clear()
    assert push(registry, parts) == (references, [])
    assert registry.writes == []


def test_a_changed_program_is_pushed_alone(registry: FakeRegistry, parts: Path) -> None:
    push(registry, parts)
    (parts / "clickhouse-client").write_bytes(b"#!other")
    _digests, said = push(registry, parts)
    assert [line.split()[1] for line in said] == ["registry.example/tools/clickhouse-client:1"]


def test_two_tags_of_the_back_end_share_their_layer_and_differ(parts: Path) -> None:
    dev, later = images.backend_images(parts).values()
    assert dev.layer == later.layer
    assert dev.manifest != later.manifest
    assert "LMS_BACKEND_VERSION=2.0" in json.loads(later.config)["config"]["Env"]


def test_a_wrong_password_is_said(registry: FakeRegistry, parts: Path) -> None:
    with pytest.raises(LabError, match="the registry answered 401") as failure:
        push(registry, parts, password="wrong-one")
    assert "wrong-one" not in str(failure.value)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="lms-backend cannot be read"):
        images.backend_images(tmp_path)


def test_an_image_has_the_libraries_of_its_programs_and_no_link_to_itself() -> None:
    with tarfile.open(fileobj=io.BytesIO(images.postgres_client_image().layer)) as layer:
        entries = {entry.name: entry for entry in layer}
    assert {"usr/bin/psql", "usr/bin/bash", "usr/bin/sed", "usr/lib64/ld-linux-x86-64.so.2"} <= set(entries)
    assert any(name.startswith("usr/lib/x86_64-linux-gnu/libpq.so") for name in entries)
    assert entries["usr/bin/busybox"].isreg()
    assert {entry.mtime for entry in entries.values()} == {0}
    assert {entry.uid for entry in entries.values()} == {0}


def test_the_sandbox_archive_can_be_imported(tmp_path: Path) -> None:
    path = images.sandbox_archive(tmp_path)
    archive = unpacked(path.read_bytes())
    said, config, layer = json.loads(archive["manifest.json"]), json.loads(archive["config.json"]), archive["layer.tar"]
    assert said == [{"Config": "config.json", "Layers": ["layer.tar"], "RepoTags": ["docker.io/lab/pause:1"]}]
    assert config["rootfs"]["diff_ids"] == [images.digest_of(layer)]
