# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures produced for real on the lab, each of them named: cause, object, log, next step, exit code, early where it will not heal."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, role_rules
from support.lab import PLAYBOOKS, Lab
from support.verdict_faults import (
    CANARY,
    FAULTS,
    JOB_FAULTS,
    PATH_FAULTS,
    SUPPORT,
    Fault,
    JobFault,
    docker_login,
    environment,
    job,
    unreachable,
)

NAMESPACE = "verdict"
JUDGE = Path(__file__).parent / "verdict" / "judge.yml"
# Long enough for a busy machine to start some forty pods, and some of them twice.
WAIT_SECONDS = 60
SHORT_WAIT_SECONDS = 12
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Namespace:
    """The namespace of these tests, and the token of somebody who has a deployer's rights in it."""

    lab: Lab
    folder: Path
    token: str

    def apply(self, *objects: Obj) -> None:
        """Apply objects as the administrator."""
        self.lab.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def judge(self, entry_point: str, **options: t.Any) -> tuple[int, str, Obj]:
        """Run an entry point as a deployer; return the exit code, the screen and the result."""
        api, result = self.lab.facts["api"], self.folder / "result.json"
        connection = {"host": api["root_url"], "ca_cert": api["ca_file"], "api_key": self.token}
        variables = {
            "entry_point": entry_point,
            "options": {"namespace": NAMESPACE, **connection, **options},
            "result_file": str(result),
        }
        done = self.lab.run("ansible-playbook", str(JUDGE), "-e", json.dumps(variables), cwd=PLAYBOOKS, check=False)
        assert result.exists(), done.stdout + done.stderr
        told: Obj = json.loads(result.read_text())
        result.unlink()
        _keep(done.stdout)
        return done.returncode, done.stdout, told


@pytest.fixture(scope="module")
def namespace(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """Provide a namespace with Pod Security `restricted`, a quota, a LimitRange and a deployer's token."""
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    prepared = Namespace(lab, tmp_path_factory.mktemp("verdict"), "")
    prepared.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}})
    registry, superuser = lab.facts["registry"], lab.facts["postgres"]["15"]["superuser"]
    prepared.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": NAMESPACE}},
        _named("rbac.authorization.k8s.io/v1", "Role", "deployer", rules=role_rules(NAMESPACE_RULES)),
        _named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "deployer",
            subjects=[{"kind": "ServiceAccount", "name": "deployer", "namespace": NAMESPACE}],
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
        ),
        _named("v1", "ResourceQuota", "verdict", spec={"hard": {"limits.memory": "38Gi"}}),
        _named("v1", "LimitRange", "verdict", spec={"limits": [{"type": "Container", "max": {"cpu": "1000"}}]}),
        docker_login("repository-token", registry["user"], lab.secret(registry["password_file"])),
        docker_login("wrong-token", registry["user"], "a wrong password"),
        _named("v1", "Secret", "postgres-superuser", stringData={"password": lab.secret(superuser["password_file"])}),
        *SUPPORT,
    )
    token = lab.kubectl("--namespace", NAMESPACE, "create", "token", "deployer", "--duration", "2h").strip()
    yield Namespace(lab, prepared.folder, token)
    lab.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _keep(screen: str) -> None:
    """Add a screen to the file that RARUS_LMS_SCREENS names: what docs/verdict.md shows is cut from it, and never typed."""
    if path := os.environ.get("RARUS_LMS_SCREENS"):
        with Path(path).open("a") as file:
            file.write(screen)


def _named(api_version: str, kind: str, name: str, **more: t.Any) -> Obj:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **more}


@pytest.fixture(scope="module")
def environments(namespace: Namespace) -> dict[str, Obj]:
    """Break everything at once, wait once for each way of publishing, and return what was told of each client."""
    namespace.apply(*(obj for fault in FAULTS for obj in environment(fault)), *(obj for fault in PATH_FAULTS for obj in unreachable(fault)))
    namespace.apply(*(job(fault) for fault in JOB_FAULTS[1:]))
    groups = {
        "none": [fault.client for fault in FAULTS],
        "ingress": [fault.client for fault in PATH_FAULTS if fault.object != "HTTPRoute"],
        "httproute": [fault.client for fault in PATH_FAULTS if fault.object == "HTTPRoute"],
    }
    told = {}
    for publish, clients in groups.items():
        wait = {"wait": True, "wait_timeout": WAIT_SECONDS if publish == "none" else SHORT_WAIT_SECONDS}
        code, _screen, result = namespace.judge("environment_info", clients=clients, publish=publish, must_be_ready=False, **wait)
        assert code == 0
        told.update({one["client"]: one for one in result["environments"]})
    return told


def assert_told(fault: Fault, told: Obj) -> None:
    """What was told of a client is its fault."""
    assert told["phase"] == "failed", told
    finding = told["findings"][0]
    assert finding["cause"] == fault.cause, finding
    assert fault.told in finding["message"]
    assert finding["object"].startswith(f"{fault.object} verdict/")
    assert fault.client.lower() in finding["object"]
    assert fault.log in "\n".join(finding["log"])
    assert finding["next"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number}-{fault.cause}")
def test_cause_of_a_broken_environment(fault: Fault, environments: dict[str, Obj]) -> None:
    assert_told(fault, environments[fault.client])
    assert (environments[fault.client]["seconds"] < WAIT_SECONDS) == fault.early


@pytest.mark.parametrize("fault", PATH_FAULTS, ids=lambda fault: f"{fault.number}-{fault.cause}")
def test_cause_of_an_unreachable_environment(fault: Fault, environments: dict[str, Obj]) -> None:
    assert_told(fault, environments[fault.client])
    assert (environments[fault.client]["seconds"] < SHORT_WAIT_SECONDS) == fault.early


@pytest.mark.parametrize("fault", JOB_FAULTS, ids=lambda fault: f"{fault.number}-{fault.cause}")
def test_cause_of_a_failed_job(fault: JobFault, environments: dict[str, Obj], namespace: Namespace) -> None:
    wanted = job(fault)
    namespace.apply(wanted)
    code, screen, told = namespace.judge("jobs_info", jobs={fault.client: [wanted["metadata"]["name"]]}, wait_timeout=90)
    assert code == 2
    finding = told["jobs"][0]["findings"][0]
    assert finding["cause"] == fault.cause, finding
    assert fault.told in finding["message"]
    assert f"{fault.client} in verdict FAILED after" in screen
    assert "  next     " in screen
    assert max(map(len, told["screen"])) <= 100
    assert told["jobs"][0]["state"] == ("running" if fault is JOB_FAULTS[0] else "failed"), (
        "what its log makes certain needs no further try"
    )


def test_a_failed_wait_ends_with_the_screen_and_exit_code_2(namespace: Namespace, environments: dict[str, Obj]) -> None:
    secret = _named("v1", "Secret", "lms-credentials-c106", stringData={"seed": CANARY})
    namespace.apply(secret)
    code, screen, told = namespace.judge("environment_info", clients=["C106"], wait=True, wait_timeout=WAIT_SECONDS)
    assert code == 2
    assert "C106 in verdict FAILED after" in screen
    assert "container c106, exit code 3" in screen
    assert "the settings are ***" in screen
    assert CANARY not in screen + json.dumps(told)
