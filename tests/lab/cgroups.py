"""The lab's cgroups: a folder `lms-ID` in every hierarchy; its own processes in `lms-ID/system`, pods where the kubelet puts them."""
from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from layout import LabError

ROOT = Path("/sys/fs/cgroup")
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 10.0


def _hierarchies() -> list[Path]:
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [folder for folder in sorted(ROOT.iterdir()) if not folder.is_symlink() and (folder / "cgroup.procs").exists()]


def create(name: str) -> None:
    """Make `name` and `name/system` everywhere; done twice it changes nothing."""
    found = _hierarchies()
    if not found:
        raise LabError(f"{ROOT}: no cgroup hierarchy is mounted there; mount one (v1 or v2) before the lab starts.")
    for hierarchy in found:
        _open_to_children(hierarchy)
        for folder in (hierarchy / name, hierarchy / name / "system"):
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
        _open_to_children(hierarchy / name)


def _inherit_cpuset(folder: Path) -> None:
    """In v1 a new cpuset is empty and takes no process until it has processors and memory nodes."""
    for setting in ("cpuset.cpus", "cpuset.mems"):
        own = folder / setting
        inherited = folder.parent / setting
        if own.exists() and inherited.exists() and not own.read_text().strip():
            own.write_text(inherited.read_text())


def _open_to_children(folder: Path) -> None:
    """In v2 hand every controller down."""
    controllers = folder / "cgroup.controllers"
    if controllers.exists():
        for controller in controllers.read_text().split():
            try:
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError as error:
                raise LabError(f"{folder}: cgroup controller {controller} cannot be handed down: {error.strerror}.") from error


def process_files(name: str) -> list[Path]:
    """The files that take a process into the lab's cgroups."""
    return [hierarchy / name / "system" / "cgroup.procs" for hierarchy in _hierarchies()]


def remove(name: str) -> None:
    """Take every folder away; its processes must have ended, and their last moments are waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for hierarchy in _hierarchies():
        for folder in _deepest_first(hierarchy / name):
            _remove_folder(folder, deadline)


def _deepest_first(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for child in folder.iterdir():
            if child.is_dir():
                yield from _deepest_first(child)
        yield folder


def _remove_folder(folder: Path, deadline: float) -> None:
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"{folder}: this cgroup could not be removed: {error.strerror}.") from error
            time.sleep(POLL_SECONDS)
