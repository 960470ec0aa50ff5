# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's Secrets on a real cluster: made once, kept through kills and races, missed when they are gone, and never shown."""

from __future__ import annotations

import base64
import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.client_objects import referring
from support.deployer import Deployer
from support.lab import Lab

NAMESPACE = "test-credentials"
RACERS = 4
KILLS = 6
# Values that are no secrets: names of users.
OPEN_KEYS = {"postgres-user", "clickhouse-user"}


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace of this file's own."""
    made = Deployer(lab, NAMESPACE, tmp_path_factory.mktemp("credentials"))
    made.remove()
    made.prepare()
    yield made
    made.remove()


def register(deployer: Deployer, client: str) -> None:
    deployer.module("client", client=client, namespace=NAMESPACE, catalogue="test")


def wanted(client: str, **more: Any) -> dict[str, Any]:
    return {"client": client, "namespace": NAMESPACE, **more}


def values(deployer: Deployer, client: str) -> dict[str, str]:
    """Return all values of the client's Secrets, base64 as they lie there, by key."""
    found: dict[str, str] = {}
    for name in (f"lms-credentials-{client.lower()}", f"rsa-secret-{client.lower()}"):
        found |= deployer.lab.get("secret", name, NAMESPACE).get("data") or {}
    return found


def recorded(deployer: Deployer, client: str) -> str:
    return str(deployer.lab.get("configmap", f"lms-client-{client.lower()}", NAMESPACE)["data"]["credentials"])


def shown(text: str, secrets: dict[str, str]) -> list[str]:
    """Return the keys whose values occur in a text: as they are, in base64, URL-encoded, or their first 12 characters."""
    found = []
    for key, encoded in secrets.items():
        plain = base64.b64decode(encoded).decode("latin-1")
        body = plain.replace("-----BEGIN RSA PRIVATE KEY-----\n", "")
        forms = {encoded, encoded[:40], plain, body[:12], quote(plain, safe=""), plain.replace("\n", "\\n")}
        if key not in OPEN_KEYS and any(form in text for form in forms):
            found.append(key)
    return found


def test_credentials_are_made_once_and_kept(deployer: Deployer) -> None:
    register(deployer, "C42")
    made = deployer.task("credentials", **wanted("C42"))
    assert (made["changed"], made["created"]) == (True, ["lms-credentials-c42", "rsa-secret-c42"])
    before = values(deployer, "C42")
    assert re.fullmatch(r"[0-9a-f]{128}", base64.b64decode(before["keys-secret-seed"]).decode())
    assert recorded(deployer, "C42") == "made"
    audit = deployer.audit()
    again = deployer.task("credentials", **wanted("C42"))
    assert (again["changed"], again["fingerprint"], again["made"]) == (False, made["fingerprint"], made["made"])
    assert audit.requests() == ["list secrets/", "get configmaps/lms-client-c42"]
    assert values(deployer, "C42") == before


def test_one_read_is_enough_where_the_record_was_just_read(deployer: Deployer) -> None:
    register(deployer, "C41")
    deployer.module("credentials", **wanted("C41"))
    audit = deployer.audit()
    assert deployer.module("credentials", **wanted("C41", recorded="made"))["changed"] is False
    assert audit.requests() == ["list secrets/"]
    operators = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sms4b"}, "stringData": {"token": "one"}}
    deployer.lab.kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", text=json.dumps(operators))
    audit = deployer.audit()
    assert deployer.module("credentials", **wanted("C41", recorded="made", requests=referring("C41", "sms4b")))["changed"] is False
    assert audit.requests() == ["list secrets/", "get secrets/sms4b"]


def test_a_rotation_by_the_module_alone(deployer: Deployer) -> None:
    register(deployer, "C51")
    deployer.module("credentials", **wanted("C51"))
    before = values(deployer, "C51")
    audit = deployer.audit()
    options = wanted("C51", state="rotated", parts=["postgres", "rsa"])
    states = [
        deployer.task("credentials", **options, step=step)["rotation"].get("step", "") for step in ("open", "switch", "close", "done")
    ]
    assert states == ["open", "switch", "close", ""]
    assert audit.writes() == [f"update secrets/{name}" for name in ("lms-credentials-c51", "rsa-secret-c51", *["lms-credentials-c51"] * 3)]
    after = values(deployer, "C51")
    assert {key for key in before if before[key] != after[key]} == {"postgres-user", "postgres-password", "postgres-verifier", "rsa_key"}
    (found,) = deployer.task("credentials_info", namespace=NAMESPACE, clients=["C51"])["clients"]
    assert (found["logins"], found["rotation"], set(found["rotated"])) == (
        {"postgres": "c51_b", "clickhouse": "c51"}, {}, {"postgres", "rsa"},
    )  # fmt: skip


def test_module_and_action_answer_alike(deployer: Deployer) -> None:
    register(deployer, "C43")
    deployer.module("credentials", **wanted("C43"))
    task, module = deployer.task("credentials", **wanted("C43")), deployer.module("credentials", **wanted("C43"))
    for key in ("changed", "created", "secrets", "fingerprint", "fingerprints", "made"):
        assert module[key] == task[key]


