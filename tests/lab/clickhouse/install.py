"""How the ClickHouse stand-in is installed and started.

    python = ensure(cache, report)                      # once: a venv in the cache, named after the lock's hash
    argv = command(python, listen="10.213.1.5", port=9000, state=folder, admin_user="default", admin_password_file=file)

It serves once a connection to its port is accepted (it opens the port last), logs to standard error, and ends on SIGTERM.
"""
from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import locks
from layout import LabError

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
CLUSTER = "lab"  # what ON CLUSTER may name


def ensure(cache: Path, report: Callable[[str], None]) -> Path:
    """Path of the Python that the server runs in; makes it where the cache lacks it, which takes 0.6 GB and a minute at most."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(version.encode() + LOCK.read_bytes()).hexdigest()[:16]
    folder = cache / f"clickhouse-{key}"
    python = folder / "bin/python"
    if not python.exists():
        with locks.held(cache / "clickhouse.lock"):
            if not folder.exists():  # another program may just have made it
                report("installing the ClickHouse engine")
                _install(folder)
    return python


def _install(folder: Path) -> None:
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(new)])
    _run([str(new / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)])
    new.rename(folder)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def command(python: Path, *, listen: str, port: int, state: Path, admin_password_file: Path, admin_user: str = "default") -> list[str]:
    """The command that starts the server; `state` is a folder of its own, which it makes."""
    return [
        str(python), str(HERE), "--listen", listen, "--port", str(port), "--state", str(state),
        "--admin-user", admin_user, "--admin-password-file", str(admin_password_file), "--cluster", CLUSTER,
    ]
