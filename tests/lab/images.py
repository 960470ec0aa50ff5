"""The images of the lab, made without any container tool: one layer, one config, one manifest each.

    ensure(state, programs, registry_push="http://10.213.1.3:5000", user="lab", password_file=Path(...), report=print)

pushes what the registry does not hold yet and returns the references:
``{"backend": "registry.example/lms/backend:dev", "backend_next": "...:2.0", "postgres_client": "...", "clickhouse_client": "...",
"curl": "..."}``.

    sandbox_archive(state)

writes the archive of the sandbox image ``docker.io/lab/pause:1`` for ``ctr -n k8s.io images import`` and returns its path;
it needs nothing but Debian's busybox-static, so it can be called before the registry stands.

``programs`` is the folder with the built parts ``lms-backend`` and ``clickhouse-client``; the rest comes from ``DEBIAN_PACKAGES``.
An image has the same digest wherever it is made of the same files (no times, no owners), so the digest says whether to push.
"""
from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin

from layout import LabError

DEBIAN_PACKAGES = ("postgresql-client-15", "busybox-static", "bash", "sed", "libc-bin", "curl")
REGISTRY = "registry.example"
SANDBOX = "docker.io/lab/pause:1"
PSQL_FOLDER = Path("/usr/lib/postgresql/15/bin")
USER = 10001  # who runs in an image unless the pod says otherwise
REQUEST_TIMEOUT = 60  # seconds

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def compact(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class RootFolder:
    """The files of an image by their path from the root, without times and owners."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for link in ("bin", "sbin", "lib", "lib64"):
            self.folder(f"usr/{link}")
            self.link(link, f"usr/{link}")
        self.folder("tmp", mode=0o1777)
        self.text("etc/passwd", f"root:x:0:0:root:/root:/bin/sh\nlab:x:{USER}:{USER}:lab:/tmp:/bin/sh\n")
        self.text("etc/group", f"root:x:0:\nlab:x:{USER}:\n")

    def _add(self, path: str, kind: bytes, mode: int, *, content: bytes = b"", target: str = "") -> None:
        parent = str(PurePosixPath(path).parent)
        if parent not in {".", *self._entries}:
            self.folder(parent)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), target
        self._entries[path] = (entry, content)

    def folder(self, path: str, *, mode: int = 0o755) -> None:
        self._add(path, tarfile.DIRTYPE, mode)

    def link(self, path: str, target: str) -> None:
        self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def text(self, path: str, text: str) -> None:
        self._add(path, tarfile.REGTYPE, 0o644, content=text.encode())

    def program(self, source: Path, path: str) -> None:
        """Add one executable, and the shared libraries that it is linked with."""
        try:
            self._add(path, tarfile.REGTYPE, 0o755, content=source.read_bytes())
        except OSError as error:
            raise LabError(
                f"{source} cannot be read ({error.strerror}): build the lab's parts, or install {', '.join(DEBIAN_PACKAGES)}"
            ) from error
        for library in libraries_of(source):
            inside = library.lstrip("/")
            self._add(inside if inside.startswith("usr/") else f"usr/{inside}", tarfile.REGTYPE, 0o755, content=Path(library).read_bytes())

    def shell(self) -> None:
        """Add bash and sed, and busybox for every other command of a shell script."""
        listed = subprocess.run(["/usr/bin/busybox", "--list"], capture_output=True, text=True, check=True)
        for applet in listed.stdout.split():
            self.link(f"usr/bin/{applet}", "busybox")
        self.program(Path("/usr/bin/busybox"), "usr/bin/busybox")  # after its own list, which names it too
        self.program(Path("/usr/bin/bash"), "usr/bin/bash")
        self.program(Path("/usr/bin/sed"), "usr/bin/sed")

    def layer(self) -> bytes:
        """The tar of all files in the order of their paths."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self._entries):
                entry, content = self._entries[path]
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def libraries_of(program: Path) -> list[str]:
    """Absolute paths of the shared libraries and the loader of a program; none for a static one."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    if "not found" in listed.stdout:
        raise LabError(f"{program} lacks a shared library on this machine: {listed.stdout.strip()}")
    return sorted(set(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listed.stdout, re.MULTILINE)))


@dataclass(frozen=True)
class Image:
    """One image: where it is kept, the tar of its files, and how it runs."""

    repository: str
    tag: str
    layer: bytes = field(repr=False)
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"{REGISTRY}/{self.repository}:{self.tag}"

    @cached_property
    def config(self) -> bytes:
        env = sorted({"PATH": "/usr/local/bin:/usr/bin:/bin", **self.env}.items())
        run = {"User": str(USER), "Env": [f"{name}={value}" for name, value in env], "Cmd": list(self.command), "WorkingDir": "/"}
        rootfs = {"type": "layers", "diff_ids": [digest_of(self.layer)]}
        return compact({"architecture": "amd64", "os": "linux", "config": run, "rootfs": rootfs})

    @cached_property
    def manifest(self) -> bytes:
        def part(kind: str, content: bytes) -> dict[str, str | int]:
            return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}

        parts = {"config": part(CONFIG_TYPE, self.config), "layers": [part(LAYER_TYPE, self.layer)]}
        return compact({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, **parts})


class Registry:
    """The few requests of the registry's HTTP API that pushing needs, with a login."""

    def __init__(self, url: str, user: str, password_file: Path) -> None:
        self.url = url.rstrip("/") + "/"
        login = f"{user}:{password_file.read_text().strip()}"
        self._authorization = "Basic " + base64.b64encode(login.encode()).decode()

    def _ask(self, method: str, path: str, *, body: bytes | None = None, kind: str = "application/octet-stream") -> dict[str, str] | None:
        """Headers of the answer, names in lower case; None where the registry says 404."""
        url = urljoin(self.url, path)
        headers = {"Authorization": self._authorization, "Accept": MANIFEST_TYPE, "Content-Type": kind}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT) as answer:
                return {name.lower(): value for name, value in answer.headers.items()}
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise LabError(f"the registry answered {error.code} ({error.reason}) to {method} {url}") from error
        except OSError as error:
            raise LabError(f"the registry at {self.url} cannot be reached: {error}") from error

    def holds(self, image: Image) -> bool:
        """Whether the image's tag stands for exactly this image."""
        answer = self._ask("HEAD", f"v2/{image.repository}/manifests/{image.tag}")
        return answer is not None and answer.get("docker-content-digest") == digest_of(image.manifest)

    def push(self, image: Image) -> None:
        for blob in (image.layer, image.config):
            self._upload(image.repository, blob)
        if self._ask("PUT", f"v2/{image.repository}/manifests/{image.tag}", body=image.manifest, kind=MANIFEST_TYPE) is None:
            raise LabError(f"the registry at {self.url} has no place for {image.reference}")

    def _upload(self, repository: str, blob: bytes) -> None:
        digest = digest_of(blob)
        if self._ask("HEAD", f"v2/{repository}/blobs/{digest}") is not None:
            return
        begun = self._ask("POST", f"v2/{repository}/blobs/uploads/", body=b"")
        if begun is None or "location" not in begun:
            raise LabError(f"the registry at {self.url} does not take uploads for {repository}")
        place = begun["location"]
        self._ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", body=blob)