def test_check_mode_makes_nothing(deployer: Deployer) -> None:
    audit = deployer.audit()
    assert deployer.module("credentials", check_mode=True, **wanted("C44"))["created"] == ["lms-credentials-c44", "rsa-secret-c44"]
    assert audit.writes() == []


def test_several_at_once_end_with_one_pair(deployer: Deployer) -> None:
    register(deployer, "C45")
    commands = [deployer.command("credentials", **wanted("C45")) for _number in range(RACERS)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    results = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    assert not any(result.get("failed") for result in results), results
    assert len({result["fingerprint"] for result in results}) == 1
    assert recorded(deployer, "C45") == "made"


def test_runs_that_are_killed_are_finished_by_the_next(deployer: Deployer) -> None:
    seed = time.time_ns()
    chance = random.Random(seed)
    started = time.monotonic()
    register(deployer, "C46")
    whole_run = time.monotonic() - started
    kept: dict[str, str] = {}
    for _number in range(KILLS):
        run = subprocess.Popen(deployer.command("credentials", **wanted("C46")), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=chance.uniform(whole_run / 2, whole_run * 1.3))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
        found = values(deployer, "C46")
        assert kept.items() <= found.items(), f"seed {seed}: a secret changed by itself"
        kept = found
    result = deployer.module("credentials", **wanted("C46"))
    assert not result.get("failed"), (seed, result)
    assert kept.items() <= values(deployer, "C46").items()
    assert recorded(deployer, "C46") == "made"
    assert deployer.module("credentials", **wanted("C46"))["changed"] is False


def test_a_secret_that_was_deleted_is_missed_and_its_backup_taken(deployer: Deployer) -> None:
    register(deployer, "C47")
    first = deployer.module("credentials", **wanted("C47"))
    backup = deployer.lab.kubectl("get", "secret", "rsa-secret-c47", "-n", NAMESPACE, "-o", "json")
    deployer.lab.kubectl("delete", "secret", "rsa-secret-c47", "-n", NAMESPACE)
    audit = deployer.audit()
    result = deployer.module("credentials", **wanted("C47"))
    assert result["msg"].startswith("Secret test-credentials/rsa-secret-c47 is missing, though the record of C47 says that it was made.")
    assert audit.writes() == []
    restored = json.loads(backup)
    for field in ("resourceVersion", "uid", "creationTimestamp"):
        restored["metadata"].pop(field)
    deployer.lab.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(restored))
    assert deployer.module("credentials", **wanted("C47"))["fingerprint"] == first["fingerprint"]


def test_somebody_elses_secret_is_left_alone(deployer: Deployer) -> None:
    register(deployer, "C48")
    deployer.lab.kubectl("create", "secret", "generic", "rsa-secret-c48", "-n", NAMESPACE, "--from-literal=rsa_key=theirs")
    audit = deployer.audit()
    result = deployer.module("credentials", **wanted("C48"))
    assert "Secret test-credentials/rsa-secret-c48 exists and is not this collection's" in result["msg"]
    assert audit.writes() == []


def test_a_brought_key_and_what_pods_refer_to_are_read(deployer: Deployer) -> None:
    register(deployer, "C49")
    key = subprocess.run(["openssl", "genrsa", "3072"], check=True, capture_output=True, text=True).stdout
    brought = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "brought"}, "stringData": {"pem": key, "token": "one"}}
    deployer.lab.kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", text=json.dumps(brought))
    options = wanted("C49", rsa_key_secret={"name": "brought", "key": "pem"}, requests=referring("C49", "brought"))
    first = deployer.module("credentials", **options)
    assert base64.b64decode(values(deployer, "C49")["rsa_key"]).decode() == key
    brought["stringData"] = {"pem": key, "token": "two"}
    deployer.lab.kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", text=json.dumps(brought))
    second = deployer.module("credentials", **options)
    assert (first["fingerprint"] == second["fingerprint"], second["changed"]) == (False, False)
    assert first["fingerprints"]["rsa"] == second["fingerprints"]["rsa"]


def test_no_value_is_seen_at_any_verbosity(deployer: Deployer) -> None:
    register(deployer, "C50")
    task = {"rarus.lms.credentials": wanted("C50"), "register": "made"}
    show = {"ansible.builtin.debug": {"var": "made"}}
    runs = [deployer.play(task, show, words=("-vvvv", "--diff"), json_only=False) for _number in range(2)]
    module = subprocess.run(deployer.command("credentials", **wanted("C50")), capture_output=True, text=True, check=True)
    text = "".join(run.stdout + run.stderr for run in (*runs, module))
    assert "fingerprint" in text
    secrets = values(deployer, "C50")
    assert len(secrets) == 10
    assert shown(text, secrets) == []
    assert deployer.token not in text
    audit = deployer.audit().path.read_text()
    assert shown(audit, secrets) == []
    record = json.dumps(deployer.lab.get("configmap", "lms-client-c50", NAMESPACE))
    assert shown(record, secrets) == []


def test_the_search_for_values_can_fail() -> None:
    secrets = {"postgres-password": base64.b64encode(b"Canary0123456789").decode()}
    for text in ("x Canary0123456789 x", "Canary012345", base64.b64encode(b"Canary0123456789").decode()):
        assert shown(text, secrets) == ["postgres-password"]
