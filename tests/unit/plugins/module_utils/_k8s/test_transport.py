# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt
import time
from email.utils import format_datetime

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._k8s.transport import clock_ahead


@pytest.mark.parametrize("seconds", [-7200, 0, 90])
def test_the_clock_of_the_api_is_read_from_its_answers(seconds: int) -> None:
    date = dt.datetime.fromtimestamp(time.time() + seconds, tz=dt.UTC)
    assert clock_ahead(format_datetime(date, usegmt=True)) == pytest.approx(seconds, abs=2)


@pytest.mark.parametrize("date", ["", "soon"])
def test_an_answer_without_a_date_leaves_this_machines_clock(date: str) -> None:
    assert clock_ahead(date) == 0
