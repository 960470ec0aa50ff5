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
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s.api import Api
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from ansible_collections.rarus.lms.plugins.module_utils._operations import client as client_operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import client_numbers
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
# An id is formed: the counter is updated; index, record and contacts are created.
FORM = Entry(
    "form",
    {"update": ("PUT", "/configmaps/lms-client-counter$"), "create": ("POST", "/(configmaps|secrets)$")},
    (
        "409 to an update", "409 to every update", "answer lost after an update", "token that expires before an update",
        "409 to a create", "422 to a create", "answer lost after a create", "30 s of silence to a create", "token that expires half way",
    ),
)  # fmt: skip
# Which of the creates of a form a fault strikes: after the index of organisations, and before the contacts.
RECORD_OF_A_FORM = 2
CREDENTIALS = Entry(
    "credentials",
    {"read": ("GET", "/secrets/lms-credentials-"), "create": ("POST", "/secrets$"), "update": ("PUT", "/configmaps/lms-client-")},
)
INVENTORY = Entry("inventory", {"read": ("GET", "/configmaps$"), "page": ("GET", "/configmaps$")})
# More records than one page has.
MORE_THAN_A_PAGE = range(1_000_000, 1_000_501)
PERSON = {"name": "Anna Kanarienvogel", "role": "IT", "phones": ["+4930901820"], "mailboxes": ["kanarienvogel@company.example"]}
ENTRIES = (CLIENT, FORM, CREDENTIALS, INVENTORY)
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

    def canaries(self) -> Canaries:
        """Return what may be seen nowhere: the token, and what is personal."""
        canaries = Canaries()
        canaries.add("the deployer's token", self.deployer.token)
        canaries.add("a name", str(PERSON["name"]))
        canaries.add("a phone", PERSON["phones"][0])
        canaries.add("a mailbox", PERSON["mailboxes"][0])
        return canaries

    def expect_no_leak(self, outcome: dict[str, t.Any] | LmsError, kept: dict[str, t.Any]) -> None:
        """AssertionError where a result, or what goes with a failure, shows the token or what lies in the client's Secrets."""
        canaries = self.canaries()
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


@dataclass
class Form:
    """A form without an id, for an organisation of its own."""

    controller: Controller

    def __post_init__(self) -> None:
        self.given = {"client": "", "organisation": f"Brot {uuid.uuid4()}", "contacts": [PERSON], "catalogue": "test"}

    def clients(self) -> list[str]:
        """Return the clients on the list that have the organisation."""
        self.controller.proxy.rules = []
        records = self.controller.api.list("v1", "ConfigMap", NAMESPACE, label_selector="rarus.lms/record=client")
        return [one["data"]["client"] for one in records if one["data"]["organisation"] == self.given["organisation"]]

    def struck(self, rule: Rule) -> dict[str, t.Any] | LmsError:
        """Send it while a fault strikes."""
        self.controller.proxy.rules = [rule]
        return self.controller.attempt(client_operation.OPERATION, **self.given)

    def again(self) -> str:
        """Send it once more, and then what the refusal says where there is one; return in words what that did.

        AssertionError where not just one client, one index and the contacts are there then.
        """
        known = self.clients()
        outcome = self.controller.attempt(client_operation.OPERATION, **self.given)
        (client,) = self.clients()
        self.controller.client = client
        if isinstance(outcome, LmsError):
            assert outcome.as_result()["client"] == client
            self.controller.run(client_operation.OPERATION, **{**self.given, "client": client})
        index = self.controller.api.get(Ref("v1", "ConfigMap", organisation_index_name(str(self.given["organisation"])), NAMESPACE))
        contacts = self.controller.api.get(Ref("v1", "Secret", f"lms-contacts-{client.lower()}", NAMESPACE))
        assert index is not None
        assert index["data"]["client"] == client
        assert contacts is not None
        assert json.loads(base64.b64decode(contacts["data"]["contacts"])) == [PERSON]
        assert isinstance(outcome, LmsError) is bool(known)
        return "is refused by the id of C42, which is gone on with" if known else "forms the id"


@pytest.fixture
def form(controller: Controller) -> Form:
    """Provide a form, after the counter was made by another."""
    other = Form(controller)
    controller.run(client_operation.OPERATION, **other.given)
    return Form(controller)


