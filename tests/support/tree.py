"""The checkout as git sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["ROOT", "tracked"]

ROOT = Path(__file__).resolve().parents[2]


def tracked(*patterns: str) -> list[str]:
    """Return the paths of the files that match git's patterns, relative to ROOT; files not added yet are there, deleted ones are not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})
