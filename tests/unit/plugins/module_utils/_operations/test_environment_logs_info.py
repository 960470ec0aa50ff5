# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's logs: bounded, cleaned, and not shown at all where they could not be cleaned."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_logs_info import run
from support.client_objects import CANARIES, with_canaries
from support.fake_api import FakeApi


def logs(api: FakeApi, **options: t.Any) -> dict[str, t.Any]:
    """Run the operation."""
    given = {
        "client": "C42",
        "namespace": "lms-dev",
        "lines": 100,
        "previous": False,
        "container": "",
        "redact_secrets": ["postgres-admin"],
    }
    return run({**api.params, **given, **options}, Context())


def test_secrets_are_taken_out_and_runs_before_are_shown(fake_api: FakeApi) -> None:
    fake_api.add(*with_canaries())
    fake_api.answer("GET", "/log", body=f"I know {CANARIES[0]}, {CANARIES[1]}\nand {CANARIES[2]}\n", times=2)
    told = logs(fake_api, previous=True)
    assert [log["previous"] for log in told["logs"]] == [True, False]
    assert told["screen"][:3] == ["Pod pod-1, container c42, its run before:", "  I know ***, ***", "  and ***"]


def test_without_the_secrets_values_nothing_is_shown(fake_api: FakeApi) -> None:
    fake_api.add(*with_canaries())
    fake_api.fail("GET", "/secrets/sms4b", 403, "Forbidden", times=3)
    with pytest.raises(UnknownStateError, match="The logs of C42 are not shown"):
        logs(fake_api)
    assert not [path for path in fake_api.reads() if path.endswith("/log")]


@pytest.mark.parametrize("lines", [0, 5001])
def test_the_number_of_lines_is_bounded(fake_api: FakeApi, lines: int) -> None:
    with pytest.raises(InputError, match="from 1 to 5000"):
        logs(fake_api, lines=lines)


def test_no_pod_has_no_log(fake_api: FakeApi) -> None:
    assert logs(fake_api)["screen"] == ["C42 in lms-dev has no pod with a log."]


def test_an_unread_log_says_why(fake_api: FakeApi) -> None:
    fake_api.add(*with_canaries())
    fake_api.fail("GET", "/log", 500, "InternalError", "no node", times=9)
    assert "no node" in logs(fake_api)["logs"][0]["problem"]
