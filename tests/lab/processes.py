"""Components as data: how each is started inside the lab, found again, judged and described.

A start is a graph: every part begins as soon as the parts that it needs serve, side by side.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import cgroups
import commands
import network
from layout import Lab, LabError

POLL_SECONDS = 0.1
LAST_LINES = 20
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Report = Callable[[str], None]

# $0 is the log, $1 the cgroup.procs files; the rest is the command. Prints the process number as the host counts.
SPAWN = r"""
for procs in $1; do echo 0 >"$procs" || exit 1; done
shift
setsid "$@" </dev/null >>"$0" 2>&1 &
echo $!
"""


def nothing() -> None:
    """What a component prepares that needs no preparation."""


@dataclass(frozen=True)
class Component:
    """One process of the lab. `ready` is asked until it says yes, at most `seconds`; `prepare` runs before every start.

    A component that ends is given up at once, so `seconds` may be generous: a busy machine is slow.
    in_host_network: it stands in the host's network, and ends with the lab like all others.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    needs: Sequence[str] = ()
    prepare: Callable[[], None] = nothing
    user: str = "root"
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 120.0
    in_host_network: bool = False


@dataclass(frozen=True)
class Step:
    """Something done between components, at every `up`, or where `once` only by the first that comes so far. Repeatable."""

    name: str
    run: Callable[[], None]
    needs: Sequence[str] = ()
    once: bool = False


Part = Component | Step


# --- one process -------------------------------------------------------------------------------------------------------------------------

def start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat, which with the number names a process for ever; None where it runs no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def pid_of(lab: Lab, name: str) -> int | None:
    """The process number of a running component."""
    try:
        pid, started = lab.path("run", f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def spawn(lab: Lab, component: Component) -> None:
    """Start one component inside the lab's namespaces and cgroups, detached, with its output in its log."""
    component.prepare()
    holder = network.find_holders(lab.state)
    if not holder:
        raise LabError(f"lab {lab.name}: its namespaces are gone; run `down`, then `up`.")
    env = {"PATH": f"{lab.bin}:{SYSTEM_PATH}", "HOME": str(lab.state), "LANG": "C.UTF-8", **component.env}
    become = [] if component.user == "root" else ["setpriv", f"--reuid={component.user}", f"--regid={component.user}", "--init-groups"]
    command = ["env", "-i", *(f"{key}={value}" for key, value in env.items()), *become, *component.argv]
    procs = " ".join(map(str, cgroups.process_files(lab.cgroup)))
    entry = network.inside(holder[0], as_host_process=True, in_host_network=component.in_host_network)
    begin = [*entry, "sh", "-c", SPAWN, str(lab.log(component.name)), procs, *command]
    pid = int(commands.run(begin, f"{component.name} could not be started"))
    lab.path("run", f"{component.name}.pid").write_text(f"{pid} {start_time(pid)}\n")


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log)"


# --- a start -----------------------------------------------------------------------------------------------------------------------------

class Start:
    """Brings up parts side by side; the first failure ends all waiting and is the one that is told."""

    def __init__(self, lab: Lab, report: Report) -> None:
        self.lab = lab
        self.report = report
        self._over = threading.Event()

    def run(self, parts: Sequence[Part]) -> None:
        """Start `parts`, each listed after the ones that it needs. Raises LabError with the failed component's last lines."""
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            for part in parts:
                futures[part.name] = pool.submit(self._one, part, [futures[name] for name in part.needs])
            try:
                for future in as_completed(futures.values()):
                    future.result()
            finally:
                self._over.set()

    def _one(self, part: Part, needed: list[Future[None]]) -> None:
        for future in needed:
            future.result()
        if self._over.is_set():
            return
        begun = time.monotonic()
        acted = self._perform(part) if isinstance(part, Step) else self._bring_up(part)
        if acted:
            self.report(f"{part.name:<22}{time.monotonic() - begun:5.1f} s")

    def _perform(self, step: Step) -> bool:
        done = self.lab.path("run", f"{step.name.replace(' ', '-')}.done")
        if step.once and done.exists():
            return False
        step.run()
        done.touch()
        return True

    def _bring_up(self, component: Component) -> bool:
        """Start the component unless it runs, and wait until it serves; whether it was started."""
        running = pid_of(self.lab, component.name) is not None
        if not running:
            spawn(self.lab, component)
        if not wait_until(component.ready, component.seconds, lambda: self._hoping(component)) and not self._over.is_set():
            ended = pid_of(self.lab, component.name) is None
            why = "ended" if ended else f"did not serve within {component.seconds:.0f} s"
            log = self.lab.log(component.name)
            raise LabError(f"{component.name} {why}; the last lines of {log}:\n{last_lines(log)}")
        return not running

    def _hoping(self, component: Component) -> bool:
        return not self._over.is_set() and pid_of(self.lab, component.name) is not None


def wait_until(ready: Callable[[], bool], seconds: float, hoping: Callable[[], bool]) -> bool:
    """Poll `ready` for at most `seconds`; false when they are over, or as soon as `hoping` says that it never will be."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline or not hoping():
            return False
        time.sleep(POLL_SECONDS)
    return True


# --- what runs ---------------------------------------------------------------------------------------------------------------------------

def parents() -> dict[int, int]:
    """Every process of the machine: number to its parent's."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return found


def memory_by_component(lab: Lab, names: Sequence[str]) -> dict[str, int]:
    """Memory in KiB of each running component with its children; what belongs to none (containers and their shims) stands under `pods`."""
    holders = network.find_holders(lab.state)
    owners = {pid: name for name in names if (pid := pid_of(lab, name)) is not None}
    tree = parents()
    found: dict[str, int] = {}
    for pid in tree:
        chain = [pid]
        while chain[-1] in tree and chain[-1] not in owners and chain[-1] not in holders:
            chain.append(tree[chain[-1]])
        if chain[-1] in owners or (chain[-1] in holders and len(chain) > 1):
            name = owners.get(chain[-1], "pods")
            found[name] = found.get(name, 0) + memory_kib(pid)
    return found


def memory_kib(pid: int) -> int:
    """Proportional memory of one process: pages that several share count once in the sum."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0
