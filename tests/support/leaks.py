# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for secrets where none may be: canaries, the forms that they are searched in, and every place that a run leaves text in.

A hit names the place and the canary's key, never its value.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from .archives import texts_of
from .lab import Lab

__all__ = [
    "AT_EVERY_RUN",
    "EVERY_WAY",
    "ON_SCREEN",
    "WAYS",
    "Canaries",
    "Watched",
    "Way",
    "cluster_places",
    "is_secret",
    "run_watched",
    "seen_in",
]

# Characters of base64 before the modulus of a private RSA key, whatever its length.
ALIKE_IN_KEYS = 20
LEAST = 12
SAMPLE_SECONDS = 0.03
# After how many samples the processes are looked at again that ran before the run began.
TURNS_OF_OTHERS = 30
PROC_BYTES = 1 << 16
RUN_SECONDS = 300
KINDS = (
    "configmaps,jobs,deployments,replicasets,pods,services,ingresses,endpointslices,leases,events,persistentvolumeclaims,"
    "serviceaccounts,roles,rolebindings,secrets"
)
# Keys of Secrets that open nothing: names, and what a database keeps of a password.
OPEN = ("user", "verifier", "sha256", "salt", "contacts")
# What shows a run on the screen, and the environment that makes it do so; `operator` is what playbooks/ansible.cfg names.
CALLBACKS: dict[str, dict[str, str]] = {
    "operator": {},
    "default": {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"},
    "yaml": {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    "json": {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
}
RUNNER = "ansible-runner"
# What every run fills.
AT_EVERY_RUN = frozenset({"log_path", "junit", "cache of facts", "temporary files", "command lines", "environments"})


@dataclass(frozen=True)
class Way:
    """One way of showing what a run does: a callback, further words of the command line, and whether ansible-runner keeps its artefacts."""

    callback: str
    words: tuple[str, ...] = ()
    runner: bool = False

    def __str__(self) -> str:
        return " ".join([self.callback, *self.words, *([RUNNER] if self.runner else [])])

    @property
    def sinks(self) -> frozenset[str]:
        """The sinks that such a run fills; without -v the verbosity is the default one."""
        verbosity = next((word for word in self.words if word.startswith("-v")), "default verbosity")
        return AT_EVERY_RUN | {f"callback {self.callback}", verbosity, *self.words, *([RUNNER] if self.runner else [])}


ON_SCREEN = Way("operator")
# The four by which a playbook meets every sink, the most telling one first; and all that there are.
WAYS = (Way("default", ("-vvvv", "--diff")), ON_SCREEN, Way("json", runner=True), Way("yaml", ("-v", "--check")))
EVERY_WAY = tuple(
    Way(callback, (*verbosity, *flags), runner)
    for callback, verbosity, flags, runner in itertools.product(
        CALLBACKS, ((), ("-v",), ("-vvvv",)), ((), ("--diff",), ("--check",), ("--check", "--diff")), (False, True)
    )
)


def is_secret(key: str) -> bool:
    """Return whether what a Secret has under a key opens anything."""
    return not key.endswith((*OPEN, ".crt"))


@dataclass
class Canaries:
    """Secrets by the key that a hit is told by; a key has all values that it ever had."""

    values: dict[str, set[str]] = field(default_factory=dict)

    def add(self, key: str, value: str) -> None:
        """Plant a value; of a key in PEM its modulus counts, of a token its signature: what comes before is alike in all of them."""
        body = "".join(line for line in value.splitlines() if not line.startswith("-----"))
        if value.startswith("-----BEGIN"):
            body = body[ALIKE_IN_KEYS:]
        self.values.setdefault(key, set()).add(body.rpartition(".")[2] if body.startswith("eyJ") else body)

    def add_secrets(self, lab: Lab, namespace: str, client: str = "") -> None:
        """Plant every value that lies in the Secrets of a namespace; with a client, of its own and of those that all clients share."""
        found = lab.get("secret", "", namespace).get("items", [])
        self.add_values(
            one for one in found if not client or (one["metadata"].get("labels") or {}).get("rarus.lms/client", client) == client
        )

    def add_values(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Plant every value that some Secrets hold."""
        for secret in found:
            for key, value in (secret.get("data") or {}).items():
                if is_secret(key):
                    self.add(f"{secret['metadata']['name']}/{key}", base64.b64decode(value).decode(errors="replace"))

    def needles(self) -> dict[str, set[str]]:
        """Return by key the texts that betray a value: its first 12 characters as they are, URL-encoded, in base64 at any alignment."""
        return {
            key: set().union(*(_forms(value[:LEAST]) for value in values if len(value) >= LEAST)) for key, values in self.values.items()
        }


def _forms(text: str) -> set[str]:
    raw = text.encode()
    forms = {text, quote(text, safe=""), json.dumps(text)[1:-1]}
    for before, unsure in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        forms.add(encoded[unsure : (before + len(raw)) * 8 // 6])
    return forms


def seen_in(places: Mapping[str, str], canaries: Canaries) -> list[str]:
    """Return "place: key" of every canary that a place shows."""
    needles = canaries.needles()
    return sorted(
        f"{place}: {key}" for place, text in places.items() for key, forms in needles.items() if any(form in text for form in forms)
    )


class Processes:
    """Watches, while its context lasts, the command lines of all processes, and the environments of those that descend from one."""

    def __init__(self, root: int, given: Mapping[str, str]) -> None:
        self.command_lines: set[str] = set()
        self.environments: set[str] = set()
        self._family = {root}
        self._given = {f"{name}={value}" for name, value in given.items()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        """Look at what is new in every turn, and now and then at what ran before: those are many, and change little."""
        before = _processes() - self._family
        for turn in itertools.count():
            running = _processes()
            before &= running
            for process in running if turn % TURNS_OF_OTHERS == 0 else running - before:
                self._look(process)
            if self._ended.wait(SAMPLE_SECONDS):
                return

    def _look(self, process: int) -> None:
        try:
            self.command_lines.add(_read(process, "cmdline").replace("\0", " "))
            parent = int(_read(process, "stat").rpartition(")")[2].split()[1])
            if process in self._family or parent in self._family:
                self._family.add(process)
                self.environments |= {entry for entry in _read(process, "environ").split("\0") if entry not in self._given}
        except (OSError, ValueError):
            return  # it has ended


def _processes() -> set[int]:
    with os.scandir("/proc") as entries:
        return {int(entry.name) for entry in entries if entry.name.isdigit()}


def _read(process: int, name: str) -> str:
    """Return a file of /proc's, by as few calls as can be."""
    file = os.open(f"/proc/{process}/{name}", os.O_RDONLY)
    try:
        parts = iter(lambda: os.read(file, PROC_BYTES), b"")
        return b"".join(parts).decode(errors="replace")
    finally:
        os.close(file)


@dataclass(frozen=True)
class Watched:
    """A run that was watched: what it ended with, and the text of every place that it left, by the place's name."""

    code: int
    stdout: str
    places: dict[str, str]


def run_watched(playbook: Path, words: Sequence[str], *, lab: Lab, env: Mapping[str, str], folder: Path, way: Way = ON_SCREEN) -> Watched:
    """Run a playbook with a log, JUnit's reports, a cache of facts and temporary files in a folder, and watch all of it.

    The folder may hold files already that the run is to write into or to make: they are searched too, archives by their members.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lms-") as short:
        return _run_watched(playbook, words, lab=lab, env=env, folder=folder, short=Path(short), way=way)


def _run_watched(playbook: Path, words: Sequence[str], *, lab: Lab, env: Mapping[str, str], folder: Path, short: Path, way: Way) -> Watched:
    """Run it with temporary files below a short path: Ansible makes sockets there, whose paths have at most 107 characters."""
    (short / "tmp").mkdir()
    sinks = {
        "ANSIBLE_LOG_PATH": str(folder / "log"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(folder / "junit"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
        "ANSIBLE_LOCAL_TEMP": str(short / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "TMPDIR": str(short / "tmp"),
        **CALLBACKS[way.callback],
    }
    command = ["ansible-playbook", playbook.name, *words, *way.words]
    if way.runner:
        command = _by_runner(folder / "runner", playbook, [*words, *way.words])
    given = {**os.environ, **env, **sinks}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(lab.command(*command), env=given, cwd=playbook.parent, **pipes) as run, Processes(run.pid, given) as processes:
        stdout, stderr = run.communicate(timeout=RUN_SECONDS)
    places = {
        "stdout": stdout,
        "stderr": stderr,
        "command lines": "\n".join(processes.command_lines),
        "environments": "\n".join(processes.environments),
        **dict(_files(folder, env)),
        **dict(_files(short, env)),
    }
    return Watched(run.returncode, stdout, places)


def _by_runner(private: Path, playbook: Path, words: Sequence[str]) -> list[str]:
    """Return the command line that runs a playbook by ansible-runner, its artefacts below a folder."""
    (private / "env").mkdir(parents=True)
    (private / "env" / "cmdline").write_text(" ".join(f"'{word}'" for word in words))
    project = ["--project-dir", str(playbook.parent), "-p", playbook.name]
    return [sys.executable, "-m", "ansible_runner", "run", str(private), *project]


def _files(folder: Path, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield every file below a folder, by its path there, with its text: of ansible-runner's note of the environment what was not given."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = f"file {path.relative_to(folder)}"
        if tarfile.is_tarfile(path):
            yield from ((f"{name}/{member}", text) for member, text in texts_of(path).items())
            continue
        text = path.read_text(errors="replace")
        if path.name == "command":
            noted = json.loads(text)
            noted["env"] = {variable: value for variable, value in noted["env"].items() if given.get(variable) != value}
            text = json.dumps(noted)
        yield name, text


def cluster_places(lab: Lab, namespace: str, audit_from: int) -> dict[str, str]:
    """Return what the cluster shows to those who may not read Secrets: objects, logs of pods and servers, the audit log from an offset on.

    An object's annotations and managed fields are places of their own; of Secrets only their metadata is one.
    """
    listed = lab.kubectl("get", KINDS, "--namespace", namespace, "--output", "json", "--show-managed-fields")
    places: dict[str, str] = {}
    for item in json.loads(listed)["items"]:
        places |= _parts_of(item)
    for pod in lab.get("pods", "", namespace).get("items", []):
        name = pod["metadata"]["name"]
        logs = lab.run("kubectl", "logs", name, "--namespace", namespace, "--all-containers", "--tail=1000", check=False)
        places[f"log of Pod {name}"] = logs.stdout
    with Path(lab.facts["api"]["audit_log"]).open(errors="replace") as log:
        log.seek(audit_from)
        places["audit log"] = log.read()
    places["log of ClickHouse"] = Path(lab.facts["clickhouse"]["log"]).read_text(errors="replace")
    places["log of PostgreSQL"] = Path(lab.facts["postgres"]["15"]["log"]).read_text(errors="replace")
    return places


def _parts_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return an object's text in parts: annotations, managed fields, and everything else."""
    metadata = dict(item["metadata"])
    name = f"{item['kind']} {metadata['name']}"
    parts = {
        f"annotations of {name}": json.dumps(metadata.pop("annotations", {})),
        f"managed fields of {name}": json.dumps(metadata.pop("managedFields", [])),
    }
    rest = {"metadata": metadata} if item["kind"] == "Secret" else {**item, "metadata": metadata}
    return {**parts, name: json.dumps(rest)}
