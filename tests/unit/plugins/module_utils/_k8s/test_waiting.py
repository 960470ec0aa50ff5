# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the cluster: close together at first, apart later, the last one at the deadline."""

from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._k8s import waiting


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Provide the clock that is waited by."""
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def test_pauses_grow_to_the_longest_and_end_at_the_deadline(clock: Clock) -> None:
    seen = list(waiting.looks(10))
    assert seen[0] == (0.0, False)
    assert clock.pauses[0] == waiting.FIRST_PAUSE
    assert max(clock.pauses) == waiting.LONGEST_PAUSE
    assert clock.pauses[:-1] == sorted(clock.pauses[:-1])
    assert [last for _taken, last in seen] == [False] * (len(seen) - 1) + [True]
    assert abs(seen[-1][0] - 10) < 1e-6


def test_no_time_is_one_look(clock: Clock) -> None:
    assert list(waiting.looks(0)) == [(0.0, True)]
    assert clock.pauses == []
