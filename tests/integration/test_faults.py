# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault between the controller and the API, once for each entry point: what is told, what was written, and how the next run ends.


docs/faults.md has what was seen; RARUS_LMS_GOLDEN=write in the environment writes its rows anew.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation
from ansible_collections.rarus.lms.plugins.module_utils._k8s.api import Api
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from ansible_collections.rarus.lms.plugins.module_utils._operations import client as client_operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials as credentials_operation
from faults import Cut, FaultProxy, Rule
from support.deployer import COLLECTIONS, Deployer
from support.faults import FAULTS, Entry, Fault, Row, Table, faulty_api, held, patience_of, plainly, root_url, writes
from support.ids import fresh
from support.lab import Lab
from support.leaks import Canaries, is_secret, seen_in

NAMESPACE = "test-faults"
LONGEST_SENTENCE = 500
# No request of these entry points is the n-th of so many.
MOST_REQUESTS = 9

CLIENT = Entry("client", {"read": ("GET", "/configmaps/lms-client-"), "create": ("POST", "/configmaps$")})
CREDENTIALS = Entry(
    "credentials",
    {"read": ("GET", "/secrets/lms-credentials-"), "create": ("POST", "/secrets$"), "update": ("PUT", "/configmaps/lms-client-")},
)
INVENTORY = Entry("inventory", {"read": ("GET", "/configmaps$")})
ENTRIES = (CLIENT, CREDENTIALS, INVENTORY)
# What ansible-inventory says of a source that it could not read: the plugin's sentence, and the source.
OF_A_SOURCE = re.compile(r"<<< caused by >>>\n\n(?P<told>[^\n]+)\nOrigin: <inventory plugin 'auto' with source '(?P<path>[^']+)'>")
AS_ANSIBLE_IS_TOLD = "1, or 0 where Ansible's `any_unparsed_is_failed` is set to false"


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace of this file's own."""
    made = Deployer(lab, NAMESPACE, tmp_path_factory.mktemp("faults"))
    made.remove()
    made.prepare()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def proxy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    """Provide the proxy before the lab's API."""
    with faulty_api(lab, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="module")
def tables() -> Iterator[dict[str, Table]]:
    """Provide the tables of docs/faults.md, and write those that are to be written."""
    with held(ENTRIES) as found:
        yield found


@dataclass
class Controller:
    """Whoever runs operations through the proxy, in this process; client is the one that this test is about."""

    deployer: Deployer
    proxy: FaultProxy
    client: str

    @property
    def options(self) -> dict[str, t.Any]:
        return {**self.deployer.options, "host": root_url(self.deployer.lab, self.proxy)}

    @property
    def api(self) -> Api:
        return connect(self.options)

    def attempt(self, operation: Operation, **more: t.Any) -> dict[str, t.Any] | LmsError:
        """Run an operation with its defaults; return its result, or what it failed by."""
        given = {**self.options, "client": self.client, "namespace": NAMESPACE, **more}
        checked = ArgumentSpecValidator(dict(operation.argument_spec)).validate(given)
        assert not checked.error_messages
        try:
            return operation.run(checked.validated_parameters, Context())
        except LmsError as error:
            return error

    def run(self, operation: Operation, **more: t.Any) -> dict[str, t.Any]:
        """Run an operation while nothing fails."""
        self.proxy.rules = []
        result = self.attempt(operation, **more)
        assert isinstance(result, dict), result
        return result

    def kept(self) -> dict[str, t.Any]:
        """Return what can never be made again, as it lies in the cluster: the client's first date, and the values of its Secrets."""
        self.proxy.rules = []
        name = self.client.lower()
        record = self.api.get(Ref("v1", "ConfigMap", f"lms-client-{name}", NAMESPACE))
        found = {"created": record["data"]["created"]} if record else {}
        for secret in (f"lms-credentials-{name}", f"rsa-secret-{name}"):
            lying = self.api.get(Ref("v1", "Secret", secret, NAMESPACE))
            found |= {f"{secret}/{key}": value for key, value in ((lying or {}).get("data") or {}).items()}
        return found

    def expect_no_leak(self, outcome: dict[str, t.Any] | LmsError, kept: dict[str, t.Any]) -> None:
        """AssertionError where a result, or what goes with a failure, shows the token or what lies in the client's Secrets."""
        canaries = Canaries()
        canaries.add("the deployer's token", self.deployer.token)
        for key, value in kept.items():
            if is_secret(key):
                canaries.add(key, base64.b64decode(value).decode(errors="replace"))
        told = outcome if isinstance(outcome, dict) else {**outcome.as_result(), "repr": repr(outcome)}
        assert seen_in({"result": json.dumps(told, default=str)}, canaries) == []

    def told(self, outcome: dict[str, t.Any] | LmsError) -> tuple[str, int]:
        """Return the sentence and the exit code of what a run came to; AssertionError where that is not one sentence without a secret."""
        if isinstance(outcome, dict):
            return "", 0
        sentence = str(outcome.as_result()["msg"])
        assert "\n" not in sentence
        assert sentence.endswith((".", "?"))
        assert len(sentence) < LONGEST_SENTENCE
        assert self.deployer.token not in sentence
        names = {self.client: "C42", self.client.lower(): "c42", NAMESPACE: "lms-dev"}
        return plainly(sentence, names), 4 if isinstance(outcome, UnknownStateError) else 2


