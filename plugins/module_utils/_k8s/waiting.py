# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the cluster: looks that begin close together and move apart, and end at a deadline."""

from __future__ import annotations

import time
import typing as t
from http import HTTPStatus

from .._core.errors import UnknownStateError

__all__ = ["Patience", "looks"]

# Seconds between two looks: the first, how it grows, the longest.
FIRST_PAUSE = 0.2
GROWTH = 1.25
LONGEST_PAUSE = 1.0
# Seconds before the next look after one that the API did not let have: it is busy, and was asked again several times already.
PAUSE_AFTER_A_FAULT = 3.0
# What waiting does not change.
REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

T = t.TypeVar("T")


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


class Patience:
    """Looks that a fault of the API does not end, once the first one was had: the next look may be.

    report: shows the operator a line; it is called once a fault. beat: is called before each look, and may fail as one does.
    """

    def __init__(self, report: t.Callable[[str], None], beat: t.Callable[[], None]) -> None:
        self._report = report
        self._beat = beat
        self._had = False
        self._told = ""

    def __call__(self, look: t.Callable[[], T], *, last: bool) -> T | None:
        """Return what a look sees, None where the API did not let it; UnknownStateError at the first look, the last, and for refusals."""
        try:
            self._beat()
            found = look()
        except UnknownStateError as error:
            status = int(error.data.get("status") or 0)
            if last or not self._had or status in REFUSALS:
                raise
            told = f"the API answers {status}, still trying" if status else "the API does not answer, still trying"
            if told != self._told:
                self._report(told)
            self._told = told
            time.sleep(PAUSE_AFTER_A_FAULT)
            return None
        self._had, self._told = True, ""
        return found
