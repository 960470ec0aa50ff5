# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup rarus.lms.connection, as a playbook uses it for module_defaults."""

from __future__ import annotations

from typing import Any

import pytest
from support.playbook import Expression, evaluate
from support.requests import write_catalogue

CONNECTION = "lookup('rarus.lms.connection')"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("connection")
    whole = {
        "lms_api_root_url": "https://rancher.example/k8s/clusters/c-1/",
        "lms_api_token": "{{ 't0' ~ 'ken' }}",
        "lms_api_validate_certs": "no",
        "lms_api_ca_file": "/ca.pem",
    }
    expressions: dict[str, Expression] = {
        "empty": (CONNECTION, {"lms_api_token": ""}),
        "whole": (CONNECTION, whole),
        "others_wrong": (CONNECTION, {"lms_docker_image": "{{ no_such }}"}),
        "wrong": (CONNECTION, {"lms_api_token": "hunter2 hunter3"}),
        "with_term": ("lookup('rarus.lms.connection', 'lms-dev')", {}),
    }
    return evaluate(folder, write_catalogue(folder / "shop", "shop"), expressions)


def test_what_is_not_set_is_left_to_the_environment(found: dict[str, Any]) -> None:
    assert found["empty"] == {}


def test_what_is_set_becomes_the_modules_options(found: dict[str, Any]) -> None:
    expected = {"host": "https://rancher.example/k8s/clusters/c-1", "api_key": "t0ken", "validate_certs": False, "ca_cert": "/ca.pem"}
    assert found["whole"] == expected


def test_other_settings_do_not_matter(found: dict[str, Any]) -> None:
    assert found["others_wrong"] == {}


def test_a_wrong_token_is_refused_and_not_shown(found: dict[str, Any]) -> None:
    assert "lms_api_token: the value is not a bearer token." in found["wrong"]
    assert "hunter" not in found["wrong"]


def test_terms_are_refused(found: dict[str, Any]) -> None:
    assert "rarus.lms.connection: takes no terms" in found["with_term"]
