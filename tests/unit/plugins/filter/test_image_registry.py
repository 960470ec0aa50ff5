# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.filter.image_registry import image_registry


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("registry.example:5000/lms/backend:dev", "registry.example:5000"),
        ("localhost/backend", "localhost"),
        ("lms/backend:dev", "docker.io"),
        ("backend", "docker.io"),
    ],
)
def test_an_image_is_pulled_from_its_registry(given: str, expected: str) -> None:
    assert image_registry(given) == expected
