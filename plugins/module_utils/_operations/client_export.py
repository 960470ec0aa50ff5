# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the list of clients, or writes it into a file that can be imported again."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .._core.errors import InputError, LmsError
from .._core.operation import Context, Operation
from .._domain.client_table import COLUMNS, FORMATS, formatted
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_list import FILTER_OPTIONS, Filters, read_list
from .report_file import checked_path, write_file

__all__ = ["ARGUMENT_SPEC", "OPERATION", "SUFFIXES", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    **FILTER_OPTIONS,
    "path": {"type": "path", "default": ""},
    "format": {"type": "str", "choices": ["auto", *FORMATS], "default": "auto"},
}

# Which form a file has, by how its name ends.
SUFFIXES = {".csv": "csv", ".yml": "yaml", ".yaml": "yaml", ".json": "json", ".txt": "table"}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Show or write the clients that the filters take; a file that says the same already is left alone."""
    path, form = params["path"], _form(params["path"], params["format"])
    checked_path(path, "path")
    filters = Filters.read(params)
    entries = read_list(connect(params), params["registry_namespace"] or params["namespace"], filters, contacts=params["contacts"])
    told = [entry.as_dict() for entry in entries]
    text = formatted([{name: one[name] for name in COLUMNS if name in one} for one in told], form)
    changed = bool(path) and _content(path) != text.encode()
    if changed and not context.check_mode:
        write_file(path, text.encode(), "path")
    if path:
        state = ("would be written to" if context.check_mode else "written to") if changed else "are in"
        context.report(f"{len(entries)} clients {state} {path}")
    else:
        for line in text.splitlines():
            context.report(line)
    return {"changed": changed, "count": len(entries)}


def _form(path: str, form: str) -> str:
    """Return the form that is asked for, or the one that the file's name says. Raises InputError."""
    if form != "auto" or not path:
        return form if form != "auto" else "table"
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"path: {path} does not say which form it has. Expected a name that ends with {', '.join(SUFFIXES)}, or a format.")
    return SUFFIXES[suffix]


def _content(path: str) -> bytes | None:
    """Return what a file holds, None where there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LmsError(f"path: {path} cannot be read ({error.strerror}).") from None


OPERATION = Operation(name="client_export", argument_spec=ARGUMENT_SPEC, run=run)
