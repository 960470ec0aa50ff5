# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rarus.lms.plugins.module_utils._core.version import VERSION

ROOT = Path(__file__).resolve().parents[5]


def test_the_version_is_the_one_of_galaxy() -> None:
    found = re.search(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(), flags=re.MULTILINE)
    assert found is not None
    assert found.group(1) == VERSION
