# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

__all__ = ["texts_of"]


def texts_of(path: Path) -> dict[str, str]:
    """Return the texts of a tar archive's files by their names."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None, member.name
            found[member.name] = file.read().decode()
    return found
