# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of clients as a table for people, and as JSON, YAML and CSV, which are read again exactly as they were written.

A cell of CSV that begins with = + - @ or ' gets a ' before it, because a spreadsheet would run it as a formula; reading takes one ' off
where one of these follows it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import typing as t

from .._core.deps import YAML
from .._core.errors import InputError
from .screen import fitted

__all__ = ["COLUMNS", "FORMATS", "Row", "formatted", "parsed"]

# A client by the names of COLUMNS; settings and contacts are data, everything else is text.
Row = dict[str, t.Any]

TEXTS = ("client", "organisation", "catalogue", "namespace", "phase", "created", "created_by")
# What is told and not read again, for it is not the operator's to say.
TOLD = ("phase_since", "applied", "applied_by", "result", "version")
DATA = ("settings", "contacts")
COLUMNS = (*TEXTS, *TOLD, *DATA)
CSV_MARK = "'"
FORMULA = tuple("=+-@\t\r" + CSV_MARK)
# Columns of the screen, 99 with the blanks between them; of dates the day alone.
SHOWN = {"client": 10, "organisation": 37, "phase": 10, "catalogue": 17, "created": 10, "applied": 10}
WHEN = 10


def formatted(rows: t.Sequence[Row], form: str) -> str:
    """Return the list in one of FORMATS, with a line break at the end."""
    return FORMATS[form](rows)


def parsed(text: str, form: str) -> list[tuple[int, Row]]:
    """Return the rows of a text, each with the number of its line. Raises InputError for what is not of that form."""
    if form == "csv":
        return _parsed_csv(text)
    return _parsed_yaml(text)


def _as_table(rows: t.Sequence[Row]) -> str:
    """Return lines of 100 columns at most; wide characters count as two."""
    lines = [" ".join(fitted(name, width) for name, width in SHOWN.items()).rstrip()]
    for row in rows:
        shown = {**row, "created": row["created"][:WHEN], "applied": row["applied"][:WHEN] or "never"}
        lines.append(" ".join(fitted(shown[name], width) for name, width in SHOWN.items()).rstrip())
    noun = "client" if len(rows) == 1 else "clients"
    return "\n".join([*(lines if rows else []), f"{len(rows)} {noun}", ""])


def _as_json(rows: t.Sequence[Row]) -> str:
    return json.dumps(list(rows), ensure_ascii=False, indent=2) + "\n"


def _as_yaml(rows: t.Sequence[Row]) -> str:
    return str(YAML.require().safe_dump(list(rows), allow_unicode=True, sort_keys=False, width=140))


def _as_csv(rows: t.Sequence[Row]) -> str:
    """Return CSV with the columns that a row has; settings and contacts are JSON in their cells."""
    columns = [name for name in COLUMNS if name != "contacts" or any(name in row for row in rows)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = {name: json.dumps(row[name], ensure_ascii=False) if name in DATA else row[name] for name in columns if name in row}
        writer.writerow([_escaped(cells.get(name, "")) for name in columns])
    return text.getvalue()


FORMATS: dict[str, t.Callable[[t.Sequence[Row]], str]] = {"table": _as_table, "json": _as_json, "csv": _as_csv, "yaml": _as_yaml}


def _escaped(cell: str) -> str:
    return CSV_MARK + cell if cell.startswith(FORMULA) else cell


def _unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith(CSV_MARK) and cell[1:].startswith(FORMULA) else cell


def _parsed_csv(text: str) -> list[tuple[int, Row]]:
    """Return the rows of CSV with a heading; commas or (as some spreadsheets write) semicolons between cells."""
    heading = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if heading.count(";") > heading.count(",") else ",", strict=True)
    rows: list[tuple[int, Row]] = []
    try:
        _judge_columns(reader.fieldnames or [])
        for row in reader:
            if None in row:
                raise InputError(f"line {reader.line_num}: has more cells than the heading.")
            rows.append((reader.line_num, _of_cells(row)))
    except csv.Error as error:
        raise InputError(f"line {reader.reader.line_num}: is not CSV ({error}).") from None
    return rows


def _judge_columns(names: t.Sequence[str]) -> None:
    """Raise InputError unless the heading has an id for each client, and no column that there is none of."""
    unknown = [name for name in names if name not in COLUMNS]
    if "client" not in names or unknown:
        what = f"has the column {unknown[0]!r:.40}, which there is none of" if unknown else "has no column client"
        raise InputError(f"line 1: the heading {what}. Expected names out of {', '.join(COLUMNS)}.")


def _of_cells(cells: t.Mapping[str, str | None]) -> Row:
    """Return a row of the cells that are not empty; what should be JSON and is not stays text, for its reader to refuse."""
    row: Row = {name: _unescaped(cell) for name, cell in cells.items() if cell}
    for name in DATA:
        with contextlib.suppress(KeyError, ValueError):
            row[name] = json.loads(row[name])
    return row


def _parsed_yaml(text: str) -> list[tuple[int, Row]]:
    """Return the rows of a YAML (or JSON) list of dictionaries. Dates stay texts."""
    yaml = YAML.require()
    dates = "tag:yaml.org,2002:timestamp"
    resolvers = {key: [pair for pair in pairs if pair[0] != dates] for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": resolvers})(text)
    try:
        node = loader.get_single_node()
        if node is not None and node.id != "sequence":
            raise InputError("line 1: is no list. Expected one dictionary for each client, such as - {client: C42, organisation: Acme}.")
        return [(item.start_mark.line + 1, loader.construct_object(item, deep=True)) for item in (node.value if node is not None else [])]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"line {mark.line + 1 if mark else 1}: is not YAML ({getattr(error, 'problem', None) or 'cannot be read'})."
        ) from None
    finally:
        loader.dispose()
