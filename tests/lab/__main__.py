"""A whole Kubernetes with real databases, started by one command and taken away by another: python3 tests/lab VERB [--name NAME]."""
from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import build
import cgroups
import cluster
import databases
import images
import locks
import machine
import network
import packages
import pki
import processes
import publish
from layout import API_PATH, CATALOGUES, DEBIAN_MAJOR, MAJORS, Lab, LabError, Server, cgroup_of, state_of
from processes import Component, Part

LOG_LINES = 60
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 10.0


def report(line: str) -> None:
    """Print a line in one piece: parts start side by side, and print() would write the line and its end apart."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# --- the lab as it was written down -------------------------------------------------------------------------------------------------------

def load(name: str) -> Lab | None:
    """The lab as `up` wrote it down; None where there is none."""
    state = state_of(name)
    try:
        written = json.loads((state / "settings.json").read_text())
    except (OSError, ValueError):
        return None
    servers = {kind: Server(**server) for kind, server in written["servers"].items()}
    return Lab(name, written["index"], state, Path(written["bin"]), tuple(written["majors"]), written["pretended_nodes"], servers)


def save(lab: Lab) -> None:
    settings: dict[str, Any] = {"index": lab.index, "bin": str(lab.bin), "majors": lab.majors, "pretended_nodes": lab.pretended_nodes}
    settings["servers"] = {kind: asdict(server) for kind, server in lab.servers.items()}
    write_whole(lab.path("settings.json"), settings)


def write_whole(path: Path, document: object) -> None:
    """Write JSON so that a reader sees the old text or the new, never a half."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2) + "\n")
    partial.rename(path)


def running(name: str) -> Lab:
    lab = load(name)
    if lab is None or not network.find_holders(lab.state):
        raise LabError(f"lab {name} does not run; start it with `python3 tests/lab up --name {name}`.")
    return lab


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one `up` or `down` of a lab at a time do its work; the lock goes with its process."""
    with locks.held(state_of(name).parent / f".{name}.lock"):
        yield


# --- up ----------------------------------------------------------------------------------------------------------------------------------

def up(name: str, majors: list[str], pretended_nodes: int, addresses: dict[str, str]) -> None:
    begun = time.monotonic()
    given = {kind: databases.server_given(kind, address) for kind, address in addresses.items() if address}
    servers = {kind: server for kind, (server, _password) in given.items()}
    with locked(name):
        known = load(name)
        alive = known is not None and bool(network.find_holders(known.state))
        if known and alive and servers and servers != dict(known.servers):
            raise LabError(f"lab {name} runs with other databases; take it down first: `python3 tests/lab down --name {name}`.")
        if not alive:
            machine.check_room(machine.facts())
        wanted = sorted({DEBIAN_MAJOR, *majors, *(known.majors if known and alive else ())})
        nodes = max(pretended_nodes, known.pretended_nodes if known and alive else 0)
        packages.ensure(report=report)
        databases.ensure_engine(report)
        bin_folder = build.ensure(needed_parts(wanted, nodes), report=report)
        lab = known if known and alive else replace(begin(name, bin_folder), servers=servers)
        lab = replace(lab, bin=bin_folder, majors=tuple(wanted), pretended_nodes=nodes)
        save(lab)
        start(lab, {databases.admin_secret(kind): password for kind, (_server, password) in given.items()})
    report(f"lab {name} serves after {time.monotonic() - begun:.1f} s; {lab.path('lab.json')} says where everything is")


def needed_parts(majors: list[str], pretended_nodes: int) -> list[str]:
    """The parts of tests/lab/parts and the further PostgreSQL majors that a lab of these settings runs."""
    return [*build.EVERY_LAB, *(["kwok"] if pretended_nodes else []), *(f"postgres-{major}" for major in majors if major != DEBIAN_MAJOR)]


def begin(name: str, bin_folder: Path) -> Lab:
    """Make the namespaces, the wire and the cgroups of a new lab; what an earlier one of that name left is taken away first."""
    state = state_of(name)
    take_away(state)
    holder = network.start_holder(state)
    index = network.connect(holder)
    lab = Lab(name, index, state, bin_folder)
    save(lab)
    network.configure(lab, holder)
    cgroups.create(lab.cgroup)
    return lab


def start(lab: Lab, given: Mapping[str, str]) -> None:
    """Bring up every part that does not run, and write lab.json; given are secrets that are not the lab's to make."""
    for folder in ("run", "logs"):
        lab.path(folder).mkdir(exist_ok=True)
    make_secrets(lab, given)
    pki.ensure(lab)
    references: dict[str, str] = {}

    def push_images() -> None:
        references.update(images.ensure(
            lab.state, lab.bin, registry_push=publish.registry_url(lab), user=publish.REGISTRY_USER,
            password_file=lab.secret_file(publish.REGISTRY_SECRET), report=report,
        ))

    processes.Start(lab, report).run(parts_of(lab, push_images))
    write_whole(lab.path("lab.json"), describe(lab, references))


