"""Run a command in the project's virtualenv, made on first use: python3 tests/in_venv.py COMMAND...

The virtualenv lies outside the checkout, in the cache, named after its Python and its lock; so it is made once and shared by all checkouts.
Needs nothing but Python 3.11 or newer; as root on Debian, what Python itself lacks for it (ensurepip) is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("RARUS_LMS_CACHE") or Path.home() / ".cache" / "rarus-lms")
COLLECTIONS = ROOT / "playbooks" / "collections"
# The Python that each lock is pinned by; that of 3.12 serves what is newer too. What all of its packages have been tried with comes first.
LOCKS = {"3.11": "py311.txt", "3.12": "py312.txt"}
PREFERRED = ("3.13", "3.12", *(f"3.{minor}" for minor in range(14, 30)), "3.11")


def pythons(line: str) -> Iterator[tuple[Path, str]]:
    """Yield each Python of that line that runs, with its full version: on PATH (where pyenv's may lead nowhere), or made by pyenv."""
    on_path = shutil.which(f"python{line}")
    made = sorted(Path.home().glob(f".pyenv/versions/{line}.*/bin/python{line}"), reverse=True)
    for python in [*([Path(on_path)] if on_path else []), *made]:
        command = [str(python), "-c", "import platform; print(platform.python_version())"]
        seen = subprocess.run(command, check=False, capture_output=True, text=True)
        if seen.returncode == 0 and seen.stdout.startswith(f"{line}."):
            yield python, seen.stdout.strip()


def choose() -> tuple[Path, str, str]:
    """Return the newest usable Python, its full version and its lock's name; ends the program where there is none."""
    wanted = os.environ.get("RARUS_LMS_PYTHON", "")
    for line in [wanted] if wanted else PREFERRED:
        for python, version in pythons(line):
            return python, version, LOCKS.get(line, LOCKS["3.12"])
    sys.exit(f"No Python {wanted or 'of 3.11 or newer'} was found. On Debian 12: apt-get install python3")


def ensure_pip(python: Path) -> None:
    """Have Debian's Python make virtualenvs, which it does not by itself."""
    if subprocess.run([python, "-c", "import ensurepip, venv"], check=False, capture_output=True).returncode == 0:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{python} makes no virtualenvs: its modules venv and ensurepip are missing. On Debian 12: apt-get install python3-venv")
    print("virtualenv: installing python3-venv", file=sys.stderr, flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"]
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)


def make(venv: Path, python: Path, lock: Path) -> None:
    """Make the virtualenv from the lock; one that was begun and not finished is made anew."""
    ensure_pip(python)
    started = time.monotonic()
    print(f"virtualenv: installing {lock.name} into {venv}", file=sys.stderr, flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([python, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin/pip"), "--quiet", "--disable-pip-version-check"]
    # Most of the many files of Ansible's collections are never run: what is, Python compiles then.
    subprocess.run([*pip, "install", "--no-compile", "--require-hashes", "--requirement", str(lock)], check=True, stdout=sys.stderr)
    (venv / ".complete").touch()
    print(f"virtualenv: ready after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def ready() -> Path:
    """Return the virtualenv's folder, made where it is missing; processes that ask at once make it once."""
    python, version, name = choose()
    lock = ROOT / "requirements" / name
    venv = CACHE / f"venv-{version}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".venv.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (venv / ".complete").exists():
            make(venv, python, lock)
    return venv


def main() -> None:
    venv = ready()
    environment = {
        **os.environ,
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(venv),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    }
    # What tests start thousands of times is compiled once; and lines that an operator would see late, a test must see late too.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        environment.pop(name, None)
    command = sys.argv[1:] or ["python", "--version"]
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        sys.exit(f"{command[0]}: no such command in {venv / 'bin'} or on PATH.")


if __name__ == "__main__":
    main()
