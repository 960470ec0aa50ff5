"""Measure what issue 3 asks for, on a lab of its own: a table on standard output, and latest.json beside this file.

A lower value is better. `ours` and `peer` come from the same run, alternating, so that their difference holds on any machine.
latest.json is a list of {"name", "value", "unit", "must", "aim", "ours", "peer"}; ours and peer are null where a figure stands alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from in_venv import CACHE
from measure import Run, measure
from peer import apply_by_kubectl
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared, start, stop

NAME = "bench"
ROUNDS = 3
MIB = 1024 * 1024
LATEST = Path(__file__).with_name("latest.json")
EMPTY = [{"name": "Nothing at all", "hosts": "lms_catalogues", "gather_facts": False, "tasks": []}]


@dataclass(frozen=True)
class Figure:
    """One line of the table; must and aim bound value from above."""

    name: str
    value: float
    unit: str
    must: float
    aim: float
    ours: float | None = None
    peer: float | None = None


def compared(name: str, ours: list[Run], peer: list[Run], must: float, aim: float) -> Figure:
    """Return the difference of two medians in seconds."""
    mine, theirs = (statistics.median(run.seconds for run in runs) for runs in (ours, peer))
    return Figure(name, round(mine - theirs, 2), "s", must, aim, round(mine, 2), round(theirs, 2))


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
    yield compared("provisioning of a client, more than kubectl apply of the same objects", ours, peer, 3.5, 2.0)
    yield compared("second run with nothing to change, more than an empty playbook", again, nothing, 1.5, 0.7)
    peak = provision(prepared, "C199", watch=True).peak
    yield Figure("peak memory of one provisioning on the controller", round(peak / MIB), "MiB", 250, 150)


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
    """What the last `make clean-room` of this machine took from an empty cache, where there was one."""
    bounds = {"demo": (30, 20), "test": (60, 35)}
    kept = CACHE / "clean-room.json"
    for target, seconds in (json.loads(kept.read_text()) if kept.exists() else {}).items():
        if target in bounds:
            yield Figure(f"make {target}, from an empty cache", round(seconds / 60, 1), "min", *bounds[target])


def table(figures: list[Figure]) -> str:
    """Return the figures as a table for people."""
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    rows = [("what", "value", "unit", "must", "aim", "ours", "peer", "")]
    rows += [
        (f.name, text(f.value), f.unit, text(f.must), text(f.aim), text(f.ours), text(f.peer), "ok" if f.value <= f.must else "ABOVE")
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main() -> None:
    lab = start(NAME)
    try:
        figures = [idle_lab()]
        with tempfile.TemporaryDirectory() as folder:
            figures += one_client(lab, lab.prepare(), Path(folder))
    finally:
        stop(NAME)
    figures += [warm_demo(), *from_the_clean_room()]
    LATEST.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    print(table(figures))
    if any(figure.value > figure.must for figure in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
