# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing leaks: after every playbook, shown in every way, canaries are searched in all that it left; and the search can fail.

Each playbook meets every sink by the few ways of WAYS; every combination of them is for the long tests.
"""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
import re
import secrets
import shutil
import sys
import tarfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import PYRAGE
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import generate_rsa_key
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared
from support.leaks import EVERY_WAY, ON_SCREEN, WAYS, Canaries, Watched, Way, cluster_places, run_watched, seen_in

NAMESPACE = "lms-dev"
INVENTORY = ROOT / "inventories" / "lms-dev"
SOURCE_REQUESTS = ROOT / "tests" / "unit" / "plugins" / "module_utils" / "_domain" / "source_requests"
# Runs at once, where they do not meet.
AT_ONCE = 2
# A playbook that others import, and that runs with each of them.
IMPORTED = {"catalogue"}
# What an operator sees who asks for contacts on the screen, and what keeps a copy of the screen.
SCREEN = ("stdout", "file log", "file junit")
# Where leaky objects must be caught.
IN_THE_CLUSTER = (
    "ConfigMap leaky",
    "annotations of ConfigMap leaky",
    "annotations of Secret leaky",
    "managed fields of ConfigMap leaky",
    "Job leaky",
    "Event leaky",
    "log of Pod leaky",
    "audit log",
)


@dataclass
class Operator:
    """Whoever runs the playbooks; canaries is all that may be seen nowhere, people what may be seen only where somebody asked for it."""

    lab: Lab
    folder: Path
    canaries: Canaries = field(default_factory=Canaries)
    people: Canaries = field(default_factory=Canaries)
    # The identity that reads what is in escrow.
    identity: Any = field(default_factory=PYRAGE.require().x25519.Identity.generate)
    # Clients made by hand as the source has it, with their seeds and passwords in a ConfigMap.
    by_hand: list[str] = field(default_factory=list)
    # The client that most playbooks are about.
    client: str = field(default_factory=fresh)
    # By playbook: the variables of its last run that was more than a --check.
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    _turns: defaultdict[str, Iterator[int]] = field(default_factory=lambda: defaultdict(itertools.count))
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    @property
    def deployer(self) -> Prepared:
        """Whoever has the deployer's token."""
        return Prepared(self.lab, INVENTORY, NAMESPACE)

    @property
    def ready(self) -> str:
        """The client, provisioned."""
        if "provision_client" not in self.done:
            self.run("provision_client", ON_SCREEN)
        return self.client

    @functools.cached_property
    def kept(self) -> str:
        """A client with credentials, and without databases: one that was adopted."""
        if "adopt_client" not in self.done:
            self.run("adopt_client", ON_SCREEN)
        return str(self.done["adopt_client"]["client"])

    @property
    def copies(self) -> Path:
        """The folder with the copy of the kept client's credentials."""
        if "escrow_credentials" not in self.done:
            self.run("escrow_credentials", ON_SCREEN)
        return Path(self.done["escrow_credentials"]["lms_escrow_folder"])

    def environment(self, playbook: str) -> dict[str, str]:
        """Return what the operator of a playbook puts into the environment: the administrator's values, or the deployer's token."""
        if playbook == "prepare_namespace":
            return {**self.lab.secrets_of_the_administrator(), "LMS_SMS4B_TOKEN": next(iter(self.canaries.values["the SMS token"]))}
        own = {"LMS_ESCROW_IDENTITY": str(self.identity)} if playbook == "restore_credentials" else {}
        return {**self.deployer.env, **own}

    def run(self, playbook: str, way: Way) -> Watched:
        """Run a playbook in one way, its variables in a file; the Secrets that it has made are planted."""
        act = ACTS[playbook]
        with self._one_at_a_time:
            folder = self.folder / f"{playbook}-{next(self._turns[playbook])}"
            (folder / "made").mkdir(parents=True)
            given = act.variables(self, folder / "made")
        variables = folder.with_suffix(".json")
        variables.write_text(json.dumps(given))
        words = ["-i", str(INVENTORY), "-e", f"@{variables}"]
        run = run_watched(PLAYBOOKS / f"{playbook}.yml", words, lab=self.lab, env=self.environment(playbook), folder=folder, way=way)
        if act.makes_secrets:
            self.canaries.add_secrets(self.lab, NAMESPACE, self.client)
            self.canaries.add("the deployer's token", self.deployer.env["K8S_AUTH_API_KEY"])
        if run.code == 0 and "--check" not in way.words:
            self.done[playbook] = given
        return run

    def register_with_own_secrets(self) -> None:
        """Give the client, before it is provisioned, an SMS token of its own and a variable from a Secret that its operator has made."""
        name = f"own-{self.client.lower()}"
        values = {"token": f"own{secrets.token_urlsafe(24)}", "word": f"word{secrets.token_urlsafe(24)}"}
        self.canaries.add("the client's own SMS token", values["token"])
        self.canaries.add("a variable from a Secret", values["word"])
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        self.lab.kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", text=json.dumps(secret))
        own = {"sms4b_secret": {"name": name, "key": "token"}, "secret_environment": {"LMS_WORD": {"name": name, "key": "word"}}}
        self.deployer.playbook("register_client", "-e", json.dumps({"client": self.client, "settings": own}))

    def contacts(self) -> list[dict[str, Any]]:
        """Return a person whom nobody knew before, and plant what is personal."""
        word, number = secrets.token_hex(6), f"{secrets.randbelow(10**6):06}"
        typed, mailbox = f"+49 30 91{number}", f"{word}@company.example"
        planted = {"a name": f"Kanarie{word}", "a phone": f"+493091{number}", "a phone as typed": typed, "a mailbox": mailbox}
        for key, value in planted.items():
            self.people.add(key, value)
        return [{"name": f"Anna {planted['a name']}", "phones": [typed], "mailboxes": [mailbox]}]

    def escrow(self, folder: Path) -> dict[str, Any]:
        """Return the settings of a catalogue that has escrow."""
        return {"lms_escrow_recipients": [str(self.identity.to_public())], "lms_escrow_folder": str(folder)}

    def make_by_hand(self) -> str:
        """Make what adoption takes over, and plant what is secret of it; return the client's id."""
        client = fresh()
        name, canary = client.lower(), secrets.token_hex(16)
        seed, key = secrets.token_hex(64), generate_rsa_key(2048).decode()
        data = {
            "LMS_CLIENT_ID": client,
            "LMS_KEYS_SECRET_SEED": seed,
            "LMS_STORAGE_POSTGRES_DSN": f"postgres://{name}:P{canary}@postgres.lms-dev.example:5432/{name}?sslmode=disable",
            "LMS_STORAGE_CLICKHOUSE_DSN": f"clickhouse://{name}:C{canary}@clickhouse.lms-dev.example:9000/{name}",
        }
        for what, value in {"seed": seed, "PostgreSQL's password": f"P{canary}", "ClickHouse's password": f"C{canary}", "key": key}.items():
            self.canaries.add(f"{client}: {what}", value)
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"lms-config-{name}"}, "data": data}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"rsa-secret-{name}"}, "stringData": {"rsa_key": key}}
        objects = {"apiVersion": "v1", "kind": "List", "items": [config, secret]}
        self.lab.kubectl("create", "-n", NAMESPACE, "-f", "-", text=json.dumps(objects))
        self.by_hand.append(client)
        return client


