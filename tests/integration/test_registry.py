# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of clients on a real cluster: ids by many runs at once, the playbooks that keep the list, and names that hold anything."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_table import parsed
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from support.deployer import Deployer
from support.lab import Lab, Prepared
from support.requests import write_catalogue

SPACE = "test-registry"
RACERS = 20
MANY = 600
CANARY = "Kanarienvogel"
CONTACTS = [{"name": f"Anna {CANARY}", "role": "IT", "phones": ["+49 30 901820"], "mailboxes": [f"{CANARY}@company.example"]}]
ODD = [
    "Завод \"Ромашка\" & 'Söhne' \\ {{ lookup('pipe', 'id') }} {% raw %} {# x #}",
    "\u202bشركة\u202c \U0001f469\u200d\U0001f52c",
    "=cmd|' /C calc'!A0",
    "  two  blanks  ",
    "漢字" * 128,
]


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace of this file's own."""
    made = Deployer(lab, SPACE, tmp_path_factory.mktemp("registry"))
    made.remove()
    made.prepare()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def operator(deployer: Deployer, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Whoever runs the playbooks, with a catalogue and the deployer's token."""
    prepared = Prepared(deployer.lab, write_catalogue(tmp_path_factory.mktemp("catalogue"), SPACE), SPACE)
    prepared.token_file.write_text(deployer.token)
    return prepared


def wanted(**options: Any) -> dict[str, Any]:
    return {"namespace": SPACE, "catalogue": SPACE, **options}


def listed(operator: Prepared, *words: str) -> list[dict[str, Any]]:
    """Return what list_clients.yml tells programs."""
    done = operator.playbook("list_clients", "-e", "format=json", *words)
    return list(json.loads(done.stdout))


def given(**variables: Any) -> list[str]:
    return ["-e", json.dumps(variables)]


def add_records(lab: Lab, numbers: range) -> None:
    """Put clients on the list, by one kubectl."""
    place: dict[str, Any] = {"catalogue": SPACE, "namespace": SPACE, "registry_namespace": SPACE}
    records = [Record(ClientId(number), **place, organisation=f"many {number}").to_object() for number in numbers]
    lab.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": records}))


def test_twenty_runs_at_once_form_twenty_ids(deployer: Deployer) -> None:
    commands = [deployer.command("client", **wanted(organisation=f"racer {number}")) for number in range(RACERS)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    results = [json.loads(racer.communicate(timeout=180)[0]) for racer in racers]
    assert [result.get("msg") for result in results if result.get("failed")] == []
    ids = sorted(ClientId.parse(result["record"]["client"]).number for result in results)
    assert ids == list(range(1, RACERS + 1))


def test_the_cost_of_an_id_and_of_one_client_does_not_grow_with_the_list(deployer: Deployer) -> None:
    def costs(name: str) -> list[str]:
        audit = deployer.audit()
        formed = deployer.module("client", **wanted(organisation=f"costs of {name}"))["record"]["client"]
        assert deployer.module("client_info", client=formed, namespace=SPACE)["clients"][0]["organisation"] == f"costs of {name}"
        index = organisation_index_name(f"costs of {name}")
        return [request.replace(formed.lower(), "cN").replace(index, "lms-organisation-N") for request in audit.requests()]

    few = costs("few")
    add_records(deployer.lab, range(1_000_000, 1_000_000 + MANY))
    assert costs("many") == few
    assert few == [
        "get configmaps/lms-organisation-N",
        "get configmaps/lms-client-counter",
        "update configmaps/lms-client-counter",
        "create configmaps/lms-organisation-N",
        "create configmaps/lms-client-cN",
        "update configmaps/lms-organisation-N",
        "get configmaps/lms-client-cN",
    ]
    everybody = deployer.module("client_info", namespace=SPACE)["clients"]
    assert len(everybody) == RACERS + 2 + MANY
    deployer.lab.kubectl("delete", "configmaps", "--namespace", SPACE, "--selector", "rarus.lms/record", "--wait=false")
    deployer.lab.kubectl("delete", "configmap", "lms-client-counter", "--namespace", SPACE)


def test_the_playbooks_keep_the_list(deployer: Deployer, operator: Prepared, lab: Lab) -> None:
    made = operator.playbook("register_client", *given(organisation="Brot & Söhne", contacts=CONTACTS, settings={"replicas": 2}))
    assert "C1 is new: registered" in made.stdout
    second = operator.playbook("register_client", *given(organisation="BROT & SÖHNE"), check=False)
    assert second.returncode == 2
    assert "organisation: is that of C1 already (registered, since 20" in second.stdout
    assert "C2 is new: registered" in operator.playbook("register_client", *given(organisation="BROT & SÖHNE", confirm="C1")).stdout
    cut = operator.playbook("register_client", "-e", "organisation=Brot GmbH", check=False)
    assert "a value was cut off" in cut.stdout
    unknown = operator.playbook("edit_client", *given(client="C3", organisation="x"), check=False)
    assert "C3 is not on the list of clients" in unknown.stdout
    edited = operator.playbook("edit_client", *given(client="C2", organisation="Ofen", settings={"replicas": 3}, state="suspended"))
    assert "C2: organisation, settings, phase suspended changed" in edited.stdout
    assert operator.playbook("edit_client", *given(client="C2", state="suspended")).stdout == ""
    table = operator.playbook("list_clients").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["client", "C1", "C2", "2"]
    assert max(len(line) for line in table) <= 100
    assert [one["client"] for one in listed(operator, *given(contact="anna", contacts=True))] == ["C1"]
    assert [one["client"] for one in listed(operator, "-e", "phase=suspended,retired")] == ["C2"]
    refused = deployer.module("client", **wanted(client="C2", state="retired"))
    assert "Type the id again to go on. -e confirm=C2" in refused["msg"]
    operator.playbook("edit_client", *given(client="C2", state="retired", confirm="C2"))
    again = deployer.module("client", **wanted(client="C2", organisation="x"))
    assert "C2 has left, and an id is never given twice" in again["msg"]
    assert "C3 is new: would be registered" in operator.playbook("register_client", "--check", *given(organisation="next")).stdout
    assert lab.get("configmap", "lms-client-c3", SPACE) == {}


def test_names_hold_anything_and_come_back_byte_for_byte(deployer: Deployer, operator: Prepared) -> None:
    typed, *others = ODD
    operator.playbook("register_client", *given(organisation=typed))
    for name in others:
        assert deployer.module("client", **wanted(organisation=name))["record"]["organisation"] == name
    found = {one["organisation"]: one["client"] for one in listed(operator)}
    assert set(ODD) <= set(found)
    stored = deployer.lab.get("configmaps", namespace=SPACE, selector="rarus.lms/record")
    assert set(ODD) <= {record["data"]["organisation"] for record in stored["items"]}
    assert operator.playbook("edit_client", *given(client=found[typed], organisation=typed)).stdout == ""


def test_a_name_stays_text_for_other_tasks(deployer: Deployer, operator: Prepared) -> None:
    read = {"rarus.lms.client_info": {"namespace": SPACE}, "register": "found"}
    show = {"ansible.builtin.debug": {"msg": "{{ found.clients | map(attribute='organisation') | list }}"}}
    done = deployer.play(read, show)
    assert ODD[0] in json.loads(done.stdout)["plays"][0]["tasks"][1]["hosts"]["localhost"]["msg"]


def test_the_list_goes_into_a_file_and_back(deployer: Deployer, operator: Prepared, tmp_path: Path) -> None:
    path, again = tmp_path / "clients.csv", tmp_path / "again.csv"
    operator.playbook("export_clients", *given(file=str(path), contacts=True))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    known = operator.playbook("import_clients", *given(file=str(path))).stdout
    assert "0 registered," in known
    deployer.lab.kubectl("delete", "configmaps,secrets", "--namespace", SPACE, "--selector", "rarus.lms/record")
    deployer.lab.kubectl("delete", "configmap", "lms-client-counter", "--namespace", SPACE)
    audit = deployer.audit()
    dry = operator.playbook("import_clients", "--check", *given(file=str(path))).stdout
    assert "C1 would be registered" in dry
    assert audit.writes() == []
    twice = operator.playbook("import_clients", *given(file=str(path)), check=True).stdout
    assert "C1 registered" in twice
    operator.playbook("export_clients", *given(file=str(again), contacts=True))
    told = ("client", "organisation", "catalogue", "phase", "settings", "contacts")
    assert [[row[key] for key in told] for row in rows_of(again)] == [[row[key] for key in told] for row in rows_of(path)]
    highest = max(ClientId.parse(row["client"]).number for row in rows_of(path))
    shown = operator.playbook("register_client", "--check", *given(organisation="next")).stdout
    assert f"C{highest + 1} is new: would be registered" in shown


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [{"settings": {}, "organisation": "", **row} for _line, row in parsed(path.read_text(), "csv")]


def test_contacts_are_in_their_secret_and_in_no_output(operator: Prepared, lab: Lab, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.json", tmp_path / "wrong.json"
    right.write_text(json.dumps({"contacts": CONTACTS}))
    wrong.write_text(json.dumps({"contacts": [{"phones": [CANARY]}]}))
    made = operator.playbook("register_client", "-vvvv", "--diff", "-e", "client=C77", "-e", f"@{right}")
    broken = operator.playbook("edit_client", "-vvvv", "-e", "client=C77", "-e", f"@{wrong}", check=False)
    assert "contacts[0].phones[0]: is not a telephone number" in broken.stdout
    assert CANARY not in made.stdout + made.stderr + broken.stdout + broken.stderr
    assert CANARY not in json.dumps(lab.get("configmaps", namespace=SPACE))
    secret = lab.get("secret", "lms-contacts-c77", SPACE)
    assert CANARY not in json.dumps(secret["metadata"])
    operator.playbook("edit_client", *given(client="C77", state="retired", confirm="C77", forget_contacts=True))
    assert listed(operator, *given(client="C77", contacts=True))[0]["contacts"] == []
