# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault once in a whole playbook, at one request of it: what is told, what was written, how the next run ends; nothing leaks.

docs/faults.md has what was seen; RARUS_LMS_GOLDEN=write in the environment writes its rows anew.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from faults import Cut, FaultProxy, Rule
from support.faults import FAULTS, Entry, Fault, Row, Table, held, patience_of, plainly, root_url, writes
from support.ids import fresh
from support.lab import PLAYBOOKS, Lab, Prepared
from support.leaks import ON_SCREEN, WAYS, Canaries, Watched, Way, cluster_places, run_watched, seen_in
from support.logins import opens

# Each kind of fault once; all of them, at each of these requests, with `make soak`. The run that is struck changes a client's public path
# alone, takes it away, or does nothing.
ONCE = (
    "400 to a read", "401 to a read", "403 to a read", "404 that is not about the object", "404 to discovery", "409 to a create",
    "409 to an update", "410 to a read", "413 to a create", "422 to a create", "422 to an apply", "429 once, Retry-After 60 s",
    "429 once to an apply", "500 to a read", "502 once to an apply", "503 on the object, all the time", "503 on discovery only",
    "504 once to a create",
    "reset before the answer to a create, once", "reset in the middle of the answer to a create", "answer lost after a create",
    "answer lost after an update", "answer lost after an apply", "30 s of silence to a read", "30 s of silence to an apply",
    "502 once to a delete", "answer lost after a delete", "30 s of silence to a delete",
    "HTML instead of JSON", "expired certificate", "token that expires half way",
)  # fmt: skip
WHERE = {
    "read": ("GET", "/configmaps/lms-client-"),
    "discovery": ("GET", r"/apis/networking\.k8s\.io/v1$"),
    "create": ("POST", "/leases$"),
    "update": ("PUT", "/configmaps/lms-client-"),
    "apply": ("PATCH", "/ingresses/"),
    "delete": ("DELETE", "/ingresses/"),
}
PROVISION = Entry("provision", WHERE, ONCE)
# What a run repeats and gets over. In `make test` one run meets all of these; each by itself, with `make soak`. A status to a delete is
# repeated as one to an apply is.
REPEATED = (
    "404 to discovery", "409 to a create", "504 once to a create", "reset before the answer to a create, once",
    "reset in the middle of the answer to a create", "409 to an update", "answer lost after an update", "429 once to an apply",
    "502 once to an apply", "answer lost after an apply",
)  # fmt: skip
ALONE_IN_SOAK = {*REPEATED, "502 once to a delete"}
PROVISIONED = [pytest.param(fault, marks=[pytest.mark.soak] * (fault.name in ALONE_IN_SOAK)) for fault in PROVISION.faults]
# A rotation is struck where it replaces the client's Secret, and where the pods are replaced.
ROTATE = Entry(
    "rotate",
    {
        "read": WHERE["read"],
        "discovery": ("GET", r"/apis/apps/v1$"),
        "create": WHERE["create"],
        "update": ("PUT", "/secrets/rsa-secret-"),
        "apply": ("PATCH", "/deployments/"),
    },
    (*(name for name in ONCE if name != "token that expires half way"), "token that expires before an update"),
)
# A rotation takes long, so in `make test` those that end it early strike by themselves; all others strike rotations that go on from each
# other: these stop it, one after the other, and the rest is repeated within the last run.
BY_THEMSELVES = {"409 to an update", "answer lost after an update"}
STOPPING = (
    "413 to a create", "422 to a create", "token that expires before an update", "503 on discovery only", "422 to an apply",
    "30 s of silence to an apply",
)  # fmt: skip
TOGETHER = [fault for fault in ROTATE.faults if fault.where != "read" and fault.name not in {*BY_THEMSELVES, *STOPPING}]
ROTATED = [
    pytest.param(fault, marks=() if fault.where == "read" or fault.name in BY_THEMSELVES else pytest.mark.soak) for fault in ROTATE.faults
]
# Both passwords: where their Secret is replaced, and where the Jobs that bring them to the databases are applied and waited for.
PASSWORDS = Entry(
    "passwords",
    {
        "update": ("PUT", "/secrets/lms-credentials-"),
        "apply": ("PATCH", "/jobs/"),
        "discovery": ("GET", r"/apis/batch/v1$"),
        "wait": ("GET", "/jobs$"),
    },
    (
        "409 to an update", "422 to an apply", "429 once to an apply", "502 once to an apply", "503 on discovery only",
        "503 while Jobs are waited for, all the time", "reset while Jobs are waited for, once",
        "token that expires while Jobs are waited for", "answer lost after an update", "answer lost after an apply",
        "30 s of silence to an apply", "token that expires before an update",
    ),
)  # fmt: skip
# Of these, what stops a rotation one after the other in `make test`, and what the last run meets.
STOPPING_PASSWORDS = ("409 to an update", "422 to an apply", "token that expires while Jobs are waited for")
MET_BY_THE_LAST = (
    "429 once to an apply",
    "reset while Jobs are waited for, once",
    "answer lost after an update",
    "answer lost after an apply",
)
ENTRIES = (PROVISION, ROTATE, PASSWORDS)
# Those that strike while a new client's keys are made.
OF_A_NEW_CLIENT = {"answer lost after a create", "token that expires half way"}
APPLY_SECONDS = 6
OF_A_ROTATION: dict[str, object] = {"credentials": "rsa"}
OF_PASSWORDS: dict[str, object] = {"credentials": "postgres,clickhouse"}
PASSWORD_KEYS = ("postgres-", "clickhouse-")
# What a run that nothing strikes says, and what it has done then.
ENDINGS = {
    "nothing changed": "changes nothing",
    "credentials": "makes the client ready",
    " applied ": "applies what differs",
    "is no longer asked for": "takes it away",
}
# What takes a client's public path away.
UNPUBLISHED: dict[str, object] = {"lms_publish": "none"}
KEYS = ("lms-credentials-", "rsa-secret-")


