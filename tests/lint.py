"""Run every linter and type checker over the tree; all of them run, and the last lines name those that found something."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support.tree import ROOT, tracked

COLLECTIONS = ROOT / "playbooks" / "collections"


def shell_scripts() -> list[str]:
    """Return the shell scripts, whatever their names end with."""
    return [name for name in tracked() if (ROOT / name).read_bytes().splitlines()[:1] in ([b"#!/bin/sh"], [b"#!/usr/bin/env bash"])]


def programs() -> list[str]:
    """Return the folders that Python runs as a program: their modules import each other by bare names."""
    return [str(Path(name).parent) for name in tracked("tests/**/__main__.py")]


def steps() -> dict[str, list[str]]:
    """Return the checks by name."""
    found = {
        "ruff": ["ruff", "check", "--quiet", "."],
        "mypy plugins": ["mypy", "-p", "ansible_collections.rarus.lms.plugins"],
        "mypy tests": ["mypy", "tests/unit", "tests/integration", "tests/support", *tracked(":(glob)tests/*.py")],
        "yamllint": ["yamllint", "--strict", "."],
        "ansible-lint": ["ansible-lint", "--format", "pep8", "-q"],
    }
    for program in programs():
        found[f"mypy {program}"] = ["mypy", *tracked(f":(glob){program}/*.py")]
    if scripts := shell_scripts():
        found["shellcheck"] = ["shellcheck", *scripts]
    return found


def mypy_path(checked: str) -> list[Path]:
    """Return where the imports of what is checked are looked up."""
    if checked in programs():
        return [ROOT / checked, (ROOT / checked).parent, COLLECTIONS]
    return [COLLECTIONS, ROOT / "tests", ROOT / "tests" / "lab"]


def main() -> None:
    wanted = sys.argv[1:]
    failed = []
    for name, command in steps().items():
        if wanted and not any(name.startswith(word) for word in wanted):
            continue
        started = time.monotonic()
        environment = {**os.environ, "MYPYPATH": ":".join(str(path) for path in mypy_path(name.removeprefix("mypy ")))}
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        print(f"lint: {name:<24} {'ok' if code == 0 else 'FAILED'}  {time.monotonic() - started:.1f} s", flush=True)
        if code:
            failed.append(name)
    if failed:
        sys.exit(f"lint: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