def backend_images(programs: Path) -> dict[str, Image]:
    """The back end under two tags that differ in what they call themselves."""
    root = RootFolder()
    root.program(programs / "lms-backend", "usr/local/bin/lms-backend")
    root.folder("mnt/image/static")
    root.folder("etc/lms")
    layer = root.layer()
    return {
        key: Image("lms/backend", tag, layer, ("/usr/local/bin/lms-backend",), {"LMS_BACKEND_VERSION": tag})
        for key, tag in (("backend", "dev"), ("backend_next", "2.0"))
    }


def postgres_client_image() -> Image:
    root = RootFolder()
    root.shell()
    for program in ("psql", "pg_dump", "pg_restore", "pg_isready"):
        root.program(PSQL_FOLDER / program, f"usr/bin/{program}")
    return Image("tools/postgres-client", "15", root.layer(), ("/usr/bin/psql",), {"LANG": "C.UTF-8"})


def clickhouse_client_image(programs: Path) -> Image:
    root = RootFolder()
    root.shell()
    root.program(programs / "clickhouse-client", "usr/bin/clickhouse-client")
    root.link("usr/bin/clickhouse", "clickhouse-client")  # `clickhouse client` is how newer scripts write it
    return Image("tools/clickhouse-client", "1", root.layer(), ("/usr/bin/clickhouse-client",), {"LANG": "C.UTF-8"})


def curl_image() -> Image:
    """What asks public paths from inside the cluster: no shell, and no list of authorities."""
    root = RootFolder()
    root.program(Path("/usr/bin/curl"), "usr/bin/curl")
    return Image("tools/curl", "7", root.layer(), ("/usr/bin/curl",))


def ensure(
    state: Path, programs: Path, *, registry_push: str, user: str, password_file: Path, report: Callable[[str], None],
) -> dict[str, str]:
    """Push the images that the registry lacks and write the sandbox image's archive; return the references by their keys in lab.json."""
    registry = Registry(registry_push, user, password_file)
    clients = {"postgres_client": postgres_client_image(), "clickhouse_client": clickhouse_client_image(programs), "curl": curl_image()}
    images = {**backend_images(programs), **clients}
    for image in images.values():
        if not registry.holds(image):
            report(f"pushing {image.reference} ({len(image.layer) >> 20} MiB)")
            registry.push(image)
    sandbox_archive(state)
    return {key: image.reference for key, image in images.items()}


def sandbox_archive(state: Path) -> Path:
    """Write ``state/pause.tar``, the sandbox image: a busybox that sleeps."""
    root = RootFolder()
    root.program(Path("/usr/bin/busybox"), "usr/bin/busybox")
    image = Image("lab/pause", "1", root.layer(), ("/usr/bin/busybox", "sleep", "infinity"))
    files = {
        "config.json": image.config,
        "layer.tar": image.layer,
        "manifest.json": compact([{"Config": "config.json", "RepoTags": [SANDBOX], "Layers": ["layer.tar"]}]),
    }
    state.mkdir(parents=True, exist_ok=True)
    path = state / "pause.tar"
    with tarfile.open(path, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path