@dataclass
class Operator:
    """Whoever runs playbooks through the proxy."""

    prepared: Prepared
    proxy: FaultProxy
    folder: Path
    # All that may be seen nowhere: of a value that was rotated away, too.
    canaries: Canaries = field(default_factory=Canaries)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def run(self, playbook: str, client: str, variables: dict[str, object], fault: Fault | None = None, way: Way = ON_SCREEN) -> Watched:
        """Run a playbook for one client; a fault has its patience."""
        lab = self.prepared.lab
        given = {"client": client, "lms_api_root_url": root_url(lab, self.proxy), **variables}
        if fault and fault.how.get("cut") is Cut.SILENCE:
            given["lms_apply_timeout_seconds"] = APPLY_SECONDS
        words = ["-i", str(self.prepared.inventory), "-e", json.dumps(given)]
        env = {**self.prepared.env, **(patience_of(fault) if fault else {})}
        folder = self.folder / str(next(self._numbers))
        return run_watched(PLAYBOOKS / f"{playbook}.yml", words, lab=lab, env=env, folder=folder, way=way)

    def another_path(self, client: str) -> dict[str, object]:
        """Return a setting that changes the client's Ingress, whatever was asked for last, and nothing else."""
        there = self.prepared.lab.get("ingress", f"client-lms-ingress-{client.lower()}", self.prepared.namespace)
        return {"lms_cors": "nginx.ingress.kubernetes.io/enable-cors" not in there.get("metadata", {}).get("annotations", {})}

    def forget_lease(self, client: str) -> None:
        """Take the client's Lease away, so that the next run creates it."""
        self.prepared.lab.kubectl("delete", "lease", f"lms-client-{client.lower()}", "-n", self.prepared.namespace, "--ignore-not-found")

    def secrets(self, client: str) -> dict[str, dict[str, str]]:
        """Return the data of the client's Secrets, by name."""
        found = self.prepared.lab.get("secret", "", self.prepared.namespace, selector=f"rarus.lms/client={client}").get("items", [])
        self.canaries.add_values(found)
        return {secret["metadata"]["name"]: secret["data"] for secret in found if secret["metadata"]["name"].startswith(KEYS)}