@dataclass(frozen=True)
class Act:
    """How a playbook is run.

    variables: of a run, given the operator and the folder of what it makes; personal: places that may show contacts, because the operator
    asked for them there; apart: whether its runs do not meet, so that several may go on at once; makes_secrets: whether it draws values
    that the test does not know.
    """

    variables: Callable[[Operator, Path], dict[str, Any]]
    personal: tuple[str, ...] = ()
    apart: bool = True
    makes_secrets: bool = False


def connection(operator: Operator, _made: Path) -> dict[str, Any]:
    """What the administrator gives to prepare the namespace."""
    return {
        "namespace_connection": {"kubeconfig": operator.lab.facts["api"]["kubeconfig"]},
        "namespace_token_file": str(operator.deployer.token_file),
        "namespace_volume": "host_path",
        "namespace_volume_path": operator.lab.static_files(NAMESPACE),
    }


def provisioned(operator: Operator, _made: Path) -> dict[str, Any]:
    """A client that is new the first time, and whose public path changes from then on."""
    return {
        "client": operator.client,
        "contacts": operator.contacts(),
        "lms_cors": not operator.done.get("provision_client", {}).get("lms_cors"),
    }


def rotated(operator: Operator, _made: Path) -> dict[str, Any]:
    """Everything the first time, then what takes least."""
    parts = "rsa" if "rotate_credentials" in operator.done else "postgres,clickhouse,seed,rsa"
    return {"client": operator.ready, "credentials": parts, "confirm": operator.client}


