"""What one lab is: its name, its number, and where each of its files, addresses and names lies."""
from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
NODE = "lms-node"
API_PATH = "/k8s/clusters/c-lab"
CATALOGUES = ("lms-dev", "lms-prod")
SERVICES = "10.216.0.0/16"
FIRST_SERVICE = "10.216.0.1"
DNS_SERVICE = "10.216.0.10"
MAJORS = ("13", "14", "15", "16", "17", "18")  # of PostgreSQL
DEBIAN_MAJOR = "15"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"  # in the lab's own /run


class LabError(RuntimeError):
    """Something the reader can mend; the text is one sentence, followed by a log's last lines where a component failed."""


def state_root() -> Path:
    """The folder of all labs of this machine (RARUS_LMS_STATE)."""
    return Path(os.environ.get("RARUS_LMS_STATE") or "/var/lib/rarus-lms").absolute()


def cache_root() -> Path:
    """The folder of everything that is built once (RARUS_LMS_CACHE)."""
    return Path(os.environ.get("RARUS_LMS_CACHE") or Path.home() / ".cache/rarus-lms").absolute()


def state_of(name: str) -> Path:
    """The folder of the lab `name`; raises LabError if that is no name for a lab."""
    if not NAME.fullmatch(name):
        raise LabError(f"--name: {name!r} is no name for a lab; expected 1 to 20 of a-z, 0-9 and -, beginning with a letter.")
    return state_root() / "labs" / name


def identity(state: Path) -> str:
    """Eight digits that are this lab's alone among all labs of the machine, those in other root folders included.

    They follow from the folder that holds all labs (which must exist) and the lab's name, so that nothing need be written down.
    """
    labs = state.parent.stat()
    return hashlib.sha256(f"{labs.st_dev}:{labs.st_ino}:{state.name}".encode()).hexdigest()[:8]


def cgroup_of(state: Path) -> str:
    """Name of the lab's cgroup in every hierarchy."""
    return f"lms-{identity(state)}"


@dataclass(frozen=True)
class Server:
    """A real database server that a lab uses instead of one of its own, and its administrator's name; the password is a lab's secret."""

    host: str
    port: int
    user: str


@dataclass(frozen=True)
class Lab:
    """One lab. `index` (1 to 250) is free on this machine when the lab starts; it tells the lab's addresses and its interface.

    servers: real ones by kind (postgres, clickhouse); the lab runs its own for the others.
    """

    name: str
    index: int
    state: Path
    bin: Path
    majors: tuple[str, ...] = (DEBIAN_MAJOR,)
    pretended_nodes: int = 0
    servers: Mapping[str, Server] = field(default_factory=dict)

    @property
    def wire(self) -> str:
        """Name of the lab's interface on the host."""
        return f"lms{self.index}"

    @property
    def cgroup(self) -> str:
        return cgroup_of(self.state)

    def path(self, *parts: str) -> Path:
        return self.state.joinpath(*parts)

    def log(self, component: str) -> Path:
        return self.path("logs", f"{component}.log")

    def secret_file(self, name: str) -> Path:
        return self.path("secrets", name)

    def secret(self, name: str) -> str:
        return self.secret_file(name).read_text().strip()

    def address(self, host: int) -> str:
        return f"10.213.{self.index}.{host}"

    @property
    def host_address(self) -> str:
        """The host's end of the wire."""
        return self.address(1)

    @property
    def node(self) -> str:
        return self.address(2)

    @property
    def proxy(self) -> str:
        """rancher.example and registry.example by TLS."""
        return self.address(3)

    @property
    def ingress(self) -> str:
        return self.address(4)

    @property
    def clickhouse(self) -> str:
        return self.address(5)

    @property
    def silent(self) -> str:
        """An address that swallows every packet, for tests of time-outs."""
        return self.address(250)

    def postgres(self, major: str) -> str:
        return self.address(100 + int(major))

    @property
    def pods(self) -> str:
        return f"10.214.{self.index}.0/24"

    @property
    def api(self) -> str:
        """The API server without the proxy."""
        return f"https://{self.node}:6443"

    @property
    def kubeconfig(self) -> Path:
        return self.path("pki", "admin.kubeconfig")

    @property
    def ca_file(self) -> Path:
        return self.path("pki", "ca.crt")

    @property
    def addresses(self) -> list[str]:
        """Every address of the lab's end of the wire; all majors, so that one can be added later."""
        hosts = [self.node, self.proxy, self.ingress, self.clickhouse, self.silent]
        return hosts + [self.postgres(major) for major in MAJORS]

    @property
    def names(self) -> dict[str, str]:
        """Host name to address: what resolves under `exec`, on the node and in pods alike."""
        names = {"rancher.example": self.proxy, "registry.example": self.proxy, "silent.example": self.silent}
        for catalogue in CATALOGUES:
            names[f"backend.{catalogue}.example"] = self.ingress
            names[f"clickhouse.{catalogue}.example"] = self.clickhouse
            names[f"postgres.{catalogue}.example"] = self.postgres(DEBIAN_MAJOR)
        for major in MAJORS:
            names[f"postgres-{major}.example"] = self.postgres(major)
        return names
