"""Whether this machine can carry a lab, said in one sentence before anything is touched."""
from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from layout import LabError, state_root

GIB = 1 << 30
MEMORY_NEEDED = 3 * GIB
DISK_NEEDED = 5 * GIB


@dataclass(frozen=True)
class Facts:
    """What matters about the machine; sizes in bytes."""

    system: str
    architecture: str
    user: int
    memory: int
    disk: int
    disk_path: str


def facts() -> Facts:
    folder = state_root()
    while not folder.exists():
        folder = folder.parent
    return Facts(sys.platform, platform.machine(), os.geteuid(), _available_memory(), shutil.disk_usage(folder).free, str(folder))


def _available_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def check_kind(found: Facts) -> None:
    """Raise LabError unless this is Linux on amd64 and we are root: what every verb needs."""
    if found.system != "linux" or found.architecture not in ("x86_64", "AMD64"):
        here = f"{found.system} on {found.architecture}"
        raise LabError(f"the lab runs on Linux on amd64, and this is {here}: run it there, a virtual machine will do.")
    if found.user != 0:
        raise LabError(f"the lab makes namespaces, cgroups and mounts: it must be root, not user {found.user}; use sudo.")


def check_room(found: Facts) -> None:
    """Raise LabError unless there is room for one more lab."""
    if found.memory < MEMORY_NEEDED:
        raise LabError(
            f"a lab needs {_gib(MEMORY_NEEDED)} of free memory, this machine has {_gib(found.memory)}: "
            "end something, or another lab with `down`."
        )
    if found.disk < DISK_NEEDED:
        raise LabError(
            f"a lab needs {_gib(DISK_NEEDED)} of free disk at {found.disk_path}, there are {_gib(found.disk)}: "
            "free some, or set RARUS_LMS_STATE to a folder on a larger disk."
        )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
