# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a client on a real cluster, behind the proxy with its path, and what is said when that cannot be reached."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.deployer import Deployer
from support.lab import Lab

RACERS = 6


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace of this file's own."""
    made = Deployer(lab, "test-client", tmp_path_factory.mktemp("client"))
    made.remove()
    made.prepare()
    yield made
    made.remove()


def wanted(client: str, **more: Any) -> dict[str, Any]:
    return {"client": client, "namespace": "test-client", "catalogue": "test", **more}


def test_a_client_is_registered_once_and_found_again(deployer: Deployer) -> None:
    first = deployer.task("client", **wanted("C42", actor="anna@desk"))
    assert (first["changed"], first["new"], first["record"]["created_by"]) == (True, True, "anna@desk")
    audit = deployer.audit()
    second = deployer.task("client", **wanted("C42"))
    assert (second["changed"], second["new"], second["record"]) == (False, False, first["record"])
    assert audit.requests() == ["get configmaps/lms-client-c42"]
    stored = deployer.lab.get("configmap", "lms-client-c42", "test-client")
    assert {key: stored["data"][key] for key in ("schema", "client", "catalogue", "phase", "credentials")} == {
        "schema": "2",
        "client": "C42",
        "catalogue": "test",
        "phase": "registered",
        "credentials": "none",
    }
    managers = deployer.lab.kubectl(
        "get", "configmap", "lms-client-c42", "-n", "test-client", "-o", "jsonpath={.metadata.managedFields[*].manager}"
    )
    assert managers == "rarus.lms"


def test_module_and_action_answer_alike(deployer: Deployer) -> None:
    made = deployer.module("client", **wanted("C43"))
    assert (made["changed"], made["new"]) == (True, True)
    task, module = deployer.task("client", **wanted("C43")), deployer.module("client", **wanted("C43"))
    assert {key: module[key] for key in ("changed", "new", "record")} == {key: task[key] for key in ("changed", "new", "record")}


def test_check_mode_leaves_no_record(deployer: Deployer) -> None:
    audit = deployer.audit()
    assert deployer.module("client", check_mode=True, **wanted("C44"))["new"] is True
    assert audit.writes() == []


def test_of_several_at_once_exactly_one_registers(deployer: Deployer) -> None:
    commands = [deployer.command("client", **wanted("C45", actor=f"racer {number}")) for number in range(RACERS)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    results = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    winners = [result for result in results if result["new"]]
    assert len(winners) == 1
    assert {result["record"]["created_by"] for result in results} == {winners[0]["record"]["created_by"]}


def test_another_catalogue_and_a_wrong_expectation_are_refused(deployer: Deployer) -> None:
    deployer.module("client", **wanted("C46"))
    audit = deployer.audit()
    assert "belongs to catalogue test, not to other" in deployer.module("client", **{**wanted("C46"), "catalogue": "other"})["msg"]
    assert "is not new: registered" in deployer.module("client", **wanted("C46", must="be_new"))["msg"]
    assert "C99 is not on the list" in deployer.module("client", **wanted("C99", must="exist"))["msg"]
    assert audit.writes() == []


def test_status_is_kept_and_the_same_again_writes_nothing(deployer: Deployer) -> None:
    deployer.module("client", **wanted("C47"))
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "lms-service-c47",
            "namespace": "test-client",
            "labels": {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C47"},
        },
        "spec": {"ports": [{"port": 8080}], "selector": {"app": "C47-lms"}},
    }
    apply = ["apply", "--server-side", "--field-manager=rarus.lms", "-f", "-"]
    deployer.lab.kubectl(*apply, text=json.dumps(service))
    reference = {"client": "C47", "api_version": "v1", "kind": "Service", "name": "lms-service-c47", "namespace": "test-client"}
    options: dict[str, Any] = {"registry_namespace": "test-client", "statuses": {"C47": {"phase": "ready"}}, "objects": [reference]}
    assert deployer.task("client_status", **options)["written"] == ["C47"]
    record = deployer.module("client", **wanted("C47"))["record"]
    assert record["phase"] == "ready"
    assert len(record["objects"]["/Service/lms-service-c47"]) == 16
    audit = deployer.audit()
    assert deployer.module("client_status", **options)["changed"] is False
    assert audit.writes() == []
    deployer.lab.kubectl("label", "service", "lms-service-c47", "--namespace", "test-client", "theirs=x")
    assert deployer.module("client_status", **options)["changed"] is False, "a foreign label is none of ours"
    patch = '{"spec": {"ports": [{"port": 8080, "name": "theirs"}]}}'
    deployer.lab.kubectl("patch", "service", "lms-service-c47", "--namespace", "test-client", "-p", patch)
    deployer.lab.kubectl(*apply, "--force-conflicts", text=json.dumps({**service, "spec": {**service["spec"], "type": "ClusterIP"}}))
    assert deployer.module("client_status", **options)["changed"] is True


def tampered(token: str, **claims: Any) -> str:
    """Return the token with other claims; its signature fits no more."""
    head, payload, signature = token.split(".")
    found = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**found, **claims}).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


def test_a_token_that_is_not_taken_is_explained_and_not_shown(deployer: Deployer) -> None:
    cases = {
        tampered(deployer.token, exp=1700000000): "the token expired on 2023-11-14 22:13 UTC",
        tampered(deployer.token, exp=4000000000): "belongs to another cluster or was revoked",
        deployer.token[:300]: "the token is malformed",
        "token-abcde:" + "x" * 54: "the token expired, was revoked, is mistyped or belongs to another cluster",
        deployer.token + "\n": "begins or ends with a space or a line break",
    }
    for token, words in cases.items():
        result = deployer.module("client", **wanted("C42"), api_key=token)
        assert result["failed"]
        assert words in result["msg"]
        assert token.strip() not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_what_a_token_may_not_do_is_named(deployer: Deployer) -> None:
    message = deployer.module("client", **{**wanted("C42"), "namespace": "kube-system"})["msg"]
    assert "forbids reading ConfigMap kube-system/lms-client-c42" in message
    assert 'User "system:serviceaccount:test-client:deployer" cannot get resource "configmaps"' in message


def test_wrong_roads_to_the_api_are_told_apart(deployer: Deployer, tmp_path: Path) -> None:
    root = deployer.options["host"]
    other_ca = tmp_path / "other.crt"
    generate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=other",
    ]
    subprocess.run([*generate, "-keyout", str(tmp_path / "key"), "-out", str(other_ca)], check=True, capture_output=True)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"host": root.replace("c-lab", "c-other")}, "Is the path of api_root_url (host) right"),
        ({"host": root.replace("/k8s/clusters/c-lab", "")}, "Is the path of api_root_url (host) right"),
        ({"host": root.removeprefix("https://")}, "is not the root URL of an API"),
        ({"host": root.replace("https:", "http:")}, "would send the token without TLS"),
        ({"ca_cert": str(other_ca)}, f"is not signed by the CA file {other_ca}"),
        ({"ca_cert": str(tmp_path / "missing")}, "cannot be read"),
        ({"host": root.replace("rancher.example", "no-such-name.invalid")}, "cannot be resolved"),
        ({"host": root.replace("rancher.example", "rancher.example:1")}, "refused the connection"),
        ({"host": root.replace("rancher.example", "silent.example")}, "was this controller's address announced to them?"),
    ]
    for options, words in cases:
        result = deployer.module("client", **wanted("C42"), **options)
        assert result["failed"]
        assert words in result["msg"], (options, result["msg"])
