# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many random kills the tests have made, and how many ended well, kept outside the checkout for `make bench`."""

from __future__ import annotations

import json
from pathlib import Path

from in_venv import CACHE

__all__ = ["kills", "note_kills"]

KEPT = CACHE / "kills.json"


def note_kills(name: str, made: int, well: int, kept: Path = KEPT) -> None:
    """Keep what one test has come to, in place of what it came to the last time."""
    known = json.loads(kept.read_text()) if kept.exists() else {}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({**known, name: {"made": made, "well": well}}, indent=2) + "\n")


def kills(kept: Path = KEPT) -> tuple[int, int]:
    """Return how many kills there were, and how many ended well; 0 of 0 where nothing was kept."""
    known = json.loads(kept.read_text()).values() if kept.exists() else ()
    return sum(one["made"] for one in known), sum(one["well"] for one in known)
