# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory rarus.lms.clients, by ansible-inventory and ansible-playbook themselves, from an API of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from support.fake_api import BEARER, FakeApi
from support.playbook import ROOT, run_playbook

EVIL = "{{ lookup('ansible.builtin.pipe', 'echo gotcha') }}"
RECORDS = "/api/v1/namespaces/registry/configmaps"
SECONDS = 60


def record(number: int, **fields: Any) -> dict[str, Any]:
    """Return the record of a client as it is stored."""
    given = {"catalogue": "lms-dev", "namespace": "lms-dev", "registry_namespace": "registry", **fields}
    return Record(client=ClientId(number), **given).to_object()


@dataclass
class Shown:
    """What one run of ansible-inventory said: its exit code, its whole error output, and its JSON."""

    code: int
    told: str
    listed: dict[str, Any]

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """Return the variables by host, without the marks of what is data."""
        return dict(bare(self.listed["_meta"]["hostvars"]))

    def group(self, name: str) -> list[str]:
        """Return the hosts of a group."""
        return list(self.listed.get(name, {}).get("hosts", []))


def bare(value: Any) -> Any:
    """Return what ansible-inventory prints with texts in the place of {"__ansible_unsafe": text}."""
    if isinstance(value, dict):
        return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {key: bare(part) for key, part in value.items()}
    return value


@dataclass
class Inventory:
    """A source file for a fake API."""

    api: FakeApi
    folder: Path

    def write(self, name: str = "shop", **options: Any) -> Path:
        """Write a source file; options are of the plugin, None leaves one out."""
        path = self.folder / f"{name}.lms_clients.yml"
        whole = {"plugin": "rarus.lms.clients", "host": self.api.root, "registry_namespace": "registry", **options}
        path.write_text(json.dumps({option: value for option, value in whole.items() if value is not None}))
        return path

    def show(self, *words: str, env: dict[str, str] | None = None, **options: Any) -> Shown:
        """Write a source file and run ansible-inventory --list on it."""
        return self.show_all([self.write(**options)], *words, env=env)

    def show_all(self, sources: list[Path], *words: str, env: dict[str, str] | None = None) -> Shown:
        """Run ansible-inventory --list on several sources together."""
        given = [word for source in sources for word in ("-i", str(source))]
        command = [sys.executable, "-m", "ansible", "inventory", *given, "--list", *words]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "ANSIBLE_"))}
        found = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks/collections"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"}
        environment = {**inherited, **found, "K8S_AUTH_API_KEY": BEARER, **(env or {})}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment, cwd=self.folder)
        return Shown(done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else {})


@pytest.fixture
def inventory(fake_api: FakeApi, tmp_path: Path) -> Inventory:
    """Provide a registry of four clients, and a source file for it."""
    fake_api.add(
        record(10, organisation="Horns and Hooves", created="2026-11-21T09:00:00Z", settings={"replicas": 2}),
        record(9, organisation=EVIL, phase="suspended"),
        record(11, phase="retired"),
        record(12, catalogue="lms-prod", namespace="lms-prod"),
    )
    return Inventory(fake_api, tmp_path)


def test_clients_are_hosts_with_their_record_and_their_groups(inventory: Inventory) -> None:
    shown = inventory.show()
    assert (shown.code, shown.told) == (0, "")
    assert shown.group("lms_clients") == ["C9", "C10", "C12"], "by their numbers, without who has left"
    assert (shown.group("lms_catalogue_lms_dev"), shown.group("lms_catalogue_lms_prod")) == (["C9", "C10"], ["C12"])
    assert (shown.group("lms_phase_suspended"), shown.group("lms_phase_registered")) == (["C9"], ["C10", "C12"])
    assert shown.group("lms_organisation_horns_and_hooves") == ["C10"]
    c10 = shown.hosts["C10"]
    assert (c10["lms_client_id"], c10["lms_client_name"], c10["lms_client_settings"]) == ("C10", "c10", {"replicas": 2})
    assert (c10["lms_client_created"], c10["ansible_connection"]) == ("2026-11-21T09:00:00Z", "local")
    assert [request.query for request in inventory.api.requests] == [{"limit": "500", "labelSelector": "rarus.lms/record=client"}]


@pytest.mark.parametrize("name", ["clients.yml", "lms_clients.json", "clients"])
def test_a_file_of_another_name_is_told_of(inventory: Inventory, name: str) -> None:
    path = inventory.write().rename(inventory.folder / name)
    shown = inventory.show_all([path], env={"ANSIBLE_INVENTORY_ENABLED": "rarus.lms.clients,auto,yaml"})
    assert f"rarus.lms.clients: {path} is not read, as its name does not end with lms_clients.yml. Rename it." in shown.told
    assert inventory.api.requests == []