@pytest.mark.parametrize("fault", FORM.faults, ids=lambda fault: fault.name)
def test_form(controller: Controller, form: Form, fault: Fault, tables: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(fault, monkeypatch)
    monkeypatch.setattr(client_numbers, "MOVE_SECONDS", 1.0)
    rule = FORM.rule(fault)
    outcome = form.struck(replace(rule, first=RECORD_OF_A_FORM) if fault.where == "create" else rule)
    wrote = writes(controller.proxy.passed)
    next_run = form.again()
    controller.expect_no_leak(outcome, {})
    told, code = controller.told(outcome)
    row = Row(told.replace("for 1 s on end", "for 60 s on end"), code, tuple(wrote), next_run)
    tables["form"].hold(fault, row)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(1, MOST_REQUESTS + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_any_request_of_a_form(controller: Controller, form: Form, fault: Fault, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(fault, monkeypatch)
    monkeypatch.setattr(client_numbers, "MOVE_SECONDS", 1.0)
    outcome = form.struck(Rule(**{**fault.how, "first": turn}))
    controller.told(outcome)
    form.again()
    controller.expect_no_leak(outcome, {})


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


def shown(sources: dict[str, Path], controller: Controller, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-inventory once on sources by name; AssertionError where it shows the token or what is personal."""
    token = controller.deployer.token
    words = [word for source in sources.values() for word in ("-i", str(source))]
    found = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000", "K8S_AUTH_API_KEY": token}
    patience = {"RARUS_LMS_REPEAT_SECONDS": "1.5", "RARUS_LMS_READ_SECONDS": "1", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}
    command = [sys.executable, "-m", "ansible", "inventory", *words, "--list", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **found, **patience})
    assert seen_in({"stdout": done.stdout, "stderr": done.stderr}, controller.canaries()) == []
    return done


def listed(sources: dict[str, Path], controller: Controller) -> tuple[dict[str, str], set[str]]:
    """Return what is told of those sources that could not be read, and the hosts of all others."""
    done = shown(sources, controller)
    told = {match["path"]: match["told"] for match in OF_A_SOURCE.finditer(done.stderr)}
    hosts = set(json.loads(done.stdout)["_meta"]["hostvars"])
    return {name: told[str(path)] for name, path in sources.items() if str(path) in told}, hosts


def test_inventory(controller: Controller, tables: dict[str, Table], tmp_path: Path) -> None:
    """Each fault has a source and a proxy of its own, so that one run of Ansible meets all of them."""
    controller.run(client_operation.OPERATION, catalogue="test", contacts=[PERSON])
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
        long = {fault.name: sources[fault.name] for fault in INVENTORY.faults if fault.where == "page"}
        told, _hosts = listed({name: source for name, source in sources.items() if name not in long}, controller)
        told |= told_of_page_two(controller, long)
        for fault in (fault for fault in INVENTORY.faults if not fault.lasts and not fault.how.get("cut")):
            proxies[fault.name].rules = [INVENTORY.rule(fault)]
        shown(sources, controller, "-vvvv")
        for proxy in proxies.values():
            proxy.rules = []
        unread, hosts = listed(sources, controller)
    assert not unread
    assert controller.client in hosts
    for fault in INVENTORY.faults:
        sentence = plainly(told.get(fault.name, ""), {NAMESPACE: "lms-dev"})
        assert controller.deployer.token not in sentence
        tables["inventory"].hold(fault, Row(sentence, AS_ANSIBLE_IS_TOLD if sentence else 0, (), "lists the clients"))


def told_of_page_two(controller: Controller, sources: dict[str, Path]) -> dict[str, str]:
    """Return what is told of sources whose list fails at its second page, which it has for a while: no host of the first may be taken."""
    place: dict[str, t.Any] = {"catalogue": "test", "namespace": NAMESPACE, "registry_namespace": NAMESPACE}
    records = [Record(ClientId(number), **place).to_object() for number in MORE_THAN_A_PAGE]
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": records})
    lab = controller.deployer.lab
    try:
        lab.kubectl("create", "-f", "-", text=objects)
        told, hosts = listed(sources, controller)
    finally:
        lab.kubectl("delete", "configmaps", "-n", NAMESPACE, "-l", "rarus.lms/record=client,!rarus.lms/organisation")
    assert not hosts, "half a list was taken for the whole"
    return told


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