def edited(operator: Operator, made: Path) -> dict[str, Any]:
    return {"client": operator.ready, "organisation": f"Brot {made.parent.name}", "contacts": operator.contacts()}


def registered(operator: Operator, _made: Path) -> dict[str, Any]:
    client = fresh()
    return {"client": client, "organisation": f"Brot von {client}", "contacts": operator.contacts()}


def imported(operator: Operator, made: Path) -> dict[str, Any]:
    path = made.parent.with_suffix(".clients.json")
    path.write_text(json.dumps([registered(operator, made)]))
    return {"file": str(path)}


def restored(operator: Operator, _made: Path) -> dict[str, Any]:
    """A client whose Secrets are lost."""
    folder, name = operator.copies, operator.kept.lower()
    operator.lab.kubectl("delete", "secret", f"lms-credentials-{name}", f"rsa-secret-{name}", "-n", NAMESPACE, "--ignore-not-found")
    return {"client": operator.kept, **operator.escrow(folder)}


def converted(operator: Operator, made: Path) -> dict[str, Any]:
    """Old requests in which somebody has written secrets as they are."""
    source = made.parent.with_suffix(".requests")
    shutil.copytree(SOURCE_REQUESTS, source)
    literals = {}
    for macro in ("keys-secret-seed", "sms4b-token", "postgres-user-password", "clickhouse-user-password", "postgres-admin-password"):
        literals[macro] = f"literal{secrets.token_hex(16)}"
        operator.canaries.add(f"{macro} of an old request", literals[macro].removeprefix("literal"))
    for path in source.iterdir():
        text = path.read_text()
        for macro, literal in literals.items():
            text = text.replace("{{" + macro + "}}", literal)
        path.write_text(text)
    return {"source": str(source), "destination": str(made / "templates")}


ACTS = {
    "prepare_namespace": Act(connection, apart=False, makes_secrets=True),
    "provision_client": Act(provisioned, apart=False, makes_secrets=True),
    "rotate_credentials": Act(rotated, apart=False, makes_secrets=True),
    "edit_client": Act(edited, apart=False),
    "adopt_client": Act(lambda operator, _made: {"client": operator.make_by_hand()}),
    "convert_templates": Act(converted),
    "diagnose_client": Act(lambda operator, made: {"client": operator.ready, "file": str(made / "C.tar.gz")}),
    "escrow_credentials": Act(lambda operator, made: {"client": operator.kept, **operator.escrow(made / "copies")}),
    "restore_credentials": Act(restored, apart=False),
    "export_clients": Act(
        lambda operator, made: {"client": operator.ready, "contacts": True, "file": str(made / "clients.csv")},
        personal=("file made/clients.csv",),
    ),
    "import_clients": Act(imported),
    "list_clients": Act(lambda operator, _made: {"client": operator.ready}),
    "logs_client": Act(lambda operator, _made: {"client": operator.ready}),
    "register_client": Act(registered),
    "status_client": Act(lambda operator, made: {"client": operator.ready, "report": str(made / "report.json")}),
    "status_clients": Act(lambda operator, made: {"clients": operator.ready, "report": str(made / "report.xml")}),
}


@pytest.fixture(scope="module")
def audit_from(lab: Lab) -> int:
    """The length of the audit log before this file's first run."""
    return Path(lab.facts["api"]["audit_log"]).stat().st_size


