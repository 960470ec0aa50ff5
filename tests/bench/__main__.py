"""Measure what issues 3 to 5 ask for, on a lab of its own: a table on standard output, and latest.json beside this file.

Parts named on the command line are measured alone, for a look; latest.json is of whole runs only.

A lower value is better. `ours` and `peer` come from the same run, alternating, so that their difference holds on any machine.
latest.json is a list of {"name", "value", "unit", "must", "aim", "ours", "peer"}; ours and peer are null where a figure stands alone,
must and aim where it is only told, value where it was not measured. What takes too long for a bench is what other runs have kept: `make
clean-room` and `make clean-room ARGS=test` their times, `make test` and `make soak` their kills.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "playbooks" / "collections"))

from figures import Figure, more_than, table
from fleet import long_list
from in_venv import CACHE
from measure import Run, measure
from peer import apply_by_kubectl
from status import named_right, verdicts
from support.client_objects import referring
from support.deployer import Deployer, audit_of
from support.kills import kills
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared, start, stop

NAME = "bench"
ROUNDS = 3
PARTS = ["client", "list", "verdict", "causes", "demo"]
MIB = 1024 * 1024
KILLS_MUST, KILLS_AIM = 100, 1_000
LATEST = Path(__file__).with_name("latest.json")
EMPTY = [{"name": "Nothing at all", "hosts": "lms_catalogues", "gather_facts": False, "tasks": []}]


def provision(prepared: Prepared, client: str, *, watch: bool = False) -> Run:
    """Provision one client as an operator would."""
    command = ["ansible-playbook", "provision_client.yml", "-e", f"client={client}"]
    return measure(prepared.lab.command(*command), env=prepared.env, cwd=PLAYBOOKS, watch=watch)


def one_client(lab: Lab, prepared: Prepared, folder: Path) -> Iterator[Figure]:
    """A new client, and one with nothing to change."""
    ours, peer, again, nothing = [], [], [], []
    playbook = folder / "empty.yml"
    playbook.write_text(json.dumps(EMPTY))
    empty = lab.command("ansible-playbook", str(playbook), "-i", str(prepared.inventory))
    for number in range(1, ROUNDS + 1):
        client = f"C{100 + number}"
        ours.append(provision(prepared, client))
        peer.append(apply_by_kubectl(lab, prepared, client, f"C{200 + number}", folder))
        again.append(provision(prepared, client))
        nothing.append(measure(empty, cwd=PLAYBOOKS))
    first, then = ([run.seconds for run in runs] for runs in (ours, peer))
    yield more_than("provisioning of a client, more than kubectl apply of the same objects", first, then, 3.5, 2.0)
    second, bare = ([run.seconds for run in runs] for runs in (again, nothing))
    yield more_than("second run with nothing to change, more than an empty playbook", second, bare, 1.5, 0.7)
    peak = provision(prepared, "C199", watch=True).peak
    yield Figure("peak memory of one provisioning on the controller", round(peak / MIB), "MiB", 250, 150)
    yield credentials(prepared, "C199", folder)


def credentials(prepared: Prepared, client: str, folder: Path) -> Figure:
    """What `credentials` asks the API of a client that has everything, with the Secret that every client of a catalogue refers to."""
    deployer = Deployer(prepared.lab, prepared.namespace, folder, prepared.env["K8S_AUTH_API_KEY"])
    audit = audit_of(prepared)
    asked = referring(client, "sms4b")
    result = deployer.module("credentials", client=client, namespace=prepared.namespace, recorded="made", requests=asked)
    assert not (result.get("failed") or result["changed"]), result.get("msg", "credentials changed something")
    return Figure("API calls of credentials when all exist", len(audit.requests()), "calls", 2, 1)


def idle_lab() -> Figure:
    """The memory of a lab that nobody uses, by its own account."""
    status = measure([sys.executable, str(ROOT / "tests/lab"), "status", "--name", NAME]).output
    used = next(line.split()[1] for line in status.splitlines() if line.startswith("all "))
    return Figure("memory of the lab, idle", float(used), "MiB", 2.5 * 1024, 1.5 * 1024)


def warm_demo() -> Figure:
    """`make demo` with everything built and no lab running."""
    stop("demo")
    seconds = measure(["make", "demo"], cwd=ROOT).seconds
    stop("demo")
    return Figure("make demo, warm", round(seconds), "s", 90, 45)


def from_the_clean_room() -> Iterator[Figure]:
    """What the last `make clean-room` of this machine took from an empty cache."""
    kept = CACHE / "clean-room.json"
    seconds = json.loads(kept.read_text()) if kept.exists() else {}
    for target, bounds in {"demo": (30, 20), "test": (60, 35)}.items():
        taken = round(seconds[target] / 60, 1) if target in seconds else None
        yield Figure(f"make {target}, from an empty cache", taken, "min", *bounds)


def random_kills() -> Iterator[Figure]:
    """What became of the random kills that the last `make test` and `make soak` of this machine have made."""
    made, well = kills()
    yield Figure("random kills that did not end well", made - well if made else None, "kills", 0, 0, made - well, made)
    missing = max(0, KILLS_AIM - well) if made else None
    yield Figure(f"random kills that ended well, fewer than {KILLS_AIM:,}", missing, "kills", KILLS_AIM - KILLS_MUST, 0, well, KILLS_AIM)


def on_the_lab(folder: Path, parts: Sequence[str]) -> Iterator[Figure]:
    """What is measured on one lab: it itself, one client, and a long list of them."""
    lab = start(NAME)
    try:
        yield idle_lab()
        if "client" in parts:
            yield from one_client(lab, lab.prepare(), folder)
        if "list" in parts:
            yield from long_list(lab, folder)
    finally:
        stop(NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default")
    parts = parser.parse_args().parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        if {"client", "list"} & set(parts):
            figures += on_the_lab(Path(folder), parts)
        if "verdict" in parts:
            figures += verdicts(Path(folder))
        if "causes" in parts:
            figures += named_right(Path(folder))
    if "demo" in parts:
        figures += [warm_demo(), *from_the_clean_room(), *random_kills()]
    if parts == PARTS:
        LATEST.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    print(table(figures))
    if not all(figure.holds for figure in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
