"""The lab's own world: one process that holds its network, mount and process namespaces, and one wire to the host.

Every process of the lab, containers included, lives in these namespaces. So one kill of the holder ends them all, and the kernel
takes their mounts, interfaces and iptables rules with them, whatever became of the program that started them.
"""
from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import commands
from layout import SERVICES, Lab, LabError, identity

LAST_INDEX = 250
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 10.0
NOT_SET_UP = "the lab's network could not be set up"

# What the kubelet would set for the whole machine is covered by files that say "already so".
SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

# $1 is the lab's folder, $2 the holder's name among the processes. Runs as process 1 of the new namespaces.
HOLDER = r"""
set -e
mount -t proc proc /proc
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/mounts/kubelet" /var/lib/kubelet
mount --bind "$1/mounts/cni" /var/lib/cni
mount -t tmpfs -o mode=755 lab /var/log
for file in "$1"/mounts/sysctl/*; do
    name=${file##*/}
    mount --bind "$file" "/proc/sys/$(echo "$name" | tr . /)"
done
mount -t tmpfs -o mode=755 lab /run
mkdir /run/lock
trap '' CHLD
cd /
exec -a "$2" sleep infinity
"""
# A first child in a new process namespace is its process 1; $! is its number as the host counts.
START_HOLDER = 'bash -c "$1" lab "$2" "$3" </dev/null >>"$2/logs/holder.log" 2>&1 & echo $!'


def holder_title(state: Path) -> str:
    """The name under which the holder of the lab in `state` is found, even where nothing was written down."""
    return f"rarus-lms-lab:{identity(state)}:{state}"


def find_holders(state: Path) -> list[int]:
    """Process numbers of the holder of the lab in `state`: one of a running lab; none otherwise."""
    title = holder_title(state).encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if title in (command[0], *command[-2:-1]):
                found.append(int(folder.name))
    return found


def start_holder(state: Path) -> int:
    """Make the namespaces of the lab in `state`, and return their holder's process number."""
    for folder in ("logs", "mounts/kubelet", "mounts/cni", "mounts/sysctl"):
        state.joinpath(folder).mkdir(parents=True, exist_ok=True)
    for mountpoint in ("/var/lib/kubelet", "/var/lib/cni"):
        Path(mountpoint).mkdir(parents=True, exist_ok=True)
    state.joinpath("hosts").touch()
    for name, value in SYSCTLS.items():
        state.joinpath("mounts/sysctl", name.replace("/", ".")).write_text(f"{value}\n")
    title = holder_title(state)
    unshare = ["unshare", "--net", "--mount", "--pid", "--propagation", "private", "--"]
    begin = [*unshare, "setsid", "sh", "-c", START_HOLDER, "sh", HOLDER, str(state), title]
    pid = int(commands.run(begin, "the lab's namespaces could not be made"))
    _wait_for_title(pid, title, state)
    return pid


def _wait_for_title(pid: int, title: str, state: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _runs(pid) and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title.encode()):
            return
        time.sleep(POLL_SECONDS)
    raise LabError(f"the holder of the lab's namespaces did not start:\n{(state / 'logs/holder.log').read_text()}")


def inside(pid: int, *, as_host_process: bool = False, in_host_network: bool = False) -> list[str]:
    """The beginning of a command line that runs the rest in the lab's namespaces.

    With `as_host_process` the command itself keeps the host's numbering, and only its children are the lab's: it learns their
    numbers as the host counts. Such a command cannot have threads. With `in_host_network` it stays in the host's network.
    """
    kept = [*(["--no-fork"] if as_host_process else []), f"--target={pid}", *([] if in_host_network else ["--net"])]
    return ["nsenter", *kept, "--mount", "--pid", "--root", "--"]


def connect(pid: int) -> int:
    """Lay the wire between the host and the namespaces of `pid`; return the index that was free.

    The host's end is named lmsN: making it is what claims N, so two labs that start at once never get the same.
    """
    taken = commands.run(["ip", "-4", "route", "show"], "the routes of this machine could not be read")
    for index in range(1, LAST_INDEX + 1):
        if f"10.213.{index}." in taken:
            continue
        wire = ["ip", "link", "add", f"lms{index}", "type", "veth", "peer", "name", "wire", "netns", str(pid)]
        made = commands.attempt(wire)
        if made.returncode == 0:
            return index
        if "File exists" not in made.stderr:
            raise LabError(f"the wire lms{index} to the lab could not be made: {made.stderr.strip()}.")
    raise LabError(f"no free number for a lab: 10.213.1.0/24 to 10.213.{LAST_INDEX}.0/24 are all in use; end a lab with `down`.")


def configure(lab: Lab, pid: int) -> None:
    """Give both ends of the wire their addresses, write the hosts file, and let packets pass inside."""
    _batch([], [f"addr add {lab.host_address}/24 dev {lab.wire}", f"link set {lab.wire} up"])
    # Pods leave through their bridge alone: what the lab does not have is unreachable at once, instead of a time-out.
    lines = ["link set lo up", *(f"addr add {address}/24 dev wire" for address in lab.addresses), "link set wire up"]
    _batch(inside(pid), [*lines, f"route add {SERVICES} via {lab.host_address}"])
    settings = {"net/ipv6/conf/all/disable_ipv6": 1, "net/ipv4/ip_forward": 1, "net/bridge/bridge-nf-call-iptables": 1}
    script = "".join(f"if [ -e /proc/sys/{name} ]; then echo {value} >/proc/sys/{name}; fi\n" for name, value in settings.items())
    # Before any chain of Kubernetes': what NetworkPolicies let pass would be answered.
    script += f"iptables -w -t mangle -A PREROUTING -d {lab.silent} -j DROP\n"
    commands.run([*inside(pid), "sh", "-ec", script], NOT_SET_UP)
    write_hosts(lab)


def write_hosts(lab: Lab) -> None:
    """The host's own /etc/hosts followed by the lab's names, in place: it is already mounted inside."""
    own = Path("/etc/hosts").read_text() if Path("/etc/hosts").exists() else "127.0.0.1 localhost\n"
    lab.path("hosts").write_text(own.rstrip("\n") + "\n" + "".join(f"{address} {name}\n" for name, address in lab.names.items()))


def _batch(prefix: list[str], lines: list[str]) -> None:
    commands.run([*prefix, "ip", "-batch", "-"], NOT_SET_UP, text="\n".join(lines) + "\n")


def end(state: Path) -> None:
    """End every process of the lab and its wire, and wait until they are gone. Repeatable; need not know how far the start came."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    killed: set[int] = set()
    unseen = 0
    while unseen < 2:  # a process that is just becoming another program has no name for a moment
        for pid in find_holders(state):
            commands.attempt(["nsenter", f"--target={pid}", "--net", "--", "ip", "link", "del", "wire"])  # the host's end goes with it
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        left = {pid for pid in killed if _runs(pid)}  # the last to go: the kernel lets the others end first
        unseen = 0 if left else unseen + 1
        if time.monotonic() > deadline:
            raise LabError(f"processes of the lab did not end: {sorted(left)}; look for one in state D with `ps`.")
        time.sleep(POLL_SECONDS)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