def parts_of(lab: Lab, push_images: Callable[[], None] = processes.nothing) -> list[Part]:
    return [*databases.parts(lab), *cluster.parts(lab), *publish.parts(lab, push_images)]


def make_secrets(lab: Lab, given: Mapping[str, str]) -> None:
    """Keep those that were given, and make the passwords that do not exist yet, each in a file of mode 0600, without a newline."""
    lab.path("secrets").mkdir(mode=0o700, exist_ok=True)
    for name in [*databases.secret_names(lab), publish.REGISTRY_SECRET]:
        file = lab.secret_file(name)
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(given.get(name) or secrets.token_urlsafe(24))


def describe(lab: Lab, references: dict[str, str]) -> dict[str, Any]:
    """The content of lab.json (docs/lab-contract.md)."""
    pki_folder = lab.path("pki")
    return {
        "name": lab.name,
        "bin": str(lab.bin),
        "names": lab.names,
        "api": {
            "root_url": f"https://rancher.example{API_PATH}",
            "ca_file": str(lab.ca_file),
            "kubeconfig": str(lab.kubeconfig),
            "audit_log": str(lab.path("audit.log")),
        },
        "ingress": {
            "ip": lab.ingress,
            "ca_file": str(lab.ca_file),
            "cert_file": str(pki_folder / "public.crt"),
            "key_file": str(pki_folder / "public.key"),
            "hosts": [f"backend.{catalogue}.example" for catalogue in CATALOGUES],
            "gateway": {"namespace": "gateway", "name": "public"},
        },
        "registry": {
            "host": "registry.example",
            "user": publish.REGISTRY_USER,
            "password_file": str(lab.secret_file(publish.REGISTRY_SECRET)),
            "push_url": publish.registry_url(lab),
        },
        "images": references,
        "postgres": {major: databases.describe_postgres(lab, major) for major in lab.majors},
        "clickhouse": databases.describe_clickhouse(lab),
    }


# --- down --------------------------------------------------------------------------------------------------------------------------------

def down(name: str) -> None:
    with locked(name):
        take_away(state_of(name))
    report(f"lab {name} is gone")


def take_away(state: Path) -> None:
    """End and remove everything of the lab in `state`, however far its start came. Leaves the locks and the cache."""
    network.end(state)
    cgroups.remove(cgroup_of(state))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while state.exists():
        shutil.rmtree(state, ignore_errors=time.monotonic() < deadline)


# --- looking at it -----------------------------------------------------------------------------------------------------------------------

def status(name: str) -> int:
    """One line a component; 0 if all of them serve."""
    lab = running(name)
    components = [part for part in parts_of(lab) if isinstance(part, Component)]
    memory = processes.memory_by_component(lab, [component.name for component in components])
    worst = 0
    for component in components:
        pid = processes.pid_of(lab, component.name)
        state = "not running" if pid is None else "serves" if component.ready() else "does not answer"
        worst |= state != "serves"
        report(f"{component.name:<20}{pid or '-':>8}{memory.get(component.name, 0) / 1024:9.0f} MiB  {state}")
    for namespace, deployment in cluster.DEPLOYMENTS:
        serving = cluster.serves(lab, namespace, deployment)
        worst |= not serving
        report(f"{deployment:<20}{'pod':>8}{'':>9}      {'serves' if serving else 'does not answer'}")
    report(f"{'pods':<20}{'':>8}{memory.get('pods', 0) / 1024:9.0f} MiB")
    report(f"{'all':<20}{'':>8}{sum(memory.values()) / 1024:9.0f} MiB")
    return int(worst)


