# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own seven requests on a real cluster: converted, named by a catalogue, and sent by the main playbook."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.lab import ROOT, Lab, Prepared
from support.playbook import run_playbook
from support.requests import HOST, write_catalogue

SPACE, ID, NAME = "test-templates", "C47", "c47"
SOURCE = ROOT / "tests" / "unit" / "plugins" / "module_utils" / "_domain" / "source_requests"


@pytest.fixture(scope="module")
def prepared(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A namespace whose catalogue has the converted requests, and one of its own more."""
    folder = tmp_path_factory.mktemp("templates")
    templates = folder / "templates"
    done = run_playbook(ROOT / "playbooks" / "convert_templates.yml", "-e", f"source={SOURCE}", "-e", f"destination={templates}")
    assert done.returncode == 0, done.stdout + done.stderr
    added = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note-{{client-name}}"}, "data": {"client": "{{client-id}}"}}
    (templates / "note.json").write_text(json.dumps(added))
    inventory = write_catalogue(folder / "catalogue", SPACE, templates_dir=str(templates), database_prefix="templates_")
    yield lab.prepare(inventory, namespace=SPACE, admin="createrole")
    lab.kubectl("delete", "namespace", SPACE, "--wait=false")
    lab.kubectl("delete", "persistentvolume", f"{SPACE}-lms-static", "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def provisioned(prepared: Prepared) -> str:
    return prepared.provision(ID).stdout


def test_the_converted_requests_serve_the_client(provisioned: str, lab: Lab) -> None:
    who = json.loads(lab.curl(f"https://{HOST}/{ID}/db").stdout)
    found = {name: (answer["user"], answer["database"]) for name, answer in who.items()}
    assert found == dict.fromkeys(("postgres", "clickhouse"), (f"templates_{NAME}", f"templates_{NAME}"))


def test_the_catalogues_templates_took_the_place_of_the_collections_and_joined_them(provisioned: str, lab: Lab) -> None:
    ports = lab.get("service", f"lms-service-{NAME}", SPACE)["spec"]["ports"]
    assert "name" not in ports[0]  # the collection's own Service names its port
    assert lab.get("configmap", f"note-{NAME}", SPACE)["data"] == {"client": ID}


def test_a_second_run_changes_nothing(provisioned: str, prepared: Prepared) -> None:
    assert "nothing changed" in prepared.provision(ID).stdout


def test_a_macro_that_nothing_defines_stops_the_run_before_the_first_request(provisioned: str, prepared: Prepared) -> None:
    wrong = prepared.inventory.parent / "templates" / "wrong.yml"
    wrong.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x-{{client-nmae}}\n")
    try:
        done = prepared.provision("C48", check=False)
    finally:
        wrong.unlink()
    assert done.returncode == 2
    assert "wrong.yml line 4: macro client-nmae is not defined. client-name is meant?" in done.stdout + done.stderr
    assert prepared.lab.get("configmap", "lms-client-c48", SPACE) == {}
