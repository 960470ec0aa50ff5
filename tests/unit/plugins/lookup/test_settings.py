# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup rarus.lms.settings, as a playbook uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.playbook import ROOT, Expression, evaluate
from support.requests import write_catalogue

SETTINGS = "lookup('rarus.lms.settings')"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("settings")
    inventory = write_catalogue(
        folder / "shop",
        "shop",
        replicas="{{ 1 + 1 }}",
        sms4b_sender="0042",
        greeting="hello",
        environment={"GREETING": "{{ lms_greeting }}", "BRACES": "{{ '{{' }}"},
        client_settings={"C42": {"replicas": 3, "environment": {"OWN": "x"}}},
    )
    expressions: dict[str, Expression] = {
        "whole": SETTINGS,
        "of_c42": "lookup('rarus.lms.settings', 'C42')",
        "types": f"[{SETTINGS}.replicas | type_debug, {SETTINGS}.sms4b_sender | type_debug]",
        "bad_client": "lookup('rarus.lms.settings', 'c42')",
        "wrong": (SETTINGS, {"lms_docker_image": "a b", "lms_replicas": "many", "lms_public_dns": ""}),
        "failing": (SETTINGS, {"lms_docker_image": "{{ no_such }}", "lms_replicas": "{{ 1 / 0 }}"}),
    }
    return evaluate(folder, inventory, expressions)


def test_templates_are_resolved_and_values_typed(found: dict[str, Any]) -> None:
    assert found["whole"]["replicas"] == 2
    assert found["whole"]["sms4b_sender"] == "0042"
    assert found["whole"]["environment"] == {"BRACES": "{{", "GREETING": "hello"}
    assert found["types"] == ["int", "str"]


def test_the_catalogue_is_named_after_its_host(found: dict[str, Any]) -> None:
    assert found["whole"]["catalogue"] == "shop"
    assert found["whole"]["registry_namespace"] == "shop"


def test_a_clients_own_settings_are_asked_for_by_its_id(found: dict[str, Any]) -> None:
    assert found["of_c42"]["replicas"] == 3
    assert found["of_c42"]["environment"] == {"BRACES": "{{", "GREETING": "hello", "OWN": "x"}
    assert 'client: "c42" is not a client id.' in found["bad_client"]


def test_all_problems_come_in_one_message(found: dict[str, Any]) -> None:
    assert "3 settings of shop are wrong, nothing was touched:\n  lms_docker_image: " in found["wrong"]
    assert '\n  lms_replicas: "many" is not a whole number' in found["wrong"]
    assert "\n  lms_public_dns: is missing" in found["wrong"]


def test_variables_whose_templates_fail_are_named(found: dict[str, Any]) -> None:
    assert "lms_docker_image: its template fails: 'no_such' is undefined" in found["failing"]
    assert "lms_replicas: its template fails: " in found["failing"]


@pytest.mark.parametrize("catalogue", ["lms-dev", "lms-prod"])
def test_the_catalogues_of_this_repository_are_right(tmp_path: Path, catalogue: str) -> None:
    settings = evaluate(tmp_path, ROOT / "inventories" / catalogue, {"all": SETTINGS})["all"]
    assert isinstance(settings, dict), settings
    assert (settings["catalogue"], settings["namespace_id"]) == (catalogue, catalogue)