@pytest.fixture(scope="module")
def audit_from(lab: Lab) -> int:
    """The length of the audit log before this file's first run."""
    return Path(lab.facts["api"]["audit_log"]).stat().st_size


@pytest.fixture(scope="module")
def operator(lab: Lab, proxy: FaultProxy, audit_from: int, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator(lab.prepare(), proxy, tmp_path_factory.mktemp("runs"))
    made.canaries.add("the deployer's token", made.prepared.env["K8S_AUTH_API_KEY"])
    return made


@pytest.fixture(scope="module")
def ready(operator: Operator) -> str:
    """A client that is ready."""
    client = fresh()
    assert operator.run("provision_client", client, {}).code == 0
    return client


@pytest.fixture(scope="module")
def at_rest(operator: Operator, ready: str) -> str:
    """The same client, as the catalogue alone has it."""
    operator.proxy.rules = []
    assert operator.run("provision_client", ready, {}).code == 0
    return ready


@pytest.fixture(scope="module")
def tables() -> Iterator[dict[str, Table]]:
    """Provide the tables of docs/faults.md, and write those that are to be written."""
    with held(ENTRIES) as found:
        yield found


def told(run: Watched, client: str) -> str:
    """Return what the operator reads of a failure, without the lines of progress; AssertionError where that is not one sentence."""
    lines = [line for line in run.stdout.splitlines() if line.strip() and not line.startswith(("  ", "FAILED - RETRYING"))]
    assert len(lines) == 1, run.stdout
    return plainly(lines[0].strip(), {client: "C42", client.lower(): "c42"})


def ended(run: Watched, client: str) -> str:
    """Return in words how a run ended that nothing struck."""
    assert run.code == 0, run.stdout
    assert f"{client} is ready" in run.stdout
    return next((words for mark, words in ENDINGS.items() if mark in run.stdout), "notes it")


def expect_no_leak(operator: Operator, *runs: Watched) -> None:
    """AssertionError where a run shows what lies in the namespace's Secrets, or what its client had before a rotation."""
    canaries = Canaries({key: set(values) for key, values in operator.canaries.values.items()})
    canaries.add_secrets(operator.prepared.lab, operator.prepared.namespace)
    assert [hit for run in runs for hit in seen_in(run.places, canaries)] == []


def strike(operator: Operator, client: str, fault: Fault, rule: Rule, variables: dict[str, object]) -> tuple[Row, Watched]:
    """Provision a client while a fault strikes, and again: AssertionError where a key changed, or the second run does not end right."""
    operator.proxy.rules = [rule]
    struck = operator.run("provision_client", client, variables, fault)
    wrote = tuple(writes(operator.proxy.passed))
    before = operator.secrets(client)
    operator.proxy.rules = []
    again = operator.run("provision_client", client, variables)
    after = operator.secrets(client)
    assert before.items() <= after.items(), "a secret changed by itself"
    assert len(after) == len(KEYS)
    assert f"{client} is ready" in struck.stdout or struck.code
    return Row(told(struck, client) if struck.code else "", struck.code, wrote, ended(again, client)), struck


def strike_a_read(operator: Operator, client: str, fault: Fault, entry: Entry) -> tuple[Row, Watched]:
    """Run a playbook while a read fails: AssertionError where the run goes on, or has written anything, so that the next may differ."""
    operator.proxy.rules = [entry.rule(fault)]
    playbook, variables = ("rotate_credentials", OF_A_ROTATION) if entry is ROTATE else ("provision_client", {})
    struck = operator.run(playbook, client, variables, fault)
    assert struck.code
    assert writes(operator.proxy.passed) == [], "written on a doubtful read"
    return Row(told(struck, client), struck.code, (), "runs as if it were the first"), struck


@pytest.mark.parametrize("fault", PROVISIONED, ids=lambda fault: fault.name)
def test_provision(operator: Operator, ready: str, fault: Fault, tables: dict[str, Table]) -> None:
    if fault.where == "read":
        row, struck = strike_a_read(operator, ready, fault, PROVISION)
    elif fault.name in OF_A_NEW_CLIENT:
        row, struck = strike(operator, fresh(), fault, Rule("POST", "/secrets$", **fault.how), {})
    else:
        row, struck = strike(operator, ready, fault, PROVISION.rule(fault), what_asks(operator, ready, fault.where))
    expect_no_leak(operator, struck)
    tables["provision"].hold(fault, row)


def what_asks(operator: Operator, client: str, where: str) -> dict[str, object]:
    """Return settings by which a run for a client that is ready makes a request of that kind."""
    if where == "create":
        operator.forget_lease(client)
    if where != "delete":
        return operator.another_path(client)
    if not operator.prepared.lab.get("ingress", f"client-lms-ingress-{client.lower()}", operator.prepared.namespace):
        operator.proxy.rules = []
        assert operator.run("provision_client", client, {}).code == 0
    return UNPUBLISHED


@pytest.mark.parametrize("fault", ROTATED, ids=lambda fault: fault.name)
def test_rotate(operator: Operator, at_rest: str, fault: Fault, tables: dict[str, Table]) -> None:
    """The RSA key is rotated: whatever strikes, the next run ends with one new key, and no password has changed."""
    if fault.where == "read":
        row, struck = strike_a_read(operator, at_rest, fault, ROTATE)
        expect_no_leak(operator, struck)
        tables["rotate"].hold(fault, row)
        return
    key = f"rsa-secret-{at_rest.lower()}"
    if fault.where == "create":
        operator.forget_lease(at_rest)
    former = operator.secrets(at_rest)
    operator.proxy.rules = [ROTATE.rule(fault)]
    struck = operator.run("rotate_credentials", at_rest, OF_A_ROTATION, fault)
    wrote = tuple(writes(operator.proxy.passed))
    between = operator.secrets(at_rest)
    operator.proxy.rules = []
    if struck.code:
        again = operator.run("rotate_credentials", at_rest, OF_A_ROTATION)
        assert again.code == 0, again.stdout
    expect_one_new_key(operator, at_rest, former, between[key])
    expect_no_leak(operator, struck)
    ending = "is a rotation of its own" if not struck.code else "ends the rotation" if wrote else "runs as if it were the first"
    tables["rotate"].hold(fault, Row(told(struck, at_rest) if struck.code else "", struck.code, wrote, ending))


def expect_one_new_key(operator: Operator, client: str, former: dict[str, dict[str, str]], *between: dict[str, str]) -> None:
    """AssertionError where a rotation of the key has not made just one, or has changed a password; between: what was seen meanwhile."""
    after, key = operator.secrets(client), f"rsa-secret-{client.lower()}"
    credentials = f"lms-credentials-{client.lower()}"
    assert after[key] != former[key]
    assert after[credentials] == former[credentials], "a password changed by itself"
    assert all(seen in (former[key], after[key]) for seen in between), "one rotation made two keys"


def in_turn(entry: Entry, faults: Iterable[Fault]) -> list[Rule]:
    """Return the rules by which faults strike in one run: those of a kind one after the other, at the first requests of that kind."""
    turns: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    rules = [(entry.rule(fault), next(turns[fault.where])) for fault in faults]
    return [replace(rule, first=rule.first + turn - 1) for rule, turn in rules]


def expect_all_met(operator: Operator, entry: Entry, faults: Iterable[Fault]) -> None:
    """AssertionError where a run had no request left of a kind after all that were to be struck."""
    for kind, number in Counter(fault.where for fault in faults).items():
        method, path = entry.where[kind]
        met = [request for request in operator.proxy.passed if re.search(method, request.method) and re.search(path, request.path)]
        assert len(met) > number, f"not every fault of a {kind} struck"


def test_a_provisioning_gets_over_all_that_is_repeated(operator: Operator, ready: str) -> None:
    """One run meets them all, changes what differs, and leaves nothing to do."""
    table, path = Table(PROVISION), operator.another_path(ready)
    faults = [fault for name in REPEATED for fault in PROVISION.faults if fault.name == name]
    assert {table.told(fault)[1] for fault in faults} == {"0"}
    operator.forget_lease(ready)
    former = operator.secrets(ready)
    operator.proxy.rules = in_turn(PROVISION, faults)
    struck = operator.run("provision_client", ready, path)
    assert (struck.code, ended(struck, ready)) == (0, "applies what differs"), struck.stdout
    expect_all_met(operator, PROVISION, faults)
    operator.proxy.rules = []
    assert ended(operator.run("provision_client", ready, path), ready) == "changes nothing"
    assert operator.secrets(ready) == former, "a secret changed by itself"
    expect_no_leak(operator, struck)


def test_a_rotation_struck_again_and_again(operator: Operator, at_rest: str) -> None:
    """Every run but the last is stopped as the table says; the last meets all the rest, repeats what is to be repeated, and ends it."""
    table, key = Table(ROTATE), f"rsa-secret-{at_rest.lower()}"
    operator.forget_lease(at_rest)
    former, seen, runs = operator.secrets(at_rest), [], []
    for fault in (fault for name in STOPPING for fault in ROTATE.faults if fault.name == name):
        operator.proxy.rules = [ROTATE.rule(fault)]
        runs.append(operator.run("rotate_credentials", at_rest, OF_A_ROTATION, fault))
        seen.append(operator.secrets(at_rest)[key])
        row = Row(told(runs[-1], at_rest), runs[-1].code, (), "")
        assert (row.sentence, str(row.exit_code)) == table.told(fault), fault.name
    assert {table.told(fault)[1] for fault in TOGETHER} == {"0"}
    operator.forget_lease(at_rest)
    operator.proxy.rules = in_turn(ROTATE, TOGETHER)
    runs.append(operator.run("rotate_credentials", at_rest, OF_A_ROTATION))
    assert runs[-1].code == 0, runs[-1].stdout
    expect_all_met(operator, ROTATE, TOGETHER)
    expect_one_new_key(operator, at_rest, former, *seen)
    expect_no_leak(operator, *runs)


def expect_new_passwords(
    operator: Operator, client: str, former: dict[str, dict[str, str]], between: Iterable[dict[str, str]], folder: Path
) -> None:
    """AssertionError where a rotation has not made just one pair of passwords that alone opens the databases, or has changed a key."""
    after, name = operator.secrets(client), f"lms-credentials-{client.lower()}"
    assert after[f"rsa-secret-{client.lower()}"] == former[f"rsa-secret-{client.lower()}"]
    assert set(after[name]) == set(former[name]), "a rotation has not come to its end"
    others = {key for key in after[name] if not key.startswith(PASSWORD_KEYS)}
    assert {key: after[name][key] for key in others} == {key: former[name][key] for key in others}, "a key changed by itself"
    for database in ("postgres", "clickhouse"):
        seen = {one[f"{database}-password"] for one in between}
        assert after[name][f"{database}-password"] != former[name][f"{database}-password"]
        assert seen <= {former[name][f"{database}-password"], after[name][f"{database}-password"]}, "one rotation made two passwords"
    for login, let_in in ((former, False), (after, True)):
        values = {key: base64.b64decode(value).decode(errors="replace") for key, value in login[name].items()}
        assert opens(operator.prepared.lab, values, folder, client) == {"postgres": let_in, "clickhouse": let_in}


@pytest.mark.soak
@pytest.mark.parametrize("fault", PASSWORDS.faults, ids=lambda fault: fault.name)
def test_rotate_passwords(operator: Operator, at_rest: str, fault: Fault, tables: dict[str, Table], tmp_path: Path) -> None:
    """Both passwords are rotated: whatever strikes, the next run ends with one new pair, and only that is let in."""
    former, name = operator.secrets(at_rest), f"lms-credentials-{at_rest.lower()}"
    operator.proxy.rules = [PASSWORDS.rule(fault)]
    struck = operator.run("rotate_credentials", at_rest, OF_PASSWORDS, fault)
    wrote = tuple(writes(operator.proxy.passed))
    between = operator.secrets(at_rest)[name]
    operator.proxy.rules = []
    if struck.code:
        again = operator.run("rotate_credentials", at_rest, OF_PASSWORDS)
        assert again.code == 0, again.stdout
    expect_new_passwords(operator, at_rest, former, [between], tmp_path)
    expect_no_leak(operator, struck)
    ending = "is a rotation of its own" if not struck.code else "ends the rotation" if wrote else "runs as if it were the first"
    tables["passwords"].hold(fault, Row(told(struck, at_rest) if struck.code else "", struck.code, wrote, ending))


def test_a_rotation_of_passwords_struck_again_and_again(operator: Operator, at_rest: str, tmp_path: Path) -> None:
    """Some runs are stopped as the table says; the last meets what is to be repeated, and ends the rotation."""
    table, name = Table(PASSWORDS), f"lms-credentials-{at_rest.lower()}"
    former, seen, runs = operator.secrets(at_rest), [], []
    for fault in (fault for one in STOPPING_PASSWORDS for fault in PASSWORDS.faults if fault.name == one):
        operator.proxy.rules = [PASSWORDS.rule(fault)]
        runs.append(operator.run("rotate_credentials", at_rest, OF_PASSWORDS, fault))
        seen.append(operator.secrets(at_rest)[name])
        row = Row(told(runs[-1], at_rest), runs[-1].code, (), "")
        assert (row.sentence, str(row.exit_code)) == table.told(fault), fault.name
    met = [fault for fault in PASSWORDS.faults if fault.name in MET_BY_THE_LAST]
    assert {table.told(fault)[1] for fault in met} == {"0"}
    operator.proxy.rules = in_turn(PASSWORDS, met)
    runs.append(operator.run("rotate_credentials", at_rest, OF_PASSWORDS))
    assert runs[-1].code == 0, runs[-1].stdout
    expect_new_passwords(operator, at_rest, former, seen, tmp_path)
    expect_no_leak(operator, *runs)


@pytest.mark.soak
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_provision_struck_anywhere(operator: Operator, ready: str, fault: Fault, where: str) -> None:
    """On a client that is ready: the node has no room for a new one each time, and test_faults.py strikes every request of those."""
    _row, struck = strike(operator, ready, fault, Rule(*WHERE[where], **fault.how), what_asks(operator, ready, where))
    expect_no_leak(operator, struck)


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(("entry", "fault"), [(entry, fault) for entry in ENTRIES for fault in entry.faults], ids=lambda part: part.name)
def test_nothing_leaks_whatever_strikes(operator: Operator, at_rest: str, entry: Entry, fault: Fault, way: Way) -> None:
    playbook = "provision_client" if entry is PROVISION else "rotate_credentials"
    variables = what_asks(operator, at_rest, fault.where)
    variables = {ROTATE.name: OF_A_ROTATION, PASSWORDS.name: OF_PASSWORDS}.get(entry.name, variables)
    operator.secrets(at_rest)
    operator.proxy.rules = [entry.rule(fault)]
    struck = operator.run(playbook, at_rest, variables, fault, way)
    operator.proxy.rules = []
    again = operator.run(playbook, at_rest, variables) if struck.code else struck
    assert again.code == 0, again.stdout
    expect_no_leak(operator, struck)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_table_has_a_row_for_every_fault(entry: Entry) -> None:
    assert list(Table(entry).rows()) == [fault.name for fault in entry.faults]


def test_nothing_is_kept_where_those_without_secrets_read(operator: Operator, at_rest: str, audit_from: int) -> None:
    """After all faults, in what the cluster shows: values of the clients that were struck, rotated ones too, and the token."""
    assert operator.secrets(at_rest)
    rotated = [values for key, values in operator.canaries.values.items() if key.startswith(f"lms-credentials-{at_rest.lower()}/")]
    assert any(len(values) > 1 for values in rotated), "no value was rotated away"
    places = cluster_places(operator.prepared.lab, operator.prepared.namespace, audit_from)
    assert {"audit log", "log of PostgreSQL", "log of ClickHouse"} < set(places)
    assert seen_in(places, operator.canaries) == []
