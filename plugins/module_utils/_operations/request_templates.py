# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a folder of old requests into a folder of request templates."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .._core.errors import InputError, LmsError
from .._core.operation import Context, Operation
from .._domain.convert import Conversion, Converted, convert
from .._domain.templates import find_sources

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    "source": {"type": "path", "required": True},
    "destination": {"type": "path", "required": True},
}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Convert the folder and write what is new; a file that says something else already is never overwritten.

    Raises InputError for what cannot be converted, LmsError for what cannot be written.
    """
    source, destination = Path(params["source"]), Path(params["destination"])
    if source.resolve() == destination.resolve():
        raise InputError(f"destination: {destination} is the source itself. Expected another folder.")
    conversion = convert(find_sources(source))
    if not conversion.converted and not conversion.left_out:
        raise InputError(f"source: {source} holds no requests. Expected files such as service.json.")
    new = [one for one in conversion.converted if _is_new(destination / one.file, one.text)]
    if new and not context.check_mode:
        _write(destination, new)
    _report(conversion, context)
    return {
        "changed": bool(new),
        "converted": [{"file": str(destination / one.file), "source": one.source, "changes": one.changes} for one in conversion.converted],
        "left_out": [{"source": name, "reason": reason} for name, reason in conversion.left_out],
    }


def _is_new(path: Path, text: str) -> bool:
    """Return whether the file is still to be written."""
    try:
        found = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError) as error:
        raise LmsError(f"destination: {path} cannot be read ({error}).") from None
    if found != text:
        raise InputError(f"destination: {path} exists and says something else. Remove it, or name another folder.")
    return False


def _write(folder: Path, templates: list[Converted]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in templates:
            (folder / one.file).write_text(one.text, encoding="utf-8")
    except OSError as error:
        raise LmsError(f"destination: {folder} cannot be written to ({error.strerror}).") from None


def _report(conversion: Conversion, context: Context) -> None:
    """Show each file with what was changed in it, and each that is left out with the reason."""
    for one in conversion.converted:
        context.report(f"{Path(one.source).name} -> {one.file}")
        for change in one.changes:
            context.report(f"  {change}")
    for name, reason in conversion.left_out:
        context.report(f"{Path(name).name} is left out: {reason}")


OPERATION = Operation("request_templates", ARGUMENT_SPEC, run)
