# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory rarus.lms.clients on a real cluster: what it asks for, what it shows, and what is said when it cannot be read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faults import Cut, FaultProxy, Rule
from support.deployer import COLLECTIONS, Deployer
from support.faults import root_url
from support.lab import Lab

NAMESPACE = "test-inventory"
ORGANISATIONS = {"C7": "{{ lookup('ansible.builtin.pipe', 'echo gotcha') }}", "C20": '"Ромашка" 🌼 & sons', "C100": ""}
LIST = ("GET", "/configmaps$")


@dataclass
class Fleet:
    """A registry with a few clients, and the file of a catalogue that says where it is."""

    deployer: Deployer
    folder: Path

    def source(self, name: str = "shop", root: str = "", **options: Any) -> str:
        """Write a source file beside the catalogue's folder; root is another way to the API."""
        variables = self.folder / "shop" / "group_vars" / "lms_catalogues.yml"
        variables.parent.mkdir(parents=True, exist_ok=True)
        connection = {"lms_api_root_url": self.deployer.options["host"], "lms_api_ca_file": self.deployer.options["ca_cert"]}
        variables.write_text(json.dumps({**connection, "lms_namespace_id": NAMESPACE}))
        path = self.folder / f"{name}.lms_clients.yml"
        named = {"plugin": "rarus.lms.clients", "connection_file": "shop/group_vars/lms_catalogues.yml"}
        path.write_text(json.dumps({**named, **({"host": root} if root else {}), **options}))
        return str(path)

    def run(self, program: str, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of Ansible's with the deployer's token."""
        found = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1", "K8S_AUTH_API_KEY": self.deployer.token}
        return self.deployer.lab.run(program, *words, env={**found, **(env or {})}, check=False)


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Provide a namespace of this file's own, with three clients."""
    deployer = Deployer(lab, NAMESPACE, tmp_path_factory.mktemp("inventory"))
    deployer.remove()
    deployer.prepare()
    for client, organisation in ORGANISATIONS.items():
        made = deployer.module("client", client=client, organisation=organisation, namespace=NAMESPACE, catalogue="shop")
        assert made.get("new"), made
    yield Fleet(deployer, tmp_path_factory.mktemp("sources"))
    deployer.remove()


def test_clients_become_hosts_by_one_list_and_nothing_else(fleet: Fleet) -> None:
    audit = fleet.deployer.audit()
    done = fleet.run("ansible-inventory", "-i", fleet.source(), "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert audit.requests() == ["list configmaps/"]
    listed = json.loads(done.stdout)
    assert listed["lms_clients"]["hosts"] == ["C7", "C20", "C100"]
    assert listed["lms_catalogue_shop"]["hosts"] == listed["lms_phase_registered"]["hosts"] == listed["lms_clients"]["hosts"]
    shown = listed["_meta"]["hostvars"]
    assert {client: shown[client]["lms_client_organisation"]["__ansible_unsafe"] for client in shown} == ORGANISATIONS
    stored = fleet.deployer.lab.get("configmap", "lms-client-c20", NAMESPACE)
    assert shown["C20"]["lms_client_created"]["__ansible_unsafe"] == stored["data"]["created"]
    group = f"lms_organisation_{stored['metadata']['labels']['rarus.lms/organisation'].replace('-', '_')}"
    assert listed[group]["hosts"] == ["C20"], "the group is the label's"


def test_a_play_has_clients_as_hosts_and_their_words_as_data(fleet: Fleet, tmp_path: Path) -> None:
    """On the controller: a task that needs a host's Python finds Ansible's own."""
    told = {"ansible.builtin.debug": {"msg": "{{ lms_client_organisation }}"}}
    ping: dict[str, Any] = {"ansible.builtin.ping": {}}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "lms_clients", "gather_facts": False, "tasks": [told, ping]}]))
    done = fleet.run("ansible-playbook", "-i", fleet.source(), str(playbook), env={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"})
    assert done.returncode == 0, done.stdout + done.stderr
    debug, pong = (task["hosts"] for task in json.loads(done.stdout)["plays"][0]["tasks"])
    assert {client: result["msg"] for client, result in debug.items()} == ORGANISATIONS
    assert {result["ping"] for result in pong.values()} == {"pong"}


HEALS = [
    Rule(*LIST, status=503),
    Rule(*LIST, status=429, headers={"Retry-After": "1"}),
    Rule(*LIST, cut=Cut.MIDDLE),
    Rule(*LIST, cut=Cut.REQUEST),
]


@pytest.mark.parametrize("rule", HEALS, ids=["503", "429", "cut in the middle", "reset"])
def test_a_hiccup_is_lived_through(fleet: Fleet, proxy: FaultProxy, rule: Rule) -> None:
    proxy.rules = [rule]
    done = fleet.run("ansible-inventory", "-i", fleet.source(root=root_url(fleet.deployer.lab, proxy)), "--graph", "lms_clients")
    assert (done.returncode, done.stdout.split()) == (0, ["@lms_clients:", "|--C7", "|--C20", "|--C100"]), done.stderr


LASTS = [
    (
        Rule(*LIST, times=0, status=503, body="<html>Bad day</html>"),
        "not with Kubernetes' words: Bad day. A proxy before the API is in trouble",
    ),
    (Rule(*LIST, times=0, status=200, body="<html>Log in</html>"), "but not with what was asked for"),
    (Rule(*LIST, times=0, cut=Cut.REQUEST), " broke (listing ConfigMap objects in test-inventory)"),
    (Rule(*LIST, times=0, cut=Cut.SILENCE), "accepted the connection and then stayed silent"),
    (Rule(*LIST, cut=Cut.REQUEST, expired=True), " has expired. Its owners must renew it"),
]


@pytest.mark.parametrize(("rule", "sentence"), LASTS, ids=["503", "login page", "reset", "silence", "certificate"])
def test_no_hosts_are_an_error_and_a_warning_where_that_is_wished(fleet: Fleet, proxy: FaultProxy, rule: Rule, sentence: str) -> None:
    """Strict first, so that what Ansible makes of it is seen; then lenient."""
    root = root_url(fleet.deployer.lab, proxy)
    impatient = {"RARUS_LMS_REPEAT_SECONDS": "0.6", "RARUS_LMS_READ_SECONDS": "1"}
    proxy.rules = [rule]
    done = fleet.run("ansible-inventory", "-i", fleet.source("strict", root), "--list", env=impatient)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    proxy.rules = [rule]
    done = fleet.run("ansible-inventory", "-i", fleet.source("lenient", root, strict=False), "--list", env=impatient)
    assert (done.returncode, json.loads(done.stdout)["_meta"]["hostvars"]) == (0, {})
    assert sentence in done.stderr
    assert done.stderr.startswith("[WARNING]: rarus.lms.clients: ")
    assert fleet.deployer.token not in done.stderr


def test_wrong_roads_and_rights_are_told_apart(fleet: Fleet) -> None:
    """Several sources in one run that goes on: each is told of by its own sentence."""
    root = fleet.deployer.options["host"]
    cases = {
        "forbidden": ({"registry_namespace": "kube-system"}, "forbids listing ConfigMap objects in kube-system"),
        "token": ({"api_key": f"{fleet.deployer.token[:-9]}AAAAAAAAA"}, "answered 401 Unauthorized"),
        "name": ({"host": root.replace("rancher.example", "no-such-name.invalid")}, "cannot be resolved"),
        "path": ({"host": root.replace("c-lab", "c-other")}, "Is the path of api_root_url (host) right"),
    }
    sources = [word for name, (options, _sentence) in cases.items() for word in ("-i", fleet.source(name, strict=False, **options))]
    done = fleet.run("ansible-inventory", *sources, "--list")
    assert [name for name, (_options, sentence) in cases.items() if sentence not in done.stderr] == []
    assert fleet.deployer.token not in done.stderr
