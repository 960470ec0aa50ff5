# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers the clients of a file: all rows are judged first, and one that is on the list already is never changed."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from .._core.clock import utc_now
from .._core.errors import ConflictError, InputError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.client_rows import Wanted, judge, read_rows
from .._domain.client_table import parsed
from .._domain.screen import stage
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_contacts import all_contacts, store_contacts
from .client_list import Filters, read_list
from .client_numbers import last_number, move_beyond
from .client_organisations import keep_first, without_index
from .registry import actor_or_default

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "path": {"type": "path", "required": True},
    "phone_region": {"type": "str", "default": ""},
    "same_organisation": {"type": "bool", "default": False},
    "catalogue": {"type": "str", "required": True},
    "actor": {"type": "str", "default": ""},
}

SUFFIXES = {".csv": "csv", ".yml": "yaml", ".yaml": "yaml", ".json": "yaml"}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Register the clients that are not on the list yet; return which, and how many were known. Raises InputError with all problems."""
    started = time.monotonic()
    problems: list[str] = []
    rows = read_rows(_rows(params["path"]), params["phone_region"], problems)
    api, registry = connect(params), params["registry_namespace"] or params["namespace"]
    records = {entry.record.client: entry.record for entry in read_list(api, registry, Filters(), contacts=False)}
    contacts = all_contacts(api, registry) if any(row.contacts for row in rows) else {}
    problems += judge(rows, records, contacts, same_organisation=params["same_organisation"])
    if problems:
        title = f"{params['path']}: {len(problems)} problems, nothing was touched:"
        raise InputError("\n  ".join([title, *sorted(problems, key=_line_of)]), data={"problems": problems})
    new = sorted((row for row in rows if row.client not in records), key=lambda row: row.client)
    told = [row for row in rows if row.contacts and not contacts.get(row.client)]
    moved = _move_counter(api, registry, new, write=not context.check_mode)
    unnamed = without_index(api, registry, [records[row.client] for row in rows if row.client in records])
    for record in unnamed:
        keep_first(api, record, new=True, write=not context.check_mode)
    for row in new:
        _register(api, registry, row, params, context)
    for row in told:
        store_contacts(api, registry, row.client, row.contacts or [], write=not context.check_mode)
    done = "would be registered" if context.check_mode else "registered"
    summary = f"{len(new)} {done}, {len(rows) - len(new)} known, contacts of {len(told)}"
    context.report(stage("import", summary, time.monotonic() - started))
    return {"changed": bool(new or told or moved or unnamed), "registered": [row.client.id for row in new], "known": len(rows) - len(new)}


def _rows(path: str) -> list[tuple[int, dict[str, t.Any]]]:
    """Return the rows of the file with their lines. Raises InputError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"path: {path} does not say which form it has. Expected a name that ends with {', '.join(SUFFIXES)}.")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"path: {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise InputError(f"path: {path} is not UTF-8.", hint="Save it as UTF-8; spreadsheets offer that when they export.") from None
    try:
        return parsed(text, SUFFIXES[suffix])
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from None


def _line_of(problem: str) -> int:
    """Return the line that a problem is told of."""
    return int(problem.removeprefix("line ").partition(":")[0])


def _move_counter(api: Api, registry: str, new: t.Sequence[Wanted], *, write: bool) -> bool:
    """Have the next id that is formed follow the highest that is imported; return whether that moves the counter."""
    if not new or last_number(api, registry) >= new[-1].client.number:
        return False
    return move_beyond(api, registry, new[-1].client.number) if write else True


def _register(api: Api, registry: str, row: Wanted, params: t.Mapping[str, t.Any], context: Context) -> None:
    """Create one record. Raises ConflictError where somebody registered that client since the list was read."""
    wanted = row.record(
        {
            "catalogue": params["catalogue"],
            "namespace": params["namespace"],
            "registry_namespace": registry,
            "created": utc_now(),
            "created_by": actor_or_default(params["actor"]),
            "version": VERSION,
        }
    )
    try:
        if not context.check_mode:
            api.create(wanted.to_object())
    except ConflictError:
        raise ConflictError(
            f"client: {row.client} of line {row.line} was registered by somebody else meanwhile.",
            hint="Run the same again: what was imported so far is found.",
        ) from None
    keep_first(api, wanted, new=True, write=not context.check_mode)
    context.report(f"  {row.client} {'would be registered' if context.check_mode else 'registered'}")


OPERATION = Operation(name="client_import", argument_spec=ARGUMENT_SPEC, run=run)
