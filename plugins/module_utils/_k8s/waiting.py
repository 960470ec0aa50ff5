# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the cluster: looks that begin close together and move apart, and end at a deadline."""

from __future__ import annotations

import time
import typing as t

__all__ = ["looks"]

# Seconds between two looks: the first, how it grows, the longest.
FIRST_PAUSE = 0.2
GROWTH = 1.25
LONGEST_PAUSE = 1.0


def looks(timeout: float) -> t.Iterator[tuple[float, bool]]:
    """Yield the seconds since the start for each look, and whether it is the last one; the last comes when `timeout` seconds are over."""
    started, pause = time.monotonic(), FIRST_PAUSE
    while True:
        taken = time.monotonic() - started
        yield taken, taken >= timeout
        if taken >= timeout:
            return
        time.sleep(max(min(pause, timeout - (time.monotonic() - started)), 0.0))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
