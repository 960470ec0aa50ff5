# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe is made of, and what the words mean that it leaves."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.login_probe import DATABASES, answer_of, is_setup_of, probe_job
from ansible_collections.rarus.lms.plugins.module_utils._domain.template_rules import faults_of
from support.requests import setups_of

C42 = ClientId(42)
REPAIR = "provision_client.yml -e client=C42 -e redo=databases gives "
REFUSED = 'psql: error: connection to server at "postgres.example" (10.0.0.7), port 5432 failed: '
CLICKHOUSE = (
    "Code: 516. DB::Exception: Received from clickhouse.example:9000. DB::Exception: c42: Authentication failed: password is incorrect."
)

ANSWERS: list[tuple[str, str, str, str, str, str]] = [
    ("agrees", "postgres", "agrees\n", "agrees", "", ""),
    (
        "another password",
        "postgres",
        REFUSED + 'FATAL:  password authentication failed for user "c42"\n',
        "differs",
        "PostgreSQL refused the client's own password",
        REPAIR + "PostgreSQL",
    ),
    ("another password", "clickhouse", CLICKHOUSE, "differs", "ClickHouse refused the client's own password", REPAIR + "ClickHouse"),
    ("a closed login", "postgres", REFUSED + 'FATAL:  role "c42" is not permitted to log in\n', "differs", "is not permitted", REPAIR),
    ("no role", "postgres", REFUSED + 'FATAL:  role "c42" does not exist\n', "differs", 'role "c42" does not exist', REPAIR),
    ("no database", "postgres", REFUSED + 'FATAL:  database "c42" does not exist\n', "differs", "has no database", REPAIR),
    ("no database", "clickhouse", "database c42 does not exist, or the login does not see it\n", "differs", "has no database", REPAIR),
    ("no CONNECT", "postgres", REFUSED + 'FATAL:  permission denied for database "c42"\n', "differs", "denies the client a right", REPAIR),
    ("another's rights", "postgres", "login c42_b acts as c42_b, not as c42\n", "differs", "acts as c42_b", REPAIR),
    ("a closed port", "postgres", REFUSED + "Connection refused\n", "unreachable", "accepts no connection", "lms_postgres_host"),
    ("silence", "postgres", REFUSED + "timeout expired\n", "unreachable", "does not answer", "firewalls"),
    (
        "silence",
        "clickhouse",
        "Code: 209. DB::NetException: Timeout exceeded while connecting",
        "unreachable",
        "ClickHouse does not",
        "firew",
    ),
    ("no such host", "postgres", 'psql: error: could not translate host name "x" to address', "unreachable", "was not found", "_host"),
    ("a start", "postgres", REFUSED + "FATAL:  the database system is starting up\n", "unreachable", "is starting up", "comes up"),
    ("something else", "postgres", "\npsql: error: out of memory\n", "unknown", "psql: error: out of memory", "ask again"),
    ("nothing", "clickhouse", "", "unknown", "the probe told nothing", "ask again"),
]


@pytest.mark.parametrize(("case", "database", "told", "state", "why", "next_step"), ANSWERS, ids=[" ".join(case[:2]) for case in ANSWERS])
def test_answers(case: str, database: str, told: str, state: str, why: str, next_step: str) -> None:
    answer = answer_of(told, database, C42, "lms-dev")
    assert answer.state == state, case
    assert why in answer.why
    assert next_step in answer.next


def probe(database: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rendered setup Job of C42, and the probe that is made of it."""
    setup = next(request["object"] for request in setups_of("C42") if is_setup_of(database, C42, request["object"]))
    return setup, probe_job(setup, database, C42, "5f1c0a12", deadline=60)


@pytest.mark.parametrize("database", DATABASES)
def test_a_probe_is_the_setup_without_the_administrator(database: str) -> None:
    setup, job = probe(database)
    before, pod = (one["spec"]["template"]["spec"] for one in (setup, job))
    assert [volume["name"] for volume in pod["volumes"]] == [volume["name"] for volume in before["volumes"] if volume["name"] != "admin"]
    (container,), (original,) = pod["containers"], before["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/run/lms/credentials", "/run/lms/work"]
    assert (container["image"], container["env"]) == (original["image"], original["env"])
    assert f"{database}-admin" not in str(job)
    assert job["metadata"]["name"] == f"{database}-probe-c42-5f1c0a12"
    assert job["metadata"]["labels"]["rarus.lms/client"] == "C42"
    assert "annotations" not in job["metadata"]
    assert faults_of(job, C42, "lms-dev") == []


@pytest.mark.parametrize("database", DATABASES)
def test_the_script_can_be_read(database: str) -> None:
    script = probe(database)[1]["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False).stderr == ""


def test_another_clients_setup_is_none() -> None:
    setup = setups_of("C42")[0]["object"]
    assert not any(is_setup_of(database, ClientId(4), setup) for database in DATABASES)
