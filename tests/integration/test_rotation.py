# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation on a real cluster with real databases: no request lost, former passwords refused, killed anywhere, and never by mistake."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.asking import asked_all_the_time
from support.deployer import Audit, audit_of
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared
from support.logins import opens
from support.runs import Run, until

POLL_SECONDS = 0.05
KILL_DEADLINE_SECONDS = 120
# What every run sends to work alone, and that changes nothing of the client's environment.
ABOUT_THE_RUN = ("leases/", "configmaps/lms-client-")
# Killed runs leave their Lease behind; the next one need not wait a minute for it here.
SHORT_LEASE = ("-e", "lms_lease_seconds=5")
MOST_RUNS = 30
SPACE = "test-rotation"
Values = dict[str, str]


def writes(audit: Audit) -> list[str]:
    """Return what was written of environments: "verb resource/name"."""
    return [write for write in audit.writes() if not write.partition(" ")[2].startswith(ABOUT_THE_RUN)]


def values(prepared: Prepared, client: str) -> Values:
    """Return all values of the client's Secrets, as the administrator reads them."""
    found: Values = {}
    for name in (f"lms-credentials-{client.lower()}", f"rsa-secret-{client.lower()}"):
        data = prepared.lab.get("secret", name, prepared.namespace)["data"]
        found |= {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return found


def rotate(prepared: Prepared, client: str, parts: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run rotate_credentials.yml for one client."""
    return prepared.playbook("rotate_credentials", "-e", f"client={client}", "-e", f"credentials={parts}", *words, check=check)


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """The namespace lms-dev, with the superuser of PostgreSQL."""
    return lab.prepare()


@pytest.fixture(scope="module")
def client(dev: Prepared) -> str:
    """A client whose credentials were never rotated."""
    made = fresh()
    dev.provision(made)
    return made


def test_both_passwords_twice_in_a_row_without_losing_a_request(client: str, dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    name = client.lower()
    found = [values(dev, client)]
    # The back end makes a new login to both databases for each request to this path.
    with asked_all_the_time(lab, f"https://backend.lms-dev.example/{client}/db") as answers:
        for _turn in range(2):
            shown = rotate(dev, client, "postgres,clickhouse").stdout
            found.append(values(dev, client))
            assert opens(lab, found[-2], tmp_path, client) == {"postgres": False, "clickhouse": False}
            assert opens(lab, found[-1], tmp_path, client) == {"postgres": True, "clickhouse": True}
    assert (set(answers), answers["200"] > 50) == ({"200"}, True), answers
    assert [one["postgres-user"] for one in found] == [name, f"{name}_b", name]
    assert [one["clickhouse-user"] for one in found] == [name, f"{name}_b", name]
    assert {key for key in found[0] if found[0][key] != found[2][key]} == {
        "postgres-password", "postgres-verifier", "clickhouse-password", "clickhouse-password-sha256", "clickhouse-salt",
    }  # fmt: skip
    assert re.search(rf"credentials +{client}: in use: postgres {name}, clickhouse {name} ", shown)
    assert f"{client}: rotated postgres, clickhouse" in shown
    assert not [value for one in found for key, value in one.items() if len(value) > 12 and value in shown]


def test_nothing_is_left_to_do_after_it(client: str, dev: Prepared) -> None:
    audit = audit_of(dev)
    assert f"{client} is ready, nothing changed" in dev.provision(client).stdout
    assert writes(audit) == []


def test_seed_and_key_are_made_anew_for_the_one_who_types_the_id(client: str, dev: Prepared, lab: Lab) -> None:
    before = values(dev, client)
    audit = audit_of(dev)
    for words in ((), ("-e", "confirm=C1"), ("-e", f"confirm={client.lower()}")):
        refused = rotate(dev, client, "seed,rsa", *words, check=False)
        assert refused.returncode == 2
        assert f"confirm: rotating the seed of {client} ends every user's session. Expected the client's id, {client}." in refused.stdout
    assert writes(audit) == []
    rotate(dev, client, "seed,rsa", "-e", f"confirm={client}")
    after = values(dev, client)
    assert {key for key in before if before[key] != after[key]} == {"keys-secret-seed", "rsa_key"}
    assert json.loads(lab.curl(f"https://backend.lms-dev.example/{client}/").stdout)["client"] == client


def under_way(prepared: Prepared, client: str) -> dict[str, object]:
    """Return what the client's Secret says of a rotation under way; empty without one."""
    metadata = prepared.lab.get("secret", f"lms-credentials-{client.lower()}", prepared.namespace)["metadata"]
    return dict(json.loads(metadata["annotations"].get("rarus.lms/rotation", "{}")))


def killed_after_its_next_write(prepared: Prepared, words: list[str]) -> str:
    """Run a playbook, kill it at its first write to the environment; return that write, empty where the run ended by itself."""
    audit = audit_of(prepared)
    command = prepared.lab.command("ansible-playbook", "rotate_credentials.yml", "-i", str(prepared.inventory), *words)
    run = subprocess.Popen(
        command,
        env={**os.environ, **prepared.env},
        cwd=PLAYBOOKS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + KILL_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        ended = run.poll() is not None
        written = writes(audit)
        if written and not ended:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return written[0]
        if ended:
            assert run.returncode == 0
            return written[-1] if written else ""
        time.sleep(POLL_SECONDS)
    raise AssertionError("the run neither wrote nor ended")


def test_killed_at_every_write_and_run_again_it_ends_right(dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    client = fresh()
    dev.provision(client)
    before = values(dev, client)
    words = ["-e", f"client={client}", "-e", "credentials=postgres,clickhouse,seed,rsa", "-e", f"confirm={client}", *SHORT_LEASE]
    killed_at: list[str] = []
    for number in range(MOST_RUNS):
        killed_at.append(killed_after_its_next_write(dev, words))
        half = values(dev, client)
        assert opens(lab, half, tmp_path, client) == {"postgres": True, "clickhouse": True}, killed_at
        if number % 3 == 1:
            assert f"{client} is ready" in dev.provision(client, *SHORT_LEASE).stdout, killed_at
            assert values(dev, client) == half, "a plain run does not rotate"
        if not under_way(dev, client):
            break
    after = values(dev, client)
    assert set(after) == set(before)
    assert after["postgres-user"] == f"{client.lower()}_b", killed_at
    assert opens(lab, before, tmp_path, client) == {"postgres": False, "clickhouse": False}
    assert opens(lab, after, tmp_path, client) == {"postgres": True, "clickhouse": True}
    assert "nothing changed" in dev.provision(client, *SHORT_LEASE).stdout
    kinds = {write.partition("/")[0] for write in killed_at if write}
    assert {"update secrets", "patch jobs", "patch deployments"} <= kinds, killed_at


def test_another_rotation_waits_for_the_unfinished_one(client: str, dev: Prepared) -> None:
    assert killed_after_its_next_write(dev, ["-e", f"client={client}", "-e", "credentials=postgres", *SHORT_LEASE]).startswith(
        "update secrets"
    )
    half = values(dev, client)
    refused = rotate(dev, client, "clickhouse", *SHORT_LEASE, check=False)
    assert refused.returncode == 2
    assert f"a rotation of postgres of {client} is unfinished" in refused.stdout
    assert f"rotate_credentials.yml -e client={client} -e credentials=postgres" in refused.stdout
    assert values(dev, client) == half
    assert f"{client}: goes on after step open: postgres" in rotate(dev, client, "postgres", *SHORT_LEASE).stdout
    assert not under_way(dev, client)


def test_a_dry_run_tells_and_writes_nothing(client: str, dev: Prepared) -> None:
    audit = audit_of(dev)
    assert f"{client}: would rotate postgres" in rotate(dev, client, "postgres", "--check").stdout
    assert writes(audit) == []


def test_a_password_that_differs_is_repaired_in_the_databases_and_said(client: str, dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    found = values(dev, client)
    postgres, clickhouse = lab.facts["postgres"]["15"], lab.facts["clickhouse"]
    password = lab.secret(postgres["superuser"]["password_file"])
    target = f"host={postgres['host']} port={postgres['port']} user={postgres['superuser']['user']} dbname=postgres"
    lab.run("psql", target, "-Xqc", f"ALTER ROLE {found['postgres-user']} PASSWORD 'somebodyelses'", env={"PGPASSWORD": password})
    config = tmp_path / "admin.xml"
    config.write_text(
        f"<c><user>{clickhouse['admin']['user']}</user><password>{lab.secret(clickhouse['admin']['password_file'])}</password></c>"
    )
    words = ("--config-file", str(config), "--host", clickhouse["host"], "--port", str(clickhouse["port"]), "--query")
    lab.run("clickhouse-client", *words, f"ALTER USER {found['clickhouse-user']} IDENTIFIED BY 'somebodyelses'")
    assert opens(lab, found, tmp_path, client) == {"postgres": False, "clickhouse": False}
    shown = dev.provision(client, "-e", "redo=databases").stdout
    for user, database in ((found["postgres-user"], "PostgreSQL"), (found["clickhouse-user"], "ClickHouse")):
        assert f"{client}: repaired: the password of {user} in {database} differed from the Secret" in shown
    assert opens(lab, found, tmp_path, client) == {"postgres": True, "clickhouse": True}
    assert values(dev, client) == found
    assert "repaired" not in dev.provision(client, "-e", "redo=databases").stdout


def test_lost_credentials_are_made_anew_on_a_typed_id_and_the_databases_follow(dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    client = fresh()
    dev.provision(client)
    before = values(dev, client)
    lab.kubectl("delete", "secret", f"lms-credentials-{client.lower()}", "-n", "lms-dev")
    for words in ((), ("-e", "credentials_recreate=true"), ("-e", "credentials_recreate=true", "-e", "credentials_confirm=C1")):
        assert dev.provision(client, *words, check=False).returncode == 2
    assert not lab.get("secret", f"lms-credentials-{client.lower()}", "lms-dev")
    shown = dev.provision(client, "-e", "credentials_recreate=true", "-e", f"credentials_confirm={client}").stdout
    assert f"{client} is ready" in shown
    assert "repaired: the password of" in shown
    after = values(dev, client)
    assert (after["rsa_key"], after["keys-secret-seed"] == before["keys-secret-seed"]) == (before["rsa_key"], False)
    assert opens(lab, before, tmp_path, client) == {"postgres": False, "clickhouse": False}
    assert opens(lab, after, tmp_path, client) == {"postgres": True, "clickhouse": True}


@pytest.fixture(scope="module")
def prod(lab: Lab) -> Iterator[Prepared]:
    """A namespace whose only clients are this file's, with the administrator that has only CREATEROLE and CREATEDB, and a prefix."""
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found", "--wait")
    bare = {"lms_static_volume": {"kind": "none"}, "namespace_volume": "none", "lms_publish": "none"}
    extra = {"lms_namespace_id": SPACE, "lms_catalogue": SPACE, **bare}
    yield lab.prepare(ROOT / "inventories" / "lms-prod", namespace=SPACE, admin="createrole", extra=extra)
    lab.kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.fixture(scope="module")
def pair(prod: Prepared) -> list[str]:
    """The two clients of that namespace."""
    clients = [fresh(), fresh()]
    for client in clients:
        prod.provision(client)
    return clients


def test_several_clients_are_rotated_batch_after_batch(pair: list[str], prod: Prepared, lab: Lab, tmp_path: Path) -> None:
    before = {client: values(prod, client)["rsa_key"] for client in pair}
    shown = prod.playbook("rotate_credentials", "-e", f"clients={','.join(pair)}", "-e", "batch=1", "-e", "credentials=rsa").stdout
    for number, client in enumerate(pair, start=1):
        assert f"batch {number} of 2: {client}" in shown
        assert f"{client}: rotated rsa" in shown
        after = values(prod, client)
        assert opens(lab, after, tmp_path, client, prefix="prod_") == {"postgres": True, "clickhouse": True}
        assert after["rsa_key"] != before[client]


def test_all_clients_are_rotated_together(pair: list[str], prod: Prepared, lab: Lab, tmp_path: Path) -> None:
    before = {client: values(prod, client) for client in pair}
    prod.playbook("rotate_credentials", "-e", "clients=all", "-e", "credentials=postgres,clickhouse")
    for client in pair:
        after = values(prod, client)
        assert after["postgres-user"] == f"prod_{client.lower()}_b"
        assert opens(lab, before[client], tmp_path, client, prefix="prod_") == {"postgres": False, "clickhouse": False}
        assert opens(lab, after, tmp_path, client, prefix="prod_") == {"postgres": True, "clickhouse": True}


def test_a_batch_run_that_was_ended_rotates_no_client_twice(pair: list[str], prod: Prepared, lab: Lab) -> None:
    """Killed in its second batch; and where it gave up at its end, when one client was done and the other was not."""
    first, second = pair
    together = ",".join(pair)
    words = {"clients": together, "batch": 1, "credentials": "seed", "confirm": together}
    words |= {"lms_lease_seconds": 5, "lms_lease_wait_seconds": 8}
    before = {client: values(prod, client)["keys-secret-seed"] for client in pair}
    run = Run(prod, "rotate_credentials", **words)
    until(lambda: run.process.poll() is not None or under_way(prod, second), "the second batch")
    run.kill()
    made = values(prod, first)["keys-secret-seed"]
    assert (made != before[first], under_way(prod, first)["step"]) == (True, "close"), run.output
    run = Run(prod, "rotate_credentials", **words)
    until(lambda: run.process.poll() is not None or under_way(prod, second).get("step") == "switch", "a new seed of the second client")
    lab.hold(first, SPACE, "anna@desk")
    code, output = run.ended()
    assert (code, f"{first} is held by anna@desk" in output) == (2, True), output
    new = values(prod, second)["keys-secret-seed"]
    assert (new != before[second], values(prod, first)["keys-secret-seed"]) == (True, made)
    assert (under_way(prod, second), under_way(prod, first)["step"]) == ({}, "close")
    lab.release(first, SPACE)
    shown = prod.playbook("rotate_credentials", "-e", json.dumps(words)).stdout
    assert f"goes on where a run was ended; rotated since that began, and not again: {second}" in shown
    assert [values(prod, client)["keys-secret-seed"] for client in pair] == [made, new]
    assert [under_way(prod, client) for client in pair] == [{}, {}]