def execute(name: str, command: list[str]) -> None:
    """Become `command`, with the lab's names in /etc/hosts (of this process and its children only)."""
    lab = running(name)
    if not command:
        raise LabError("exec: no command given; write it behind two dashes: `exec -- kubectl get pods`.")
    argv = ["sh", str(Path(__file__).with_name("inside.sh")), str(lab.state), str(lab.bin), *command]
    os.execvp(argv[0], argv)


def logs(name: str, component: str) -> None:
    lab = load(name)
    if lab is None:
        raise LabError(f"lab {name} does not exist; `up` makes it.")
    pods = {deployment: namespace for namespace, deployment in cluster.DEPLOYMENTS}
    if component in pods:
        report(cluster.kubectl(lab, "-n", pods[component], "logs", f"deployment/{component}", f"--tail={LOG_LINES}"))
        return
    known = sorted([*(file.stem for file in lab.path("logs").glob("*.log")), *pods])
    if component not in known:
        raise LabError(f"logs: {component!r} is no component of lab {name}; there are {', '.join(known)}.")
    report(processes.last_lines(lab.log(component), LOG_LINES))


# --- the command line --------------------------------------------------------------------------------------------------------------------

def majors_of(text: str) -> list[str]:
    majors = text.split(",")
    if not set(majors) <= set(MAJORS):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of PostgreSQL majors; expected some of {','.join(MAJORS)}")
    return majors


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 tests/lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    about = {
        "up": "start the lab, or what is missing of it",
        "down": "end it and take everything away",
        "status": "one line a component",
        "exec": "run a command with the lab's names",
        "logs": "the last lines of a component",
        "build": "build parts into the cache and stop",
    }
    sub = {verb: verbs.add_parser(verb, help=text) for verb, text in about.items()}
    for verb, one in sub.items():
        if verb != "build":
            one.add_argument("--name", default="dev", help="the lab's name (default: dev)")
    sub["up"].add_argument("--postgres", type=majors_of, default=[], metavar="MAJORS", help="further PostgreSQL majors, such as 13,16,18")
    sub["up"].add_argument("--kwok", type=int, default=0, metavar="N", help="nodes that only pretend")
    for kind in ("postgres", "clickhouse"):
        about_it = f"a real server instead of the lab's own; its administrator's login in LMS_LAB_{kind.upper()}_USER and _PASSWORD"
        sub["up"].add_argument(f"--{kind}-at", default="", metavar="HOST[:PORT]", help=about_it)
    sub["exec"].add_argument("command", nargs=argparse.REMAINDER, help="behind two dashes")
    sub["logs"].add_argument("component")
    sub["build"].add_argument("parts", nargs="*", metavar="PART", help="by default all that make test needs")
    return parser.parse_args(argv)


def perform(given: argparse.Namespace) -> int:
    machine.check_kind(machine.facts())
    if given.verb == "up":
        up(given.name, given.postgres, given.kwok, {"postgres": given.postgres_at, "clickhouse": given.clickhouse_at})
    elif given.verb == "down":
        down(given.name)
    elif given.verb == "status":
        return status(given.name)
    elif given.verb == "exec":
        execute(given.name, [word for number, word in enumerate(given.command) if (number, word) != (0, "--")])
    elif given.verb == "logs":
        logs(given.name, given.component)
    elif given.verb == "build":
        packages.ensure(report=report)
        if not given.parts:
            databases.ensure_engine(report)
        report(str(build.ensure(given.parts or build.BEFOREHAND, report=report)))
    return 0


def main() -> int:
    given = arguments(sys.argv[1:])
    try:
        return perform(given)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; `up` goes on from here, `down` takes away what stands.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
