# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a verdict's report: whole or not at all, JSON or (a name that ends with .xml) JUnit."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .._core.errors import InputError, LmsError
from .._domain.report import Report

__all__ = ["checked_path", "write_file", "write_report"]

JUNIT = ".xml"


def checked_path(path: str, option: str = "report") -> None:
    """Raise InputError where a file cannot be written there, before anything else is done; nothing for an empty path."""
    if path and (Path(path).is_dir() or not Path(path).absolute().parent.is_dir()):
        raise InputError(
            f"{option}: {path} is not the path of a file in a folder that exists.", hint="Correct the path, or make its folder."
        )


def write_report(path: str, report: Report) -> None:
    """Write the report; raises LmsError where the file cannot be written."""
    write_file(path, (report.as_junit() if path.endswith(JUNIT) else report.as_json()).encode(), "report")


def write_file(path: str, content: bytes, option: str) -> None:
    """Write a file that only its owner may read, in place of one that is there; raises LmsError that names the option."""
    target = Path(path).absolute()
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(target)
    except OSError as error:
        raise LmsError(f"{option}: {path} cannot be written ({error.strerror}).") from None