@pytest.fixture(scope="module")
def operator(lab: Lab, audit_from: int, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Whoever runs playbooks, and what may be seen nowhere: an SMS token of this test's own, the administrators' passwords, the token."""
    made = Operator(lab, tmp_path_factory.mktemp("runs"))
    made.canaries.add("the SMS token", f"sms{secrets.token_urlsafe(24)}")
    made.canaries.add("the identity that reads what is in escrow", str(made.identity).removeprefix("AGE-SECRET-KEY-"))
    for name, value in lab.secrets_of_the_administrator().items():
        if name.endswith("PASSWORD"):
            made.canaries.add(name, value)
    made.run("prepare_namespace", ON_SCREEN)
    made.register_with_own_secrets()
    return made


def leaks(operator: Operator, playbook: str, *ways: Way) -> list[str]:
    """Run a playbook in some ways; return "way: place: key" of everything seen where it may not be. AssertionError where a run fails."""
    with ThreadPoolExecutor(AT_ONCE if ACTS[playbook].apart else 1) as pool:
        runs = dict(zip(ways, pool.map(lambda way: operator.run(playbook, way), ways), strict=True))
    found = []
    for way, run in runs.items():
        assert run.code == 0, f"{way}: {run.stdout}"
        hidden = {place: text for place, text in run.places.items() if not place.startswith(ACTS[playbook].personal)}
        found += [f"{way}: {hit}" for hit in seen_in(run.places, operator.canaries) + seen_in(hidden, operator.people)]
    return found


def test_every_playbook_meets_every_sink() -> None:
    assert set(ACTS) == {path.stem for path in PLAYBOOKS.glob("*.yml")} - IMPORTED
    assert frozenset().union(*(way.sinks for way in WAYS)) == frozenset().union(*(way.sinks for way in EVERY_WAY))
    assert set(WAYS) <= set(EVERY_WAY)


@pytest.mark.parametrize("playbook", ACTS)
def test_playbook(operator: Operator, playbook: str) -> None:
    assert leaks(operator, playbook, *WAYS) == []


@pytest.mark.soak
@pytest.mark.parametrize("way", [way for way in EVERY_WAY if way not in WAYS], ids=str)
@pytest.mark.parametrize("playbook", ACTS)
def test_playbook_in_every_way(operator: Operator, playbook: str, way: Way) -> None:
    assert leaks(operator, playbook, way) == []


def test_contacts_are_seen_by_those_who_ask_for_them(operator: Operator) -> None:
    """The search finds them where they may be: on the screen, and in what keeps it."""
    given = operator.folder / "asked.json"
    given.write_text(json.dumps(registered(operator, operator.folder)))
    operator.deployer.playbook("register_client", "-e", f"@{given}")
    words = ["-i", str(INVENTORY), "-e", f"@{given}", "-e", json.dumps({"contacts": True, "format": "json"})]
    done = run_watched(PLAYBOOKS / "list_clients.yml", words, lab=operator.lab, env=operator.deployer.env, folder=operator.folder / "asked")
    hits = seen_in(done.places, operator.people)
    assert {"stdout: a name", "stdout: a phone", "stdout: a mailbox"} <= set(hits)
    assert [hit for hit in hits if not hit.startswith(SCREEN)] == []


def test_the_client_has_its_own_secrets(operator: Operator) -> None:
    """So that the search is for values that its pods do get."""
    name = operator.ready.lower()
    deployment = operator.lab.get("deployment", f"lms-deployment-{name}", NAMESPACE)
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    references = {one["valueFrom"]["secretKeyRef"]["key"] for one in env if f"own-{name}" in json.dumps(one)}
    assert references == {"token", "word"}


@pytest.fixture(scope="module")
def places(operator: Operator, audit_from: int) -> dict[str, str]:
    """What the cluster shows to those who may not read Secrets, after all runs."""
    return cluster_places(operator.lab, NAMESPACE, audit_from)


def test_nothing_is_kept_where_those_without_secrets_read(operator: Operator, places: dict[str, str]) -> None:
    # Other tests, and this one, make clients by hand as the source has it, with values that anybody may read: theirs are not looked for.
    mine, others = f"-{operator.ready.lower()}/", re.compile("/|: ")
    canaries = Canaries({name: values for name, values in operator.canaries.values.items() if mine in name or not others.search(name)})
    canaries.add_secrets(operator.lab, NAMESPACE, operator.client)
    assert {"audit log", "log of PostgreSQL", "log of ClickHouse"} < set(places)
    assert seen_in(places, canaries) + seen_in(places, operator.people) == []


def test_what_an_adopted_client_has_in_the_open_comes_to_no_further_place(operator: Operator, places: dict[str, str]) -> None:
    assert operator.kept in operator.by_hand
    own = Canaries({name: values for name, values in operator.canaries.values.items() if name.startswith(tuple(operator.by_hand))})
    known = {"audit log", *(f"ConfigMap lms-config-{client.lower()}" for client in operator.by_hand)}
    assert seen_in({place: text for place, text in places.items() if place not in known}, own) == []


# What shows that the search can fail: the same canary in every place that is searched.


def leaky_playbook(folder: Path, canary: str) -> Path:
    """Write a playbook that shows a secret in every way that a playbook has."""
    waits = "import select; select.select([], [], [], 0.5)"
    encoded = base64.b64encode(f"x{canary}".encode()).decode()
    tasks = [
        {"name": "Tell", "ansible.builtin.debug": {"msg": f"it is {canary}"}},
        {"name": "Tell it in base64", "ansible.builtin.debug": {"msg": encoded}},
        {"name": "Remember", "ansible.builtin.set_fact": {"leaked": canary, "cacheable": True}},
        {
            "name": "Run",
            "ansible.builtin.command": {"argv": [sys.executable, "-c", waits, canary]},
            "environment": {"LEAKED": canary},
            "changed_when": False,
        },
        {"name": "Leave", "ansible.builtin.copy": {"content": canary, "dest": "{{ lookup('ansible.builtin.env', 'TMPDIR') }}/left"}},
    ]
    path = folder / "leaky.yml"
    # Ansible warns of hosts that there are none of.
    path.write_text(json.dumps([{"hosts": canary, "tasks": []}, {"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


def archive_in(folder: Path, canary: str) -> None:
    """Write an archive with a secret in it."""
    folder.mkdir(parents=True)
    inside = tarfile.TarInfo("inside.txt")
    inside.size = len(canary)
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as archive:
        archive.addfile(inside, io.BytesIO(canary.encode()))


@pytest.mark.parametrize("way", [*WAYS, *(pytest.param(way, marks=pytest.mark.soak) for way in EVERY_WAY if way not in WAYS)], ids=str)
def test_a_leaky_playbook_is_caught_in_every_place(lab: Lab, tmp_path: Path, way: Way) -> None:
    canary = f"leak{secrets.token_hex(12)}"
    playbook = leaky_playbook(tmp_path, canary)
    archive_in(tmp_path / "run" / "made", canary)
    done = run_watched(playbook, [], lab=lab, env={}, folder=tmp_path / "run", way=way)
    hits = seen_in(done.places, Canaries({"the canary": {canary}}))
    assert not any(canary in hit for hit in hits), "a hit shows the value"
    places = {hit.partition(": ")[0] for hit in hits}
    expected = {"stdout", "file log", "file junit", "file made/archive.tar.gz/inside.txt"}
    expected |= set() if "--check" in way.words else {"command lines", "environments", "file tmp/left"}
    expected |= {"file runner/artifacts"} if way.runner else {"file facts", "stderr"}
    assert {wanted for wanted in expected if not any(place.startswith(wanted) for place in places)} == set(), sorted(places)


def leaky_objects(canary: str) -> list[dict[str, object]]:
    """Return objects that show a secret in every part of an object that is searched."""
    meta = {"name": "leaky", "namespace": NAMESPACE}
    container = {
        "name": "leaky",
        "image": "registry.example/tools/postgres-client:15",
        "command": ["/bin/bash", "-c", f"echo {canary}"],
        "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "imagePullSecrets": [{"name": "repository-token"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    about = {"involvedObject": {"kind": "Pod", **meta}, "message": canary, "reason": "Leaky", "type": "Normal"}
    noted = {**meta, "annotations": {"note": canary}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**noted, "labels": {canary: "x"}}, "data": {"value": canary}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": noted, "stringData": {"value": "x"}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"suspend": True, "template": {"spec": pod}}},
        {"apiVersion": "v1", "kind": "Event", "metadata": meta, **about},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
    ]


def test_a_leak_in_the_cluster_is_caught_in_every_place(operator: Operator) -> None:
    canary = f"leak{secrets.token_hex(12)}"
    lab, begun = operator.lab, Path(operator.lab.facts["api"]["audit_log"]).stat().st_size
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": leaky_objects(canary)})
    try:
        lab.kubectl("apply", "--server-side", "-f", "-", text=objects)
        lab.kubectl("wait", "pod/leaky", "-n", NAMESPACE, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s")
        hits = seen_in(cluster_places(lab, NAMESPACE, begun), Canaries({"the canary": {canary}}))
    finally:
        lab.kubectl("delete", "--ignore-not-found", "-f", "-", text=objects)
    assert not any(canary in hit for hit in hits), "a hit shows the value"
    assert {f"{place}: the canary" for place in IN_THE_CLUSTER} <= set(hits)