@pytest.fixture
def controller(deployer: Deployer, proxy: FaultProxy) -> Controller:
    return Controller(deployer, proxy, fresh())


def be_patient(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, seconds in patience_of(fault).items():
        monkeypatch.setenv(variable, seconds)


@pytest.mark.parametrize("fault", CLIENT.faults, ids=lambda fault: fault.name)
def test_client(controller: Controller, fault: Fault, tables: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(fault, monkeypatch)
    register = client_operation.OPERATION
    controller.proxy.rules = [CLIENT.rule(fault)]
    outcome = controller.attempt(register, catalogue="test")
    wrote = writes(controller.proxy.passed)
    if fault.where == "read" and not isinstance(outcome, dict):
        assert wrote == [], "written on a doubtful read"
    before = controller.kept()
    again = controller.run(register, catalogue="test")
    after = controller.kept()
    assert before.items() <= after.items()
    assert again["changed"] is (not before)
    assert controller.run(register, catalogue="test")["changed"] is False
    controller.expect_no_leak(outcome, after)
    told, code = controller.told(outcome)
    tables["client"].hold(fault, Row(told, code, tuple(wrote), "registers the client" if again["new"] else "finds the client"))


@pytest.mark.parametrize("fault", CREDENTIALS.faults, ids=lambda fault: fault.name)
def test_credentials(controller: Controller, fault: Fault, tables: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    controller.run(client_operation.OPERATION, catalogue="test")
    be_patient(fault, monkeypatch)
    make = credentials_operation.OPERATION
    controller.proxy.rules = [CREDENTIALS.rule(fault)]
    outcome = controller.attempt(make)
    wrote = writes(controller.proxy.passed)
    if fault.where == "read" and not isinstance(outcome, dict):
        assert wrote == [], "a secret was made on a doubtful read"
    before = controller.kept()
    again = controller.run(make)
    after = controller.kept()
    assert before.items() <= after.items(), "a secret changed by itself"
    assert controller.run(make)["changed"] is False
    controller.expect_no_leak(outcome, after)
    controller.expect_no_leak(again, after)
    told, code = controller.told(outcome)
    made = (
        f"makes {' and '.join(again['created'])}" if again["created"] else "notes that they are made" if again["changed"] else "finds them"
    )
    tables["credentials"].hold(fault, Row(told, code, tuple(wrote), plainly(made, {controller.client.lower(): "c42"})))


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(1, MOST_REQUESTS + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_any_request_of_client_and_credentials(controller: Controller, fault: Fault, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(fault, monkeypatch)
    kept: dict[str, t.Any] = {}
    for operation, more in ((client_operation.OPERATION, {"catalogue": "test"}), (credentials_operation.OPERATION, {})):
        controller.proxy.rules = [Rule(**{**fault.how, "first": turn})]
        outcome = controller.attempt(operation, **more)
        controller.told(outcome)
        before = controller.kept()
        assert kept.items() <= before.items()
        controller.expect_no_leak(outcome, before)
        controller.run(operation, **more)
        kept = controller.kept()
        assert before.items() <= kept.items()
        assert controller.run(operation, **more)["changed"] is False


def listed(sources: dict[str, Path], token: str) -> tuple[dict[str, str], set[str]]:
    """Run ansible-inventory once on sources by name; return what is told of those that could not be read, and the hosts of all others."""
    words = [word for source in sources.values() for word in ("-i", str(source))]
    found = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000", "K8S_AUTH_API_KEY": token}
    patience = {"RARUS_LMS_REPEAT_SECONDS": "1.5", "RARUS_LMS_READ_SECONDS": "1", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}
    command = [sys.executable, "-m", "ansible", "inventory", *words, "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **found, **patience})
    told = {match["path"]: match["told"] for match in OF_A_SOURCE.finditer(done.stderr)}
    hosts = set(json.loads(done.stdout)["_meta"]["hostvars"])
    return {name: told[str(path)] for name, path in sources.items() if str(path) in told}, hosts


def test_inventory(controller: Controller, tables: dict[str, Table], tmp_path: Path) -> None:
    """Each fault has a source and a proxy of its own, so that one run of Ansible meets all of them."""
    controller.run(client_operation.OPERATION, catalogue="test")
    lab, ca_file = controller.deployer.lab, controller.options["ca_cert"]
    sources, proxies = {}, {}
    with ExitStack() as stack:
        for number, fault in enumerate(INVENTORY.faults):
            folder = tmp_path / str(number)
            folder.mkdir()
            proxies[fault.name] = stack.enter_context(faulty_api(lab, folder))
            sources[fault.name] = folder / "lms_clients.yml"
            options = {"host": root_url(lab, proxies[fault.name]), "ca_cert": ca_file, "registry_namespace": NAMESPACE}
            sources[fault.name].write_text(yaml.safe_dump({"plugin": "rarus.lms.clients", **options}))
            proxies[fault.name].rules = [INVENTORY.rule(fault)]
        told, _hosts = listed(sources, controller.deployer.token)
        for proxy in proxies.values():
            proxy.rules = []
        unread, hosts = listed(sources, controller.deployer.token)
    assert not unread
    assert controller.client in hosts
    for fault in INVENTORY.faults:
        sentence = plainly(told.get(fault.name, ""), {NAMESPACE: "lms-dev"})
        assert controller.deployer.token not in sentence
        tables["inventory"].hold(fault, Row(sentence, AS_ANSIBLE_IS_TOLD if sentence else 0, (), "lists the clients"))


@pytest.mark.parametrize("cut", [Cut.ANSWER, Cut.MIDDLE])
def test_a_write_whose_answer_was_lost_is_known_by_its_token(controller: Controller, cut: Cut) -> None:
    controller.proxy.rules = [Rule("POST", "/configmaps$", cut=cut)]
    outcome = controller.attempt(client_operation.OPERATION, catalogue="test")
    assert isinstance(outcome, dict)
    assert outcome["new"] is True, "our own record was taken for somebody else's"
    became = [request.became for request in controller.proxy.passed if request.method == "POST"]
    assert became == ["201, lost", "409"]
    last = controller.proxy.passed[-1]
    assert (last.method, last.became) == ("GET", "200"), "the record was read back, to see the token"


def test_a_record_that_somebody_else_made_meanwhile_is_not_taken_for_ours(controller: Controller) -> None:
    other = Controller(controller.deployer, controller.proxy, controller.client)
    other.run(client_operation.OPERATION, catalogue="test", actor="somebody else")
    # The read says "absent" as if it had come before the other's write.
    absent = {"kind": "configmaps", "name": f"lms-client-{controller.client.lower()}"}
    body = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "details": absent}
    controller.proxy.rules = [Rule("GET", "/configmaps/", status=404, body=body), Rule("POST", cut=Cut.REQUEST)]
    outcome = controller.attempt(client_operation.OPERATION, catalogue="test")
    assert isinstance(outcome, dict)
    assert (outcome["new"], outcome["record"]["created_by"]) == (False, "somebody else")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_table_has_a_row_for_every_fault(entry: Entry) -> None:
    assert list(Table(entry).rows()) == [fault.name for fault in entry.faults]
