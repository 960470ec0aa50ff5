# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests of plugins share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from support.fake_api import FakeApi


@pytest.fixture
def fake_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """Provide a Kubernetes API of its own to a test (see tests/support/fake_api.py), which is asked again at once, and not for long."""
    monkeypatch.setattr(transport, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(transport, "REPEAT_SECONDS", 0.3)
    server = FakeApi()
    yield server
    server.close()
