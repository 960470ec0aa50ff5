# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Further PostgreSQL servers in a lab, each with something wrong: one login at a time, a standby, a disk that is full soon, one that goes.

They ask nobody for a password, hold nothing, and end with their context.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from databases import DEBIAN_PROGRAMS, OWNER
from network import find_holders, inside

from .lab import Lab
from .verdict_faults import POSTGRES, SERVERS

__all__ = ["further_databases", "stop_database"]

MAKE_FOLDER = ("install", "--directory", "--mode=700", f"--owner={OWNER}")
SMALL_DISK = "64m"
# Where a back end finds what it needs.
WHOLE = ("small", "brief")
# Only this login is let in from outside.
HBA = "host all postgres 0.0.0.0/0 trust\n"
COMMON = {"unix_socket_directories": "", "shared_buffers": "1MB", "fsync": "off", "max_wal_size": "32MB", "max_wal_senders": "0"}
OWN = {"full": {"max_connections": "1", "superuser_reserved_connections": "0"}, "standby": {"max_wal_senders": "10"}}


@contextmanager
def further_databases(lab: Lab) -> Iterator[None]:
    """Run the servers while the context lasts."""
    _away(lab)
    template = _folder(lab, "template")
    _run(lab, *MAKE_FOLDER, str(template))
    _as_owner(lab, "initdb", f"--pgdata={template}", f"--username={OWNER}", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    with template.joinpath("pg_hba.conf").open("a") as file:
        file.write(HBA)
    try:
        for name in SERVERS:
            _start(lab, name, template)
        for name in WHOLE:
            _as_owner(lab, "psql", *_login(lab, name), "--command=CREATE EXTENSION pgcrypto", '--command=CREATE EXTENSION "uuid-ossp"')
        yield
    finally:
        _away(lab)


def _away(lab: Lab) -> None:
    """End all of the servers and take their folders away, there or not."""
    for name in SERVERS:
        stop_database(lab, name)
    _run(lab, "umount", str(_folder(lab, "small")), check=False)
    _run(lab, "rm", "-rf", *(str(_folder(lab, name)) for name in ("template", *SERVERS)))


def stop_database(lab: Lab, name: str) -> None:
    """End one of the servers at once, running or not."""
    _as_owner(lab, "pg_ctl", "stop", f"--pgdata={_folder(lab, name)}", "--mode=immediate", check=False)


def _folder(lab: Lab, name: str) -> Path:
    return lab.state / "postgres" / f"verdict-{name}"


def _start(lab: Lab, name: str, template: Path) -> None:
    """Start a server on a copy of the template, and wait until it answers; only the small one's folder has a disk of its own."""
    data = _folder(lab, name)
    _run(lab, *MAKE_FOLDER, str(data))
    if name == "small":
        _run(lab, "mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=700,uid={data.owner()}", "verdict-small", str(data))
    _run(lab, "cp", "--archive", f"{template}/.", str(data))
    if name == "standby":
        _run(lab, "touch", str(data / "standby.signal"))
    settings = {**COMMON, "listen_addresses": _address(lab), "port": str(SERVERS[name]), **OWN.get(name, {})}
    options = " ".join(f"-c {key}={value or repr('')}" for key, value in settings.items())
    log = data.with_suffix(".log")
    _run(lab, "install", f"--owner={OWNER}", "/dev/null", str(log))
    _as_owner(lab, "pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={log}", f"--options={options}")


def _address(lab: Lab) -> str:
    return str(lab.facts["names"][POSTGRES])


def _login(lab: Lab, name: str) -> list[str]:
    return ["--no-psqlrc", f"--host={_address(lab)}", f"--port={SERVERS[name]}", f"--username={OWNER}", "--dbname=postgres"]


def _as_owner(lab: Lab, program: str, *words: str, check: bool = True) -> None:
    drop = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", "--"]
    _run(lab, *drop, str(DEBIAN_PROGRAMS / program), *words, check=check)


def _run(lab: Lab, *command: str, check: bool = True) -> None:
    """Run a command in the lab's namespaces; AssertionError with what it says where it fails."""
    whole = [*inside(find_holders(lab.state)[0]), *command]
    done = subprocess.run(whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}"
