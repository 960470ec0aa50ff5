# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs together on a real cluster: a client's Secret and its databases, its record and its objects; what differs is found."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from support.ids import fresh
from support.lab import Lab, Prepared

SPACE = "lms-dev"
ID = fresh()
NAME = ID.lower()


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """Provide the namespace lms-dev with a client that is ready."""
    prepared = lab.prepare()
    prepared.provision(ID)
    return prepared


def status(dev: Prepared, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Ask for the client's state, its logins included."""
    return dev.playbook("status_client", "-e", f"client={ID}", "-e", "probe=credentials", *words, check=check)


def secrets(lab: Lab) -> list[str]:
    """Return the passwords in the client's Secret."""
    data = lab.get("secret", f"lms-credentials-{NAME}", SPACE)["data"]
    return [base64.b64decode(data[f"{database}-password"]).decode() for database in ("postgres", "clickhouse")]


def probes(lab: Lab) -> list[str]:
    """Return the Jobs that are left of logins that were tried."""
    found = lab.get("jobs", namespace=SPACE, selector=f"rarus.lms/client={ID}")["items"]
    return [job["metadata"]["name"] for job in found if "-probe-" in job["metadata"]["name"]]


def change_passwords(lab: Lab, folder: Path) -> None:
    """Give the client's logins other passwords in both databases."""
    server = lab.facts["postgres"]["15"]
    admin = server["superuser"]
    words = ["psql", "-XAtq", "-h", server["host"], "-p", str(server["port"]), "-U", admin["user"], "-d", "postgres"]
    lab.run(*words, "-c", f"ALTER ROLE {NAME} PASSWORD 'another'", env={"PGPASSWORD": lab.secret(admin["password_file"])})
    clickhouse, config = lab.facts["clickhouse"], folder / "client.xml"
    user, password = clickhouse["admin"]["user"], lab.secret(clickhouse["admin"]["password_file"])
    config.write_text(f"<config><user>{user}</user><password>{password}</password></config>")
    where = ["--config-file", str(config), "--host", clickhouse["host"], "--port", str(clickhouse["port"])]
    lab.run("clickhouse-client", *where, "--query", f"ALTER USER {NAME} IDENTIFIED BY 'another'")


def test_secret_and_databases_agree_and_nothing_is_left_of_asking(dev: Prepared, lab: Lab) -> None:
    done = status(dev, "-vvv", "--diff")
    assert f"{ID}: postgres agrees, clickhouse agrees" in done.stdout
    assert f"{ID} in {SPACE} is ready" in done.stdout
    assert [password for password in secrets(lab) if password in done.stdout + done.stderr] == []
    assert probes(lab) == []


def test_a_difference_is_told_with_what_repairs_it_and_the_repair_says_so(dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    change_passwords(lab, tmp_path)
    told = status(dev, check=False)
    words = " ".join(told.stdout.split())
    assert told.returncode == 2, told.stdout + told.stderr
    assert f"{ID}: postgres differs, clickhouse differs" in words
    assert f"provision_client.yml -e client={ID} -e redo=databases gives PostgreSQL what the Secret holds" in words
    assert f"The Secret of {ID} and its databases do not agree." in words + told.stderr
    repaired = dev.provision(ID, "-e", "redo=databases").stdout
    for database in ("PostgreSQL", "ClickHouse"):
        assert f"{ID}: repaired: the password of {NAME} in {database} differed from the Secret" in " ".join(repaired.split())
    assert f"{ID}: postgres agrees, clickhouse agrees" in status(dev).stdout
    assert probes(lab) == []


def test_a_database_that_does_not_answer_is_neither_agreement_nor_difference(dev: Prepared, lab: Lab) -> None:
    done = status(dev, "-e", "lms_postgres_port=1", check=False)
    assert f"{ID}: postgres unreachable, clickhouse agrees" in done.stdout
    assert done.returncode == 4, done.stdout + done.stderr
    assert probes(lab) == []


def test_what_a_killed_run_has_applied_and_not_recorded_is_nobodys_edit(dev: Prepared, lab: Lab) -> None:
    record = lab.get("configmap", f"lms-client-{NAME}", SPACE)
    objects = dict.fromkeys(json.loads(record["data"]["objects"]), "0123456789abcdef")
    assert len(objects) == 4
    patch = json.dumps({"data": {"objects": json.dumps(objects)}})
    lab.kubectl("patch", "configmap", f"lms-client-{NAME}", "-n", SPACE, "--type=merge", "-p", patch)
    again = dev.provision(ID).stdout
    assert "edited" not in again
    assert "4 objects applied" in again
