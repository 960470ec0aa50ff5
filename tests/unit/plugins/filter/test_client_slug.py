# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.filter.client_slug import client_slug


@pytest.mark.parametrize(("given", "expected"), [("C42", "c42"), ("Acme Ltd", "acme-ltd"), ("", ""), (42, "42")])
def test_a_text_fits_into_labels_and_names(given: object, expected: str) -> None:
    assert client_slug(given) == expected
