# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line of a log is believed, and of which database it speaks; no advice names a setting that there is not."""

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import judge
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import Finding
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.recognise import _ANY_DATABASE, _DATABASES, CAUSES
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import SETTINGS
from support.diagnosis_cases import CRASHED, seen_of_case
from support.tree import ROOT

SETTING = re.compile(r"\blms_[a-z0-9_]+")


def told(*log: str) -> Finding:
    """Return what a back end that crashed with this log is found to have."""
    return judge(seen_of_case({"container": CRASHED, "log": list(log)})).findings[0]


LOGS = {
    "another database's good news": (
        ["clickhouse: migrations are done", 'pq: password authentication failed for user "c42"'],
        ("client_password", "PostgreSQL refused the client's own password, as the Secret and the database differ"),
    ),
    "what it got over": (
        ["dial tcp 10.1.1.1:5432: connect: connection refused, retrying", "connected", "panic: nil map", "goroutine 1 [running]:"],
        ("crash", "the container c42 ends with exit code 1"),
    ),
    "a panic tells itself": (
        ["dial tcp: lookup db: no such host", "panic: clickhouse: code: 516, Authentication failed", "goroutine 1 [running]:"],
        ("client_password", "ClickHouse refused the client's own password, as the Secret and the database differ"),
    ),
    "a setting that is merely shown": (
        ["LMS_SERVER_PORT: :8080", "panic: assignment to entry in nil map"],
        ("crash", "the container c42 ends with exit code 1"),
    ),
    "a setting that is merely shown, without a panic": (
        ["LMS_SERVER_PORT: :8080", "bye"],
        ("crash", "the container c42 ends with exit code 1"),
    ),
    "what it said while it served": (
        ["listening on :8080", "error serving /healthz: postgres: dial tcp 10.1.1.1:5432: connect: connection refused"],
        ("database_closed", "PostgreSQL accepts no connection: its port is closed, or a NetworkPolicy blocks the way"),
    ),
    "the last word of several": (
        ['FATAL: database "c42" does not exist (SQLSTATE 3D000)', "clickhouse: dial tcp 10.1.1.2:9000: i/o timeout"],
        ("database_silent", "ClickHouse does not answer: a firewall or a NetworkPolicy drops the packets on the way"),
    ),
    "no database is named": (
        ["postgres: migrations are done", "dial tcp 10.1.1.2:9000: connect: connection refused"],
        ("database_closed", "the database accepts no connection: its port is closed, or a NetworkPolicy blocks the way"),
    ),
}


@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS)
def test_the_last_telling_line_is_believed(log: list[str], expected: tuple[str, str]) -> None:
    found = told(*log)
    assert (found.cause, found.message) == expected


def test_each_database_has_its_own_settings() -> None:
    tls = "x509: certificate signed by unknown authority"
    assert told(f"postgres: {tls}").next.startswith("correct lms_postgres_sslmode or lms_postgres_ca, then")
    assert told(f"clickhouse: {tls}").next.startswith("correct lms_clickhouse_secure or lms_clickhouse_ca, then")


def test_every_setting_that_is_named_is_one() -> None:
    texts = [text for cause in CAUSES for text in (cause.sentence, cause.next)]
    facts = [text for known in (_ANY_DATABASE, *(known for _pattern, known in _DATABASES)) for text in known.values()]
    page = (ROOT / "docs" / "causes.md").read_text()
    named = set(itertools.chain.from_iterable(SETTING.findall(text) for text in [*texts, *facts, page]))
    assert len(named) > 20
    assert named - {f"lms_{setting.name}" for setting in SETTINGS} == set()
