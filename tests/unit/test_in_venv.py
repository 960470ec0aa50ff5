# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the project's virtualenv is made with, on a machine that has just some of them."""

from __future__ import annotations

from pathlib import Path

import in_venv
import pytest


def pythons(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Have a machine whose only Pythons are of these lines; each tells its version and does nothing else."""
    for line in lines:
        python = folder / f"python{line}"
        python.write_text(f"#!/bin/sh\necho {line}.1\n")
        python.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("RARUS_LMS_PYTHON", raising=False)


@pytest.mark.parametrize(
    ("there", "line", "lock"),
    [
        (("3.11", "3.12", "3.13", "3.14"), "3.13", "py312.txt"),
        (("3.11", "3.14"), "3.14", "py312.txt"),
        (("3.15",), "3.15", "py312.txt"),
        (("3.11",), "3.11", "py311.txt"),
    ],
)
def test_the_newest_usable_python_is_taken_with_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], line: str, lock: str
) -> None:
    pythons(tmp_path, monkeypatch, *there)
    assert in_venv.choose() == (tmp_path / f"python{line}", f"{line}.1", lock)
    monkeypatch.setenv("RARUS_LMS_PYTHON", there[0])
    assert in_venv.choose()[0] == tmp_path / f"python{there[0]}"


def test_an_older_one_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pythons(tmp_path, monkeypatch, "3.10")
    with pytest.raises(SystemExit, match="or newer was found"):
        in_venv.choose()
