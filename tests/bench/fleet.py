"""What a list of 10,000 clients costs, against one of ten and against curl (issue 4, section 6). Its namespaces go with the lab."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import Figure, more_than, times_as_long
from measure import Run, measure
from support.deployer import COLLECTIONS, Deployer
from support.lab import Lab

__all__ = ["long_list"]

FEW, MANY = 10, 10_000
ROUNDS = 5
MIB = 1024 * 1024


class Registry(Deployer):
    """A namespace with the records of so many clients, and a source file for them."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of its deployer."""
        options = self.options
        found = {"K8S_AUTH_HOST": options["host"], "K8S_AUTH_SSL_CA_CERT": options["ca_cert"], "K8S_AUTH_API_KEY": self.token}
        ansible = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
        return {**found, **ansible, "PYTHONPATH": str(COLLECTIONS)}

    def program(self, name: str, *words: str) -> list[str]:
        """Return the command line of a program of this folder, in the lab."""
        return self.lab.command(sys.executable, str(Path(__file__).with_name(f"{name}.py")), *words)

    def fill(self, count: int) -> None:
        """Make the namespace and its records."""
        self.prepare()
        measure(self.program("records", self.namespace, str(count)), env=self.env)

    def source(self) -> str:
        """Return the source file of its clients."""
        path = self.folder / f"{self.namespace}.lms_clients.yml"
        path.write_text(json.dumps({"plugin": "rarus.lms.clients", "registry_namespace": self.namespace}))
        return str(path)

    def read(self, way: str, what: str) -> float:
        """Return the seconds that a way of listing.py took; it must have found all clients."""
        told = json.loads(measure(self.program("listing", way, what), env=self.env).output)
        assert told["found"] >= MANY, f"{way}: found {told['found']} of {MANY}"
        return float(told["seconds"])

    def wish(self) -> dict[str, Any]:
        """Return the options of the module `client` for one more client, but for its organisation."""
        return {"namespace": self.namespace, "registry_namespace": self.namespace, "catalogue": "lms-dev"}

    def calls(self, module: str, **options: Any) -> int:
        """Return how many requests one run of a module sends."""
        audit = self.audit()
        result = self.module(module, **options)
        assert not result.get("failed"), result["msg"]
        return len(audit.requests())


def long_list(lab: Lab, folder: Path) -> Iterator[Figure]:
    """All figures of a long list."""
    few, many = Registry(lab, "bench-few", folder), Registry(lab, "bench-many", folder)
    few.fill(FEW)
    many.fill(MANY)
    yield from inventory(many)
    yield from one_of_them(few, many)


def inventory(many: Registry) -> Iterator[Figure]:
    """The inventory as a playbook reads it, and as ansible-inventory prints it."""
    source, nothing = many.source(), many.folder / "nothing.yml"
    nothing.write_text("all: {}\n")
    rounds = [(many.read("parse", source), many.read("bare", many.namespace)) for _round in range(ROUNDS)]
    ours, peer = zip(*rounds, strict=True)
    yield times_as_long(f"inventory of {MANY:,} clients, against a paged list by curl and its JSON read", ours, peer, 2.0, 1.3)
    peak = measure(many.program("listing", "parse", source), env=many.env, watch=True).peak
    yield Figure("peak memory of that inventory", round(peak / MIB), "MiB", 300, 150)

    def listed(path: str, *, watch: bool = False) -> Run:
        command = ["ansible-inventory", "-i", path, "--list", "--output", str(many.folder / "listed.json")]
        return measure(many.lab.command(*command), env=many.env, watch=watch)

    runs = [(listed(source).seconds, listed(str(nothing)).seconds) for _round in range(ROUNDS)]
    ours, peer = zip(*runs, strict=True)
    yield more_than("ansible-inventory --list of them, more than of nothing", ours, peer)
    yield Figure("peak memory of that ansible-inventory --list", round(listed(source, watch=True).peak / MIB), "MiB", 300, 150)


def one_of_them(few: Registry, many: Registry) -> Iterator[Figure]:
    """A new client, and one that is looked up, where there are many and where there are few."""
    registries = {"few": few, "many": many}
    calls = {
        name: [registry.calls("client", organisation=str(uuid.uuid4()), **registry.wish()) for _turn in range(2)]
        for name, registry in registries.items()
    }
    wishes = json.dumps({name: {**registry.options, **registry.wish()} for name, registry in registries.items()})
    program = str(Path(__file__).with_name("forming.py"))
    seconds = json.loads(many.lab.run(sys.executable, program, env=many.env, text=wishes).stdout)
    yield times_as_long(f"forming an id with {MANY:,} clients, against {FEW}", seconds["many"], seconds["few"], 1.1, 1.0)
    more = calls["many"][-1] - calls["few"][-1]
    yield Figure(f"API calls of forming an id with {MANY:,} clients, more than with {FEW}", more, "calls", 0, 0)
    gets = many.calls("client_info", client=f"C{MANY // 2}", namespace=many.namespace)
    yield Figure(f"API calls of client_info of one among {MANY:,}", gets, "calls", 1, 1)
