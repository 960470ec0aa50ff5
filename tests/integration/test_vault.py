# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients whose values are at home in Vault: what is absent there and what is doubtful, lost answers, logins, and whole runs.

The Vault is a pretended one, and in the long tests a real one too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations import client as client_operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials as operation
from faults import Cut, Rule
from support.deployer import Deployer
from support.faults import faulty_api, root_url
from support.ids import fresh
from support.lab import PLAYBOOKS, Lab, Prepared
from support.leaks import ON_SCREEN, Canaries, Watched, Way, run_watched, seen_in
from support.vault import Vault, pretended, running

NAMESPACE = "test-vault"
STEPS = ("open", "switch", "close", "done")
RACERS = 4
HTML = "<html><body><h1>Log in</h1></body></html>"
# What a task logs in with; none of it is left to this machine's own environment.
LOGIN_VARIABLES = ("VAULT_ADDR", "VAULT_TOKEN", "ANSIBLE_HASHI_VAULT_SECRET_ID", "ANSIBLE_HASHI_VAULT_JWT")


REAL = [pytest.param("openbao", marks=pytest.mark.soak), pytest.param("vault", marks=pytest.mark.soak)]
# Policies, mounts, the seal and deletions are not pretended.
only_real = pytest.mark.parametrize("vault", REAL, indirect=True, scope="module")