def test_one_line_that_cannot_be_read_is_no_name_of_a_host(inventory: Inventory) -> None:
    path = inventory.write(api_key="CanaryOfTheToken")
    path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
    assert inventory.show_all([path], env={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}).code == 0
    inventory.api.fail("GET", RECORDS, 403, "Forbidden", times=99)
    shown = inventory.show_all([path])
    assert (shown.code, shown.listed) == (1, {})
    assert "forbids listing ConfigMap objects" in shown.told
    assert "Canary" not in shown.told


def test_the_filters_and_the_form_of_names(inventory: Inventory) -> None:
    shown = inventory.show(phase=["retired", "registered"], catalogue=["lms-dev"], hostname="name")
    assert shown.group("lms_clients") == ["c10", "c11"]


def test_variables_and_groups_of_ones_own(inventory: Inventory) -> None:
    shown = inventory.show(
        compose={"loud": "lms_client_organisation | upper"},
        groups={"never": "lms_client_created == ''"},
        keyed_groups=[
            {"key": "lms_client_created[:4]", "prefix": "since", "default_value": "ever", "parent_group": "years"},
            {"key": "lms_client_namespace"},
        ],
        leading_separator=False,
    )
    assert shown.hosts["C10"]["loud"] == "HORNS AND HOOVES"
    assert shown.hosts["C9"]["loud"] == EVIL.upper(), "what is made of data is data"
    assert (shown.group("never"), shown.group("since_2026"), shown.group("since_ever")) == (["C9", "C12"], ["C10"], ["C9", "C12"])
    assert shown.group("lms_prod") == ["C12"]
    assert shown.listed["years"]["children"] == ["since_ever", "since_2026"]
    top = shown.listed["all"]["children"]
    assert sorted(top) == sorted(set(top)), "each group stands there once"
    assert {"years", "never", "lms_clients", "lms_catalogue_lms_dev", "lms_organisation_horns_and_hooves"} <= set(top)
    assert "since_2026" not in top


