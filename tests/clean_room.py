"""Prove the README on a bare Debian 12: a root folder made by debootstrap, and `make demo` in a fresh clone; then all of it is taken away.

python3 tests/clean_room.py [TARGET...]: TARGETs of make instead of `demo demo` (the second one shows what a warm start costs). As root.
The room has its own mounts, and sees nothing of this machine's files but its kernel and the settings of its network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from in_venv import CACHE

SOURCE = Path(__file__).resolve().parent.parent
HERE = Path(os.environ.get("RARUS_LMS_CLEAN_ROOM") or "/var/lib/rarus-lms-clean-room")
CHECKOUT = Path("/root/rarus.lms")
# The labs of the room lie elsewhere than this machine's, since both look for theirs among the same processes.
STATE = Path("/var/lib/rarus-lms-in-clean-room")
PACKAGES = ("git", "make", "python3")
# How this machine reaches the network: names, proxies, certificates, mirrors.
NETWORK_FILES = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs", "usr/local/share/ca-certificates")
NETWORK_VARIABLES = re.compile(
    r"(?i)(https?|all|no)_proxy|pip_(?!find_links).*|go(proxy|sumdb|nosumdb|noproxy|private|flags)|ssl_cert_.*|.*_ca_bundle"
)
ENTER = """
set -e
mount --bind "$1" "$1"
cd "$1"
for folder in proc sys dev; do mount --rbind "/$folder" "$folder"; done
mkdir -p old
pivot_root . old
umount -l /old
shift
cd /
exec "$@"
"""
# What a demo says that makes anything, and what one says that changes nothing.
BUILDS = re.compile(r"^(virtualenv: |installing |fetching |building |pushing |.*: built in |.* is new: ).*$", re.MULTILINE)
UNCHANGED = re.compile(r"^C[0-9]+ is ready, nothing changed ", re.MULTILINE)
END_SECONDS = 30.0
POLL_SECONDS = 0.1


def mirror() -> str:
    """Return the mirror of Debian 12 that this machine uses; "" for debootstrap's own choice."""
    command = ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next((line.split()[1] for line in listed.splitlines() if line.startswith("bookworm ")), "")


def build(room: Path) -> None:
    """Make the root folder: Debian 12, nothing more, then the packages that the README asks for, by apt as a person would."""
    if not shutil.which("debootstrap"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "debootstrap"], check=True)
    command = ["debootstrap", "--variant=minbase", "bookworm", str(room), *([mirror()] if mirror() else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for name in NETWORK_FILES:
        source, target = Path("/") / name, room / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copyfile(source, target)
    inside(room, "apt-get", "update", "-qq")
    inside(room, "apt-get", "install", "-y", "-qq", *PACKAGES, quiet=True)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(SOURCE), str(room / CHECKOUT.relative_to("/"))], check=True)


def inside(room: Path, *command: str, quiet: bool = False) -> str:
    """Run a command with the room as its whole world of files; return what it said, which is shown as it comes unless quiet."""
    kept = {name: value for name, value in os.environ.items() if NETWORK_VARIABLES.fullmatch(name)}
    environment = {
        **kept,
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "RARUS_LMS_STATE": str(STATE),
    }
    whole = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter", str(room), *command]
    said: list[str] = []
    with subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            for line in running.stdout or ():
                said.append(line)
                if not quiet:
                    print(line, end="", flush=True)
            running.wait()
        finally:
            running.kill()
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, whole)
    return "".join(said)


def make(room: Path, *words: str) -> str:
    """Run make in the room's clone; return what it said. Ends the program when it fails."""
    try:
        return inside(room, "make", "--directory", str(CHECKOUT), *words)
    except subprocess.CalledProcessError as error:
        sys.exit(f"clean room: make {' '.join(words)} failed with exit code {error.returncode}.")


def unlike_a_second(said: str) -> str:
    """Return what shows that a demo was not one that builds nothing and changes nothing; empty where nothing does."""
    built = BUILDS.search(said)
    if built:
        return f"it says {built[0].strip()!r}"
    return "" if UNCHANGED.search(said) else "it does not say that nothing changed"


def living() -> list[int]:
    """Return the processes that were started in a room and have not ended; those of its labs' containers end with their lab."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"RARUS_LMS_STATE={STATE}\0".encode() in environment:
            found.append(int(process.name))
    return found


def take_away(room: Path) -> None:
    """End what the room left running, and remove its folder; nothing of it is mounted out here."""
    for pid in living():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while living() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if left := living():
        sys.exit(f"clean room: processes {left} do not end; {room} is left as it is.")
    shutil.rmtree(room)
    room.parent.rmdir()


def keep(seconds: Sequence[tuple[str, float]], kept: Path = CACHE / "clean-room.json") -> None:
    """Keep for `make bench` how long each target took: the first, from an empty cache, by its name, and others by what came before."""
    targets = [target for target, _taken in seconds]
    names = [" after ".join(reversed(targets[: number + 1])) for number in range(len(targets))]
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({**figures, **{name: taken for name, (_target, taken) in zip(names, seconds, strict=True)}}) + "\n")


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("clean room: only root may make one.")
    room = HERE / "root"
    signal.signal(signal.SIGTERM, lambda *_received: sys.exit("clean room: told to end."))
    try:
        room.mkdir(parents=True)
    except FileExistsError:
        sys.exit(f"clean room: {room} exists already. Is another one running? If not: rm -r {HERE}")
    targets = sys.argv[1:] or ["demo", "demo"]
    seconds: list[tuple[str, float]] = []
    try:
        build(room)
        for target in targets:
            started = time.monotonic()
            said = make(room, target)
            if target == "demo" and any(done == target for done, _taken in seconds) and (wrong := unlike_a_second(said)):
                sys.exit(f"clean room: the second demo was to build and change nothing, and {wrong}.")
            seconds.append((target, time.monotonic() - started))
        make(room, "lab-down", "NAME=demo")
    finally:
        take_away(room)
    keep(seconds)
    print(f"clean room: passed; {', '.join(f'make {target}: {taken:.0f} s' for target, taken in seconds)}")


if __name__ == "__main__":
    main()
