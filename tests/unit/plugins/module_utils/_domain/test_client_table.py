# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of clients in each of its forms, and back."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_table import COLUMNS, formatted, parsed
from ansible_collections.rarus.lms.plugins.module_utils._domain.screen import WIDTH

ODD = ["=1+1", "'=1+1", "''", "+49", "-1", "@x", "'quoted'", 'a "b", c; d', "{{ x }}", "漢字\U0001f469", "\u200fشركة", " x ", "NO", "1e3"]


def row(number: int, organisation: str, **more: t.Any) -> dict[str, t.Any]:
    texts = {name: "" for name in COLUMNS if name not in ("settings", "contacts")}
    fixed = {"client": f"C{number}", "organisation": organisation, "phase": "registered", "created": "2026-11-21T09:00:00Z"}
    return {**texts, "catalogue": "lms-dev", **fixed, "settings": {"replicas": 2}, **more}


ROWS = [row(number, name) for number, name in enumerate(ODD, 1)]
CONTACTS = [{"name": "=Anna", "role": "", "phones": ["+4930901820"], "mailboxes": []}]


@pytest.mark.parametrize("form", ["csv", "yaml", "json"])
@pytest.mark.parametrize("rows", [[], ROWS, [{**one, "contacts": CONTACTS} for one in ROWS]], ids=["none", "plain", "contacts"])
def test_what_is_written_is_read_again_exactly(form: str, rows: list[dict[str, t.Any]]) -> None:
    read = [found for _line, found in parsed(formatted(rows, form), form)]
    filled = [{name: value for name, value in one.items() if value != ""} for one in read]
    assert filled == [{name: value for name, value in one.items() if value != ""} for one in rows]


def test_no_cell_of_csv_is_a_formula() -> None:
    cells = [line.split(",")[1] for line in formatted(ROWS, "csv").splitlines()[1:7]]
    assert cells == ["'=1+1", "''=1+1", "'''", "'+49", "'-1", "'@x"]


def test_a_row_has_the_number_of_its_line() -> None:
    assert [line for line, _row in parsed("- client: C1\n  organisation: a\n\n- client: C2\n", "yaml")] == [1, 4]
    assert [line for line, _row in parsed("client,organisation\nC1,a\nC2,b\n", "csv")] == [2, 3]


def test_what_spreadsheets_write_is_read() -> None:
    assert parsed('client;organisation\r\nC1;"a, b"\r\n', "csv") == [(2, {"client": "C1", "organisation": "a, b"})]


def test_dates_stay_texts() -> None:
    assert parsed("[{client: C1, created: 2026-11-21T09:00:00Z}]", "yaml")[0][1]["created"] == "2026-11-21T09:00:00Z"


REFUSED = [
    ("csv", "id,organisation\n", "line 1: the heading has the column 'id'"),
    ("csv", "organisation\n", "line 1: the heading has no column client"),
    ("csv", "", "line 1: the heading has no column client"),
    ("csv", "client\nC1,x\n", "line 2: has more cells than the heading"),
    ("csv", 'client\n"C1"x\n', "line 2: is not CSV"),
    ("yaml", "client: C1", "line 1: is no list"),
    ("yaml", "- client: C1\n- {", "line 2: is not YAML"),
    ("yaml", "- !!python/object:os.system {}", "line 1: is not YAML"),
]


@pytest.mark.parametrize(("form", "text", "words"), REFUSED)
def test_what_is_of_another_form_is_refused_with_its_line(form: str, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text, form)
    assert caught.value.message.startswith(words)


def test_the_table_fits_the_screen() -> None:
    rows = [row(999_999_999, "漢字" * 128, catalogue="x" * 63, applied="2026-11-22T09:00:00Z"), row(1, "Acme")]
    lines = formatted(rows, "table").splitlines()
    assert lines[0].split() == ["client", "organisation", "phase", "catalogue", "created", "applied"]
    assert lines[1].startswith("C999999999 漢字")
    assert lines[1].endswith("2026-11-21 2026-11-22")
    assert lines[2].endswith("never")
    assert lines[-1] == "2 clients"
    assert max(len(line) + sum(char in "漢字" for char in line) for line in lines) <= WIDTH
    assert formatted([], "table") == "0 clients\n"
    assert formatted([row(1, "Acme")], "table").endswith("\n1 client\n")
