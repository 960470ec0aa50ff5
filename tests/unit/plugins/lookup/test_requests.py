# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup rarus.lms.requests, as roles use it: with the collection's templates, and with a catalogue's own."""

from __future__ import annotations

from typing import Any

import pytest
from support.playbook import Expression, evaluate
from support.requests import write_catalogue

ASK = "lookup('rarus.lms.requests', {}, settings=lookup('rarus.lms.settings'){})"
OWN_SERVICE = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lms-service-{{client-name}}"}, "spec": {"type": "NodePort"}}'
ADDED = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: lms-{{ client_name }}\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("requests")
    inventory = write_catalogue(folder / "shop", "shop", templates_dir="group_vars/own")
    (inventory / "group_vars" / "own").mkdir(parents=True)
    (inventory / "group_vars" / "own" / "service.json").write_text(OWN_SERVICE)
    (inventory / "group_vars" / "own" / "budget.yml.j2").write_text(ADDED)
    (folder / "wrong").mkdir()
    (folder / "wrong" / "service.yml").write_text("apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ client-nmae }}\n")
    expressions: dict[str, Expression] = {
        "one": ASK.format("['C42']", ""),
        "two": ASK.format("'C7', 'C42'", ""),
        "none": ASK.format("[]", ""),
        "databases": ASK.format("'C42'", ", stage='databases', fingerprints={'C42': 'f'}"),
        "environment": ASK.format("'C42'", ", stage='environment', fingerprints={'C42': 'f'}"),
        "bad": ASK.format("['c42']", ""),
        "nobody": ASK.format("''", ""),
        "wrong": (ASK.format("'C42'", ""), {"lms_templates_dir": "../wrong"}),
        "gone": (ASK.format("'C42'", ""), {"lms_templates_dir": ".gone"}),
        "inside": (ASK.format("'C42'", ""), {"lms_templates_dir": "templates"}),
        "no_stage": ASK.format("'C42'", ", stage='all'"),
    }
    return evaluate(folder, inventory, expressions)


def named(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {request["object"]["metadata"]["name"]: request for request in found[name]}


def test_the_answer_is_always_a_list(found: dict[str, Any]) -> None:
    assert found["none"] == []
    assert {request["client"] for request in found["one"]} == {"C42"}
    assert [request["client"] for request in found["two"]] == ["C7"] * 7 + ["C42"] * 7


def test_a_catalogues_file_takes_the_place_of_one_and_another_joins(found: dict[str, Any]) -> None:
    objects = named(found, "one")
    assert objects["lms-service-c42"]["object"]["spec"] == {"type": "NodePort"}
    assert objects["lms-service-c42"]["file"].endswith("own/service.json")
    assert objects["lms-c42"]["object"]["kind"] == "PodDisruptionBudget"
    assert objects["lms-config-c42"]["file"].endswith("roles/requests/templates/config.yml.j2")


def test_stages_part_the_requests(found: dict[str, Any]) -> None:
    assert {request["object"]["kind"] for request in found["databases"]} == {"Job"}
    assert len(found["databases"]) + len(found["environment"]) == len(found["one"])


def test_a_fingerprint_changes_jobs_and_pods_and_nothing_else(found: dict[str, Any]) -> None:
    before, after = named(found, "one"), {**named(found, "databases"), **named(found, "environment")}
    changed = {name for name in after if name not in before or before[name] != after[name]}
    assert sorted(name.rsplit("-", 1)[0] for name in changed) == ["clickhouse-setup-c42", "lms-deployment", "postgres-setup-c42"]


def test_what_is_wrong_is_said(found: dict[str, Any]) -> None:
    assert 'client: "c42" is not a client id.' in found["bad"]
    assert 'client: "" is not a client id.' in found["nobody"]
    assert "stage" in found["no_stage"]


def test_faults_of_templates_come_with_file_and_line(found: dict[str, Any]) -> None:
    assert "wrong/service.yml line 4: macro client-nmae is not defined. client-name is meant?" in found["wrong"]


def test_a_folder_that_is_not_there_is_named(found: dict[str, Any]) -> None:
    assert "shop/.gone: the folder of request templates cannot be read (No such file or directory)." in found["gone"]


def test_a_folder_that_ansible_reads_as_an_inventory_is_refused(found: dict[str, Any]) -> None:
    assert "lms_templates_dir: templates lies in " in found["inside"]
    assert "Expected one that it passes over, such as group_vars/templates, or one elsewhere." in found["inside"]
