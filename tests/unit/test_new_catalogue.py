# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A third namespace is one more folder: docs/new-catalogue.md, done as it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.playbook import ROOT, evaluate

# What the document says that differs.
FILLED = {
    "lms_api_root_url": "https://rancher.example/k8s/clusters/c-school",
    "lms_namespace_id": "lms-school",
    "lms_public_dns": "backend.lms-school.example",
    "lms_docker_image": "registry.example/lms/backend:2.0",
    "lms_postgres_host": "postgres.lms-school.example",
    "lms_clickhouse_host": "clickhouse.lms-school.example",
    "lms_database_prefix": "school_",
    "lms_nfs_server": "files.lms-school.example",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("school")
    school = Path(shutil.copytree(ROOT / "inventories" / "lms-dev", folder / "lms-school"))
    hosts, settings = school / "hosts.yml", school / "group_vars" / "lms_catalogues.yml"
    hosts.write_text(hosts.read_text().replace("lms-dev", "lms-school"))
    text = settings.read_text()
    for name, value in FILLED.items():
        text, count = re.subn(rf"(?m)^{name}: .*$", f"{name}: {value}", text)
        assert count == 1, name
    settings.write_text(text)
    requests = "lookup('rarus.lms.requests', 'C42', settings=lookup('rarus.lms.settings'))"
    return evaluate(folder, school, {"settings": "lookup('rarus.lms.settings')", "requests": requests})


def test_the_document_names_what_differs() -> None:
    text = (ROOT / "docs" / "new-catalogue.md").read_text()
    assert set(re.findall(r"`(lms_[a-z0-9_]+)`", text)) == set(FILLED)


def test_the_new_catalogue_is_complete(found: dict[str, Any]) -> None:
    assert found["settings"]["catalogue"] == "lms-school"
    assert {f"lms_{name}": value for name, value in found["settings"].items() if f"lms_{name}" in FILLED} == FILLED


def test_its_requests_are_its_own(found: dict[str, Any]) -> None:
    text = str(found["requests"])
    assert "lms-dev" not in text
    assert {request["object"]["metadata"]["namespace"] for request in found["requests"]} == {"lms-school"}
    assert "rarus.lms catalogue=lms-school client=C42" in text
    assert "school_c42" in text
