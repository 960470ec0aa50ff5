# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry point answers alike as a module and in the controller's process, secrets left out in both."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.contacts import contacts_object, read_contacts
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import RETIRED, Record
from support.fake_api import BEARER, FakeApi
from support.registry import register
from support.requests import requests_of

Object = dict[str, t.Any]
SPACE = "lms-dev"
CANARY = "Y2FuYXJ5LTVmMWMwYQ=="
# What only one of the two ways adds, by Ansible's own doing; the number of seconds differs by itself.
BY_ANSIBLE = {
    "action",
    "ansible_facts",
    "changed",
    "deprecations",
    "exception",
    "failed",
    "invocation",
    "task",
    "warnings",
    "_ansible_no_log",
}
BY_CLOCK = {"since", "calls"}

RESTORED = {"state": "restored", "identity": CANARY}

CASES: list[tuple[str, str, Object, bool]] = [
    ("nothing is prepared", "namespace_info", {"namespace": SPACE, "requests": requests_of("C42", SPACE)}, True),
    ("a Secret and rights", "namespace_info", {"namespace": SPACE, "secrets": [{"name": "sms4b", "keys": ["token"]}]}, True),
    ("a new client", "requests_info", {"namespace": SPACE, "requests": requests_of("C42", SPACE)}, False),
    ("a stranger's object", "requests_info", {"namespace": SPACE, "requests": requests_of("C7", SPACE)}, True),
    ("a wrong id", "requests_info", {"namespace": SPACE, "requests": [{**requests_of("C7", SPACE)[0], "client": "c7"}]}, True),
    ("no Secrets of clients", "credentials_info", {"namespace": SPACE}, False),
    ("no Secrets of this client", "credentials_info", {"namespace": SPACE, "clients": ["C42"]}, False),
    ("no Secrets to log in by", "credentials_info", {"namespace": SPACE, "clients": ["C42"], "probe": True}, False),
    ("nothing to rotate", "credentials", {"client": "C42", "namespace": SPACE, "state": "rotated", "parts": ["rsa"], "step": "open"}, True),
    ("a client found", "client", {"client": "C42", "namespace": SPACE, "catalogue": SPACE, "contacts": [{"name": CANARY}]}, False),
    ("no such id", "drift_info", {"clients": ["c42"], "namespace": SPACE, "settings": {}}, True),
    ("a client that has left", "client", {"client": "C43", "namespace": SPACE, "catalogue": SPACE}, True),
    ("a second one of the same name", "client", {"organisation": "OFEN", "namespace": SPACE, "catalogue": SPACE}, True),
    ("contacts that are none", "client", {"client": "C42", "namespace": SPACE, "catalogue": SPACE, "contacts": CANARY}, True),
    ("the list", "client_info", {"namespace": SPACE, "contacts": False}, False),
    ("a damaged id", "client_info", {"namespace": SPACE, "client": "c42"}, True),
    ("a table", "client_export", {"namespace": SPACE}, False),
    ("a file of another form", "client_import", {"namespace": SPACE, "catalogue": SPACE, "path": "/etc/hostname"}, True),
    ("no escrow", "credentials_escrow", {"clients": ["C42"], "namespace": SPACE, "catalogue": SPACE}, False),
    ("no copy", "credentials_escrow", {"clients": ["C42"], "namespace": SPACE, "catalogue": SPACE, **RESTORED}, True),
    ("nothing to adopt", "client_adoption", {"client": "C7", "namespace": SPACE, "catalogue": SPACE}, True),
    ("no ServiceAccount", "service_account_token", {"namespace": SPACE, "service_account": "nobody", "path": "/tmp/never-written"}, True),
    ("a client without pods", "environment_logs_info", {"client": "C42", "namespace": SPACE}, False),
    ("no such folder", "environment_archive", {"client": "C42", "namespace": SPACE, "path": "/no/such/folder/x.tar.gz"}, True),
]


@pytest.fixture
def cluster(fake_api: FakeApi) -> FakeApi:
    """An API with a namespace, a Secret, a stranger's ConfigMap, three clients on the list, and a review that grants nothing."""
    fake_api.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    fake_api.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sms4b", "namespace": SPACE}, "data": {"token": CANARY}})
    fake_api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lms-config-c7", "namespace": SPACE}})
    place: Object = {"catalogue": SPACE, "namespace": SPACE, "registry_namespace": SPACE}
    fake_api.add(Record(ClientId(42), **place, organisation="Brot {{ x }}").to_object())
    fake_api.add(Record(ClientId(43), **place, organisation="Acme", phase=RETIRED).to_object())
    register(fake_api, client="C44", organisation="Ofen")
    fake_api.add(contacts_object(ClientId(42), SPACE, read_contacts([{"name": CANARY}]), {}))
    fake_api.answer("POST", "/selfsubjectrulesreviews", status=201, body={"status": {"resourceRules": []}}, times=9)
    fake_api.answer("GET", "/version", body={"gitVersion": "v1.36.3"}, times=9)
    return fake_api


def as_module(name: str, arguments: Object, capsys: pytest.CaptureFixture[str]) -> tuple[Object, str]:
    """Run the module as Ansible's wrapper does; return its result and everything it wrote."""
    module = importlib.import_module(f"ansible_collections.rarus.lms.plugins.modules.{name}")
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    written = capsys.readouterr()
    return json.loads(written.out), written.out + written.err


def in_process(name: str, arguments: Object) -> tuple[Object, str]:
    """Run a task on localhost; return its result and everything that Ansible wrote."""
    command = ["ansible", "localhost", "-m", f"rarus.lms.{name}", "-a", json.dumps(arguments)]
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_LOCALHOST_WARNING": "false"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **callback}, cwd=Path("/"))
    return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"], done.stdout + done.stderr


@pytest.mark.parametrize(("case", "name", "options", "fails"), CASES, ids=[f"{case[1]}: {case[0]}" for case in CASES])
def test_both_ways_answer_alike(
    cluster: FakeApi, capsys: pytest.CaptureFixture[str], case: str, name: str, options: Object, fails: bool
) -> None:
    arguments = {**options, **cluster.params}
    results = [as_module(name, arguments, capsys), in_process(name, arguments)]
    assert [bool(result.get("failed")) for result, _written in results] == [fails, fails], (case, results)
    assert bool(results[0][0].get("changed")) is bool(results[1][0].get("changed")), case
    plain = [{key: value for key, value in result.items() if key not in BY_ANSIBLE | BY_CLOCK} for result, _written in results]
    assert plain[0] == plain[1], case
    assert not [written for _result, written in results if BEARER in written or CANARY in written]
