# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads and keeps of clients that are there: tables, reports, logs and archives, without a secret in any of them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from support.archives import texts_of
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared

SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())
CLOSED_PORT = "https://127.0.0.1:9"
# What the back end of the client that crashes writes into its log: secrets of the client's own (a password in its DSN), an administrator's,
# and one by lms_secret_environment. A screen shows six lines.
TOLD = ("LMS_STORAGE_POSTGRES_DSN", "LMS_KEYS_SECRET_SEED", "LMS_NOTIFICATIONS_SMS4B_TOKEN", "LAB_OWN_WORD")


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """The namespace lms-dev, made ready; the public path is asked by the controller."""
    return lab.prepare(extra={"lms_probe": "controller", "lms_probe_ca_file": lab.facts["ingress"]["ca_file"], "lms_probe_status": 200})


@pytest.fixture(scope="module")
def good(dev: Prepared) -> str:
    """A client that is ready; the public path was asked for it."""
    client = fresh()
    assert f"{client} is ready" in dev.provision(client).stdout
    return client


@pytest.fixture(scope="module")
def bad(dev: Prepared, good: str) -> str:
    """A client whose pods write secrets into their log, and crash."""
    client = fresh()
    words = ["--namespace=lms-dev", "--from-literal=word=canary of nobody else's", "--dry-run=client", "--output=json"]
    dev.lab.kubectl("apply", "-f", "-", text=dev.lab.kubectl("create", "secret", "generic", "own-words", *words))
    own = {"lms_secret_environment": {"LAB_OWN_WORD": {"name": "own-words", "key": "word"}}}
    settings = {"lms_environment": {"LAB_CRASH": "3", "LAB_TELL": " ".join(TOLD)}, **own}
    done = dev.provision(client, "-e", json.dumps(settings), check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert_told_without_secrets(done.stdout, dev)
    return client


def assert_told_without_secrets(text: str, dev: Prepared) -> None:
    """A text shows what the back end wrote into its log, but for the values."""
    assert [name for name in TOLD if f"LAB_TELL: {name} is" not in text] == []
    assert [needle for needle in secrets_of(dev.lab, dev.namespace) if needle in text] == []


def secrets_of(lab: Lab, namespace: str) -> set[str]:
    """Return the beginnings of all values of Secrets in a namespace, in clear and in base64; headings of keys are no secrets."""
    found = set()
    for item in lab.get("secret", "", namespace)["items"]:
        for key, value in item["data"].items():
            text = base64.b64decode(value).decode(errors="replace")
            if item["type"] == "Opaque" and not key.endswith(("user", "login")) and len(text) >= 12 and not text.startswith("SCRAM-"):
                body = text.split("\n")[1] if text.startswith("-----BEGIN") else text
                found |= {body[:12], base64.b64encode(body.encode()).decode()[:16]}
    return found


def test_a_table_of_all_the_worst_first(dev: Prepared, good: str, bad: str, tmp_path: Path) -> None:
    report = tmp_path / "status.json"
    done = dev.playbook("status_clients", "-e", f"report={report}", check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"lms-dev: \d+ clients: \d+ (failed|degraded)", lines[0]), done.stdout
    order = [line.split()[0] for line in lines if line.startswith("  C")]
    assert order.index(bad) < order.index(good)
    assert max(map(len, lines)) <= 100
    told = json.loads(report.read_text())
    jsonschema.validate(told, SCHEMA)
    assert {one["client"]: one["phase"] for one in told["environments"]}[good] == "ready"


def test_a_table_of_some(dev: Prepared, good: str) -> None:
    assert "1 client: 1 ready" in dev.playbook("status_clients", "-e", f"clients={good}").stdout


def test_junit_of_one(dev: Prepared, bad: str, tmp_path: Path) -> None:
    done = dev.playbook("status_client", "-e", f"client={bad}", "-e", f"report={tmp_path}/r.xml", check=False)
    assert done.returncode == 2
    suite = ET.parse(tmp_path / "r.xml").getroot()
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "crash"


def test_an_api_that_is_away_ends_with_4_and_one_sentence(dev: Prepared, good: str, tmp_path: Path) -> None:
    for name, words in (("status_client", ["-e", f"report={tmp_path}/r.json"]), ("provision_client", [])):
        done = dev.playbook(name, "-e", f"client={good}", "-e", f"lms_api_root_url={CLOSED_PORT}", *words, check=False)
        assert done.returncode == 4, done.stdout + done.stderr
        assert done.stdout.count("refused the connection") == 1, done.stdout
        assert len(done.stdout.splitlines()) == 1, done.stdout
    told = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(told, SCHEMA)
    assert told["environments"][0]["phase"] == "unknown"


NO_ADMIN = {"name": "no-admin", "user_key": "user", "password_key": "password"}
# What ends a run before its verdict: variables, the exit code, what is told of the client, and why.
ENDINGS = [
    ({"lms_replicas": "two"}, 2, "unknown", "run_ended", 'lms_replicas: "two" is not a whole number'),
    ({"lms_api_token": "nobodys-token"}, 4, "unknown", "run_ended", "token"),
    ({"lms_postgres_admin_secret": NO_ADMIN}, 2, "failed", "administrator_password", "Job lms-dev/postgres-setup-"),
]


@pytest.mark.parametrize(("settings", "code", "phase", "cause", "why"), ENDINGS, ids=["settings", "rights", "job"])
def test_a_run_that_ends_before_its_verdict_writes_a_report_too(
    dev: Prepared, lab: Lab, tmp_path: Path, settings: dict[str, object], code: int, phase: str, cause: str, why: str
) -> None:
    if cause == "administrator_password":
        keys = ["--from-literal=user=postgres", "--from-literal=password=no-password"]
        secret = lab.kubectl("create", "secret", "generic", "no-admin", "--namespace=lms-dev", *keys, "--dry-run=client", "-o", "json")
        lab.kubectl("apply", "-f", "-", text=secret)
    client, report = fresh(), tmp_path / "report.json"
    done = dev.provision(client, "-e", json.dumps(settings), "-e", f"report={report}", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(report.read_text())
    jsonschema.validate(told, SCHEMA)
    (environment,) = told["environments"]
    assert why in told["ended"]
    assert (environment["client"], environment["phase"], environment["findings"][0]["cause"]) == (client, phase, cause)
    assert "nobodys-token" not in report.read_text()
    lab.kubectl("delete", "secret", "no-admin", "--namespace=lms-dev", "--ignore-not-found")


def test_wrong_input_ends_with_2(dev: Prepared) -> None:
    assert dev.playbook("status_client", "-e", "client=c42", check=False).returncode == 2


def test_a_screen_and_a_report_without_secrets(dev: Prepared, bad: str, tmp_path: Path) -> None:
    report = tmp_path / "status.json"
    assert_told_without_secrets(dev.playbook("status_client", "-e", f"client={bad}", "-e", f"report={report}", check=False).stdout, dev)
    assert_told_without_secrets(report.read_text(), dev)


def test_logs_without_secrets(dev: Prepared, bad: str) -> None:
    shown = dev.playbook("logs_client", "-e", f"client={bad}", "-e", "previous=true").stdout
    assert "LAB_CRASH: ending with exit code 3" in shown
    assert "postgres-setup-" in shown
    assert_told_without_secrets(shown, dev)


def test_the_archive_has_everything_and_no_secret(dev: Prepared, bad: str, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "ticket.tar.gz"
    dev.playbook("diagnose_client", "-e", f"client={bad}", "-e", f"file={file}")
    texts = texts_of(file)
    needles = secrets_of(lab, "lms-dev") | {dev.env["K8S_AUTH_API_KEY"][:12]}
    assert [name for name, text in texts.items() for needle in needles if needle in text] == []
    logs = "".join(text for name, text in texts.items() if "/logs/" in name)
    assert "LAB_CRASH: ending" in logs
    assert_told_without_secrets(logs, dev)
    assert json.loads(texts[f"{bad}/verdict.json"])["environments"][0]["phase"] == "failed"
    assert json.loads(texts[f"{bad}/record.json"])["data"]["client"] == bad
    kinds = {name.split("/")[2].split("-")[0] for name in texts if "/objects/" in name}
    assert {"Deployment", "ReplicaSet", "Pod", "Service", "Ingress", "Secret", "ConfigMap", "Job", "EndpointSlice"} <= kinds
    assert json.loads(texts[f"{bad}/events.json"])


def test_the_lines_of_a_wait_are_events_of_awx_while_it_goes_on(dev: Prepared, tmp_path: Path) -> None:
    """AWX runs playbooks by ansible-runner, with a callback of its own."""
    words = ["--ident", "run", "--project-dir", str(PLAYBOOKS), "--inventory", str(dev.inventory), "--cmdline", f"-e client={fresh()}"]
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    dev.lab.run("ansible-runner", "run", str(tmp_path), "--playbook", "provision_client.yml", *words, env={**dev.env, **path})
    events = [json.loads(file.read_text()) for file in (tmp_path / "artifacts" / "run" / "job_events").glob("*.json")]
    events.sort(key=lambda event: event["counter"])
    shown = [event for event in events if event["event"] == "verbose"]
    first = next((event for event in shown if event["stdout"].lstrip().startswith("rollout")), None)
    ready = next((event for event in shown if " is ready after " in event["stdout"]), None)
    ended = next(event for event in events if event["event"] == "playbook_on_stats")
    assert first, [event["stdout"] for event in events]
    assert ready, [event["stdout"] for event in events]
    assert first["counter"] < ready["counter"] < ended["counter"]
    assert _told(first) < _told(ready)


def _told(event: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(event["created"])
