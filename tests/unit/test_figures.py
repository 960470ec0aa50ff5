# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `make bench`, and what other runs keep for it."""

from __future__ import annotations

import json
from pathlib import Path

import clean_room
from bench.figures import Figure, table
from support.kills import kills, note_kills


def test_what_was_not_measured_is_said_and_does_not_hold() -> None:
    figures = [Figure("one", 1, "s", 2, 1), Figure("two", 3, "s", 2, 1), Figure("three", None, "s", 2, 1), Figure("four", 9, "s")]
    assert [figure.holds for figure in figures] == [True, False, False, True]
    lines = table(figures).splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["ok", "ABOVE", "MISSING"]
    assert "not measured" in lines[3]


def test_kills_are_kept_by_test_and_summed(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "kills.json"
    assert kills(kept) == (0, 0)
    note_kills("make test", 20, 16, kept)
    note_kills("make soak, part 0", 20, 20, kept)
    assert kills(kept) == (40, 36)
    note_kills("make test", 20, 20, kept)
    assert kills(kept) == (40, 40)


def test_every_target_of_the_clean_room_is_kept_and_only_the_first_as_from_an_empty_cache(tmp_path: Path) -> None:
    kept = tmp_path / "clean-room.json"
    clean_room.keep([("demo", 900.0), ("demo", 40.0), ("test", 1800.0)], kept)
    clean_room.keep([("test", 3000.0)], kept)
    assert json.loads(kept.read_text()) == {"demo": 900.0, "demo after demo": 40.0, "test after demo after demo": 1800.0, "test": 3000.0}