@pytest.fixture(scope="module", params=["pretended", *REAL])
def vault(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """Provide a Vault, with a proxy before it that fails as it is told."""
    folder = tmp_path_factory.mktemp("vault")
    with pretended(folder) if request.param == "pretended" else running(folder, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace of this file's own."""
    made = Deployer(lab, NAMESPACE, tmp_path_factory.mktemp("deployer"))
    made.remove()
    made.prepare()
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vault.proxy.rules = []
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in LOGIN_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@dataclass
class Controller:
    """Whoever runs operations in this process, with a token as a login would give it. lines: what was shown."""

    deployer: Deployer
    host: str
    vault: Vault
    client: str
    token: str = field(repr=False)
    lines: list[str] = field(default_factory=list)

    def run(self, run: Any, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Run an operation with its defaults."""
        given = {**self.deployer.options, "host": self.host, "client": self.client, "namespace": NAMESPACE, **more}
        checked = ArgumentSpecValidator(spec).validate(given)
        assert not checked.error_messages
        return dict(run(checked.validated_parameters, Context(report=self.lines.append, lookup=self.login)))

    def login(self, _name: str, _options: Any) -> Any:
        """Return what the lookup of community.hashi_vault answers, which needs ansible-playbook around it (test_logins_in_a_playbook)."""
        return {"auth": {"client_token": self.token}}

    def credentials(self, **more: Any) -> dict[str, Any]:
        """Make or rotate the client's credentials."""
        return self.run(operation.run, operation.ARGUMENT_SPEC, **{"secret_store": self.vault.store, **more})

    def rotate(self, *parts: str) -> None:
        """Take all steps of a rotation."""
        for step in STEPS:
            self.credentials(state="rotated", parts=list(parts), step=step, confirm=self.client)

    def values(self) -> dict[str, str]:
        """Return the values in the cluster, base64 as they lie there, by key."""
        found: dict[str, str] = {}
        for secret in self.deployer.lab.get("secret", "", NAMESPACE, selector=f"rarus.lms/client={self.client}").get("items", []):
            found |= secret["data"]
        return found

    def lose(self) -> None:
        """Delete the client's Secrets."""
        self.deployer.lab.kubectl("delete", "secret", "-n", NAMESPACE, "--selector", f"rarus.lms/client={self.client}")

    def fail(self, kind: type[LmsError], **more: Any) -> str:
        """Return what the operator reads of a run that fails; nothing secret is in it."""
        with pytest.raises(kind) as caught:
            self.credentials(**more)
        told = json.dumps(caught.value.as_result())
        assert seen_in({"told": told, "shown": "\n".join(self.lines)}, canaries(self.vault, self.client)) == []
        return caught.value.message


@pytest.fixture(scope="module")
def host(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Provide the root URL of the API as this process reaches it, which does not know the lab's names."""
    with faulty_api(lab, tmp_path_factory.mktemp("proxy")) as proxy:
        yield root_url(lab, proxy)


@pytest.fixture
def controller(deployer: Deployer, host: str, vault: Vault) -> Controller:
    """Provide a registered client whose credentials were never made."""
    made = Controller(deployer, host, vault, fresh(), vault.tokens["lms"])
    made.run(client_operation.run, client_operation.ARGUMENT_SPEC, catalogue="test")
    return made


def canaries(vault: Vault, *clients: str) -> Canaries:
    """Return everything that nobody may see: tokens, the AppRole's secret id, and all values of clients, of every version."""
    found = Canaries()
    for name, token in (*vault.tokens.items(), ("of root", str(vault.client.token)), ("secret id", vault.secret_id)):
        found.add(f"token {name}", token)
    for client in clients:
        for number in range(1, vault.versions(client) + 1) if vault_has(vault, client) else ():
            read = vault.client.adapter.get(f"/v1/secret/data/lms/{client}", params={"version": number}, raise_exception=False)
            data = (read["data"]["data"] if isinstance(read, dict) else None) or {}
            for key, text in data.items():
                if "/" not in key and not key.endswith(("user", "verifier", "sha256", "salt")):
                    found.add(key, text)
    return found


def vault_has(vault: Vault, client: str) -> bool:
    """Return whether Vault has ever had values of a client."""
    listed = vault.client.list("secret/metadata/lms")
    return client in ((listed or {}).get("data") or {}).get("keys", [])


def test_made_in_vault_first_and_then_in_the_cluster(controller: Controller, vault: Vault) -> None:
    made = controller.credentials()
    assert controller.values() == vault.values(controller.client)
    assert (made["changed"], vault.versions(controller.client)) == (True, 1)
    again = controller.credentials()
    assert (again["changed"], again["fingerprints"], vault.versions(controller.client)) == (False, made["fingerprints"], 1)
    before = controller.values()
    controller.lose()
    assert controller.credentials(recorded="made")["fingerprint"] == made["fingerprint"]
    assert controller.values() == before
    assert ", as Vault has kept it" in controller.lines[-1]


def test_a_rotation_ends_with_both_alike(controller: Controller, vault: Vault) -> None:
    controller.credentials()
    before = controller.values()
    controller.rotate("postgres", "clickhouse", "seed", "rsa")
    after = controller.values()
    assert after == vault.values(controller.client)
    assert not [key for key in ("keys-secret-seed", "rsa_key", "postgres-password", "clickhouse-password") if after[key] == before[key]]
    assert vault.versions(controller.client) == 1 + len(STEPS)


DOUBTS: list[tuple[str, Rule, str]] = [
    ("an answer of a proxy's", Rule(status=502, body=HTML, times=0), "answered 502 to reading secret/lms/"),
    ("a login page", Rule(status=200, body=HTML, times=0), "answered to reading secret/lms/"),
    ("another server's 404", Rule(status=404, body="404 page not found\n", times=0), "answered 404 to reading secret/lms/"),
    ("a broken connection", Rule(cut=Cut.REQUEST, times=0), "did not answer to reading secret/lms/"),
]


@pytest.mark.parametrize(("case", "rule", "told"), DOUBTS, ids=[doubt[0] for doubt in DOUBTS])
def test_doubt_is_never_absence(controller: Controller, vault: Vault, case: str, rule: Rule, told: str) -> None:
    vault.proxy.rules = [rule]
    assert told in controller.fail(UnknownStateError), case
    vault.proxy.rules = []
    assert controller.values() == {}
    assert not vault_has(vault, controller.client)


PLACES: list[tuple[str, dict[str, str], str]] = [
    ("no such mount", {"mount": "elsewhere"}, "answered 403 to reading elsewhere/lms/"),
    ("an engine of version 1", {"mount": "old"}, "answered 404 to reading old/"),
    ("a path that the policy does not name", {"path": "others"}, "answered 403 to reading secret/others/"),
]


@only_real
@pytest.mark.parametrize(("case", "store", "told"), PLACES, ids=[place[0] for place in PLACES])
def test_a_wrong_place_is_never_absence(controller: Controller, vault: Vault, case: str, store: dict[str, str], told: str) -> None:
    assert told in controller.fail(UnknownStateError, secret_store={**vault.store, **store}), case
    assert controller.values() == {}


@only_real
def test_a_token_without_rights_and_one_of_before_are_told(controller: Controller, vault: Vault) -> None:
    for token in (vault.tokens["blind"], "hvs.nobody-has-ever-been-given-this-token"):
        controller.token = token
        assert "answered 403 to reading secret/lms/" in controller.fail(UnknownStateError)
    assert controller.values() == {}


@only_real
def test_a_mount_that_is_not_there_at_all(controller: Controller, vault: Vault) -> None:
    """Root alone gets Vault's word on that: a route that nobody handles."""
    controller.token = str(vault.client.token)
    assert "no handler for route" in controller.fail(UnknownStateError, secret_store={**vault.store, "mount": "elsewhere"})


@only_real
def test_sealed_stops_the_run_and_unsealed_goes_on(controller: Controller, vault: Vault) -> None:
    vault.client.sys.seal()
    try:
        with pytest.raises(UnknownStateError, match=r"answered 503 to reading .*: Vault is sealed") as caught:
            controller.credentials()
        assert "unseal it" in caught.value.hint
        assert controller.values() == {}
    finally:
        vault.client.sys.submit_unseal_key(vault.unseal_key)
    controller.credentials()
    assert controller.values() == vault.values(controller.client)


def test_busy_for_a_moment_is_waited_out(controller: Controller, vault: Vault) -> None:
    vault.proxy.rules = [Rule("GET", "/v1/secret/", times=2, status=503, body={"errors": ["Vault is sealed"]})]
    assert controller.credentials()["changed"] is True


WRITE = ("(POST|PUT)", "/v1/secret/data/")


def test_a_lost_answer_to_the_first_write(controller: Controller, vault: Vault) -> None:
    vault.proxy.rules = [Rule(*WRITE, cut=Cut.ANSWER)]
    controller.credentials()
    assert vault.versions(controller.client) == 1
    assert controller.values() == vault.values(controller.client)


def test_a_write_that_does_not_arrive(controller: Controller, vault: Vault) -> None:
    vault.proxy.rules = [Rule(*WRITE, cut=Cut.REQUEST)]
    assert "did not answer to writing secret/lms/" in controller.fail(UnknownStateError)
    assert controller.values() == {}
    vault.proxy.rules = []
    controller.credentials()
    assert controller.values() == vault.values(controller.client)


@pytest.mark.parametrize("cut", [Cut.REQUEST, Cut.ANSWER], ids=["before", "after"])
@pytest.mark.parametrize("at", [step if step == "switch" else pytest.param(step, marks=pytest.mark.soak) for step in STEPS])
def test_a_rotation_that_loses_vault_or_the_cluster_goes_on(controller: Controller, vault: Vault, at: str, cut: Cut) -> None:
    """Vault's write fails, or it is done and nobody learns of it, so that the Secrets stay behind: the next run goes on from there."""
    controller.credentials()
    options = {"state": "rotated", "parts": ["postgres", "rsa"]}
    for step in STEPS[: STEPS.index(at)]:
        controller.credentials(**options, step=step)
    before = vault.versions(controller.client)
    not_read_back = Rule("GET", "/v1/secret/data/", first=2, times=0, cut=Cut.REQUEST)
    vault.proxy.rules = [Rule(*WRITE, cut=cut, times=0), not_read_back]
    with pytest.raises(UnknownStateError, match="did not answer to writing"):
        controller.credentials(**options, step=at)
    vault.proxy.rules = []
    written = 1 if cut is Cut.ANSWER else 0
    assert vault.versions(controller.client) == before + written
    controller.credentials(recorded="made")
    assert controller.values() == vault.values(controller.client)
    for step in STEPS[STEPS.index(at) + written :]:
        controller.credentials(**options, step=step)
    assert controller.values() == vault.values(controller.client)
    assert vault.versions(controller.client) == 1 + len(STEPS)


@only_real
def test_deleted_or_destroyed_in_vault_is_doubt(controller: Controller, vault: Vault) -> None:
    controller.credentials()
    before = controller.values()
    controller.lose()
    vault.engine.delete_latest_version_of_secret(f"lms/{controller.client}")
    assert "was deleted 20" in controller.fail(LmsError)
    vault.engine.undelete_secret_versions(f"lms/{controller.client}", versions=[1])
    controller.credentials()
    assert controller.values() == before
    vault.engine.destroy_secret_versions(f"lms/{controller.client}", versions=[1])
    assert "was destroyed (version 1)" in controller.fail(LmsError)
    controller.credentials(differing="secret", confirm=controller.client)
    assert (controller.values(), vault.versions(controller.client)) == (before, 2)
    assert vault.values(controller.client) == before


def test_what_somebody_wrote_into_vault_stops_the_run(controller: Controller, vault: Vault) -> None:
    controller.credentials()
    path = f"lms/{controller.client}"
    vault.engine.create_or_update_secret(path, {**vault.data(controller.client), "keys-secret-seed": "b" * 128})
    told = controller.fail(ConflictError)
    assert f"differs from secret/{path}, version 2: seed (store " in told
    controller.credentials(differing="vault", confirm=controller.client)
    assert controller.values() == vault.values(controller.client)


def test_several_at_once_end_with_one_version(controller: Controller, deployer: Deployer, vault: Vault) -> None:
    racers = [Controller(deployer, controller.host, vault, controller.client, vault.tokens["lms"]) for _number in range(RACERS)]
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(pool.map(Controller.credentials, racers))
    assert len({result["fingerprint"] for result in results}) == 1
    assert vault.versions(controller.client) == 1
    assert controller.values() == vault.values(controller.client)


LOGINS = ("a token in the environment", "a token in a file", "AppRole")


@pytest.mark.parametrize("login", LOGINS)
def test_logins_in_a_playbook(deployer: Deployer, vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, login: str) -> None:
    store = dict(vault.store)
    if login == "a token in the environment":
        monkeypatch.setenv("VAULT_TOKEN", vault.tokens["lms"])
    elif login == "a token in a file":
        (tmp_path / ".vault-token").write_text(vault.tokens["lms"] + "\n")
    else:
        store |= {"auth_method": "approle", "role_id": vault.role_id}
        monkeypatch.setenv("ANSIBLE_HASHI_VAULT_SECRET_ID", vault.secret_id)
    expect_login(deployer, vault, store)


@only_real
def test_login_by_jwt_in_a_playbook(deployer: Deployer, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_HASHI_VAULT_JWT", vault.jwt())
    expect_login(deployer, vault, {**vault.store, "auth_method": "jwt", "role_id": "lms"})


def expect_login(deployer: Deployer, vault: Vault, store: dict[str, Any]) -> None:
    """AssertionError where a play cannot make credentials in Vault, or shows something secret at the highest verbosity."""
    client = fresh()
    place: dict[str, Any] = {"client": client, "namespace": NAMESPACE}
    tasks: list[dict[str, Any]] = [
        {"rarus.lms.client": {**place, "catalogue": "test"}},
        {"rarus.lms.credentials": {**place, "secret_store": store}},
    ]
    done = deployer.play(*tasks, words=("-vvvv", "--diff"), json_only=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert vault_has(vault, client)
    assert seen_in({"stdout": done.stdout, "stderr": done.stderr}, canaries(vault, client)) == []


def test_what_keeps_a_task_from_vault_is_told(deployer: Deployer, vault: Vault) -> None:
    options: dict[str, Any] = {"client": fresh(), "namespace": NAMESPACE, "secret_store": vault.store}
    assert "No Vault Token specified or discovered" in deployer.task("credentials", **options)["msg"]
    told = deployer.module("credentials", **options)["msg"]
    assert told.startswith("secret_store: values of Vault never leave the controller")


@pytest.fixture(scope="module")
def dev(lab: Lab, vault: Vault) -> Prepared:
    """Provide a catalogue whose clients' values are at home in Vault, by AppRole."""
    store = {**vault.store, "auth_method": "approle", "role_id": vault.role_id}
    return lab.prepare(extra={"lms_secret_store": store})


@pytest.mark.parametrize("rotated", ["", pytest.param("postgres,rsa", marks=pytest.mark.soak)], ids=["as made", "rotated"])
def test_a_client_from_provisioning_to_lost_secrets(lab: Lab, dev: Prepared, vault: Vault, tmp_path: Path, rotated: str) -> None:
    """Provisioned, rotated, its Secrets lost, provisioned again; it is ready each time, and nothing secret is seen anywhere."""
    client = fresh()
    env = {**dev.env, "ANSIBLE_HASHI_VAULT_SECRET_ID": vault.secret_id}
    runs: list[Watched] = []

    def run(playbook: str, variables: dict[str, str], way: Way = ON_SCREEN) -> None:
        words = ["-i", str(dev.inventory), "-e", json.dumps({**dev.extra, "client": client, **variables})]
        folder = tmp_path / str(len(runs))
        runs.append(run_watched(PLAYBOOKS / f"{playbook}.yml", words, lab=lab, env=env, folder=folder, way=way))
        assert runs[-1].code == 0, runs[-1].stdout[-2000:]

    run("provision_client", {}, Way("default", ("-vvvv", "--diff")))
    if rotated:
        run("rotate_credentials", {"credentials": rotated})
    lab.kubectl("delete", "secret", "-n", dev.namespace, "--selector", f"rarus.lms/client={client}")
    run("provision_client", {})
    assert f"created: lms-credentials-{client.lower()} and rsa-secret-{client.lower()}, as Vault has kept it" in runs[-1].stdout
    assert "rollout" not in runs[-1].stdout
    told = canaries(vault, client)
    assert [hit for done in runs for hit in seen_in(done.places, told)] == []