def test_nothing_that_a_record_says_is_ever_templated(inventory: Inventory, tmp_path: Path) -> None:
    """Neither at once nor from the cache, nor where it is made into something else."""
    cache: dict[str, Any] = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    source = inventory.write(compose={"composed": "'<' ~ lms_client_organisation ~ '>'"}, **cache)
    told = {"msg": "{{ [lms_client_organisation, composed, hostvars.C9.lms_client_organisation] | join(' ; ') }}"}
    play = {"hosts": "C9", "gather_facts": False, "tasks": [{"ansible.builtin.debug": told}]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    env = {"K8S_AUTH_API_KEY": BEARER, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    for _time in range(2):
        done = run_playbook(playbook, "-i", str(source), env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        shown = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["C9"]["msg"]
        assert shown == f"{EVIL} ; <{EVIL}> ; {EVIL}"
    assert len(inventory.api.requests) == 1, "the second run read the cache"


def test_the_connection_comes_from_the_catalogue_s_file(inventory: Inventory, tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "group_vars"
    folder.mkdir(parents=True)
    (folder.parent / "token").write_text(BEARER)
    variables = {
        "lms_api_root_url": "https://rancher.example/k8s/clusters/c-abcde",
        "lms_api_token": "{{ lookup('ansible.builtin.file', inventory_dir ~ '/token') }}",
        "lms_namespace_id": "{{ shop_namespace }}",
        "shop_namespace": "registry",
        "lms_docker_image": "{{ not_looked_at }}",
    }
    (folder / "lms_catalogues.yml").write_text(json.dumps(variables))
    named: dict[str, Any] = {"connection_file": "shop/group_vars/lms_catalogues.yml", "registry_namespace": None}
    shown = inventory.show(env={"K8S_AUTH_API_KEY": "another"}, **named)
    assert (shown.told, shown.group("lms_clients")) == ("", ["C9", "C10", "C12"])
    shown = inventory.show(**{**named, "registry_namespace": "{{ 'else' ~ 'where' }}"})
    assert "no client is on the list in namespace elsewhere" in shown.told
    assert shown.group("lms_clients") == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"phases": ["registered"]}, "phases: there is no such option."),
    ({"registry_namespace": None}, "registry_namespace: is missing."),
    ({"registry_namespace": "Lms"}, 'registry_namespace: "Lms" is not '),
    ({"host": "rancher.example"}, '"rancher.example" is not the root URL of an API.'),
    ({"validate_certs": "perhaps"}, "argument 'validate_certs' is of type str and we were unable to convert to bool"),
    ({"host": "{{ no_such }}"}, "host: its template fails: 'no_such' is undefined."),
    ({"connection_file": "none.yml"}, "connection_file: "),
]


def test_what_is_wrong_in_a_file_is_said_in_a_sentence(inventory: Inventory) -> None:
    sources = [inventory.write(f"wrong-{number}", strict=False, **case[0]) for number, case in enumerate(WRONG)]
    shown = inventory.show_all(sources)
    assert [sentence for _options, sentence in WRONG if sentence not in shown.told] == []
    assert BEARER not in shown.told


FATAL: list[tuple[dict[str, Any], str]] = [
    ({"phase": ["gone"]}, "registered, suspended, retired"),
    ({"compose": {"x": "lms_client_id + 1"}}, "Could not set x for host C9"),
    ({"host": "{{ no_such }}"}, "host: its template fails"),
]


@pytest.mark.parametrize(("options", "sentence"), FATAL, ids=["option", "expression", "template"])
def test_no_run_goes_on_with_some_of_the_clients(inventory: Inventory, options: dict[str, Any], sentence: str) -> None:
    shown = inventory.show(**options)
    assert sentence in shown.told
    assert (shown.code != 0, shown.listed) == (True, {})


def test_who_wants_ansible_s_own_way_gets_it(inventory: Inventory) -> None:
    shown = inventory.show(phases=[], env={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"})
    assert "phases: there is no such option." in shown.told
    assert (shown.code, shown.group("lms_clients")) == (0, [])


FORBIDDEN = 'configmaps is forbidden: User "x" cannot list resource "configmaps"'
FAULTS: list[tuple[Callable[[FakeApi], None], str]] = [
    (lambda api: api.fail("GET", RECORDS, 403, "Forbidden", FORBIDDEN, times=9), "forbids listing ConfigMap objects in registry"),
    (lambda api: api.fail("GET", RECORDS, 401, "Unauthorized", times=9), "answered 401 Unauthorized"),
    (lambda api: api.answer("GET", RECORDS, body="<html>Please log in</html>", times=9), "not with what was asked for"),
    (FakeApi.close, "refused the connection: nothing listens there."),
]


@pytest.mark.parametrize(("fault", "sentence"), FAULTS, ids=["forbidden", "token expired", "login page", "nobody there"])
def test_a_list_that_cannot_be_read_is_an_error_unless_told_otherwise(
    inventory: Inventory, fault: Callable[[FakeApi], None], sentence: str
) -> None:
    sources = [inventory.write("lenient", strict=False), inventory.write("strict")]
    fault(inventory.api)
    shown = inventory.show_all(sources)
    lenient, strict = (line for line in shown.told.splitlines() if line.startswith("[WARNING]") and sentence in line)
    assert lenient.startswith("[WARNING]: rarus.lms.clients: ")
    assert strict.startswith("[WARNING]: Failed to parse inventory")
    assert shown.told.count("[ERROR]: Completely failed to parse inventory source") == 1
    assert (shown.code != 0, shown.listed) == (True, {})
    assert BEARER not in shown.told


def test_a_damaged_record_is_an_error_or_left_out_and_not_kept_as_the_whole(inventory: Inventory, tmp_path: Path) -> None:
    broken = record(13)
    broken["data"]["objects"] = "["
    inventory.api.add(broken)
    sentence = "ConfigMap registry/lms-client-c13 is damaged: objects must be a JSON object."
    shown = inventory.show()
    assert sentence in shown.told
    assert (shown.code != 0, shown.listed) == (True, {})
    cache: dict[str, Any] = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    lenient = inventory.show(strict=False, **cache)
    assert sentence in lenient.told
    assert lenient.group("lms_clients") == ["C9", "C10", "C12"]
    inventory.api.add(record(13))
    assert inventory.show(**cache).group("lms_clients") == ["C9", "C10", "C12", "C13"]
    inventory.api.add(record(14))
    assert inventory.show(**cache).group("lms_clients") == ["C9", "C10", "C12", "C13"], "kept"
    assert "C14" in inventory.show("--flush-cache", **cache).group("lms_clients")


def test_a_file_of_another_name_is_none_of_ours(inventory: Inventory) -> None:
    source = inventory.write()
    other = source.rename(source.with_name("hosts.yml"))
    done = run_playbook(other, "-i", str(other), "--syntax-check", env={"K8S_AUTH_API_KEY": BEARER})
    assert "could not be verified by inventory plugin 'rarus.lms.clients'" in done.stderr
    assert inventory.api.requests == []
