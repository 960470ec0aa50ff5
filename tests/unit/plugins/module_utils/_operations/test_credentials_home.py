# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials whose home is Vault: written there first, killed at each write, followed, refused where they differ, and never shown."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._domain.rotation import PARTS, STEPS
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials as operation
from support.fake_api import FakeApi
from support.fake_vault import TOKEN, FakeVault

C42 = ClientId.parse("C42")
CREDENTIALS, RSA, PATH = "lms-credentials-c42", "rsa-secret-c42", "lms/C42"
KEYS = [domain.generate_rsa_key(2048) for _number in range(3)]
SEED = "keys-secret-seed"
Object = dict[str, t.Any]


class KilledError(Exception):
    """The run ends here, as by SIGKILL."""


@dataclass
class World:
    """A cluster with a registered client, and a Vault beside it. lines: what the operator read; kill_at: the write that is the last one."""

    api: FakeApi
    vault: FakeVault
    lines: list[str] = field(default_factory=list)
    writes: int = 0
    kill_at: int = -1
    kill_after: bool = False

    def call(self, *, check_mode: bool = False, **changes: t.Any) -> Object:
        """Run the operation; with the first write that is number kill_at it ends."""
        defaults = {name: option.get("default") for name, option in operation.ARGUMENT_SPEC.items() if name not in self.api.params}
        given = {**defaults, "client": "C42", "namespace": "lms-dev", "actor": "me@there", "secret_store": self.vault.options, **changes}
        return operation.run({**self.api.params, **given}, self.vault.context(self.lines, check_mode=check_mode))

    def rotate(self, parts: t.Sequence[str] = PARTS) -> None:
        """Take all steps, as the role does."""
        for step in STEPS:
            self.call(state="rotated", parts=list(parts), step=step, confirm="C42")

    def values(self) -> dict[str, bytes]:
        """Return the values in the cluster, by key; those of a Secret that is missing are missing."""
        found = [self.api.stored("Secret", name) for name in (CREDENTIALS, RSA)]
        return {key: value for secret in found if secret for key, value in domain.data_of(secret).items()}

    def kept(self) -> dict[str, bytes]:
        """Return the values in Vault, by key."""
        texts = {key: text for key, text in self.vault.data(PATH).items() if "/" not in key}
        return {key: bytes.fromhex(text) if key == "fingerprint-key" else text.encode() for key, text in texts.items()}

    def change(self, key: str, value: bytes) -> None:
        """Write over a value in the cluster behind everybody's back."""
        secret = self.api.stored("Secret", CREDENTIALS)
        assert secret is not None
        secret["data"].update(domain.encoded({key: value}))

    def killed(self, number: int, *, after: bool) -> None:
        """End the run at its write of that number (of Vault or Kubernetes, from 1), before or after it is carried out."""
        self.writes, self.kill_at, self.kill_after = 0, number, after

    def before_write(self) -> bool:
        """Count a write; raise where it is not carried out any more; return whether the run ends after it."""
        self.writes += 1
        if self.writes == self.kill_at and not self.kill_after:
            raise KilledError
        return self.writes == self.kill_at


@pytest.fixture
def world(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> World:
    keys = iter(KEYS * 100)
    monkeypatch.setattr(domain, "generate_rsa_key", lambda bits: next(keys))
    vault = FakeVault()
    vault.install(monkeypatch)
    fake_api.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev").to_object())
    made = World(fake_api, vault)
    exchange, send = transport.Transport.exchange, FakeVault.send

    def exchanged(self: t.Any, method: str, path: str, **more: t.Any) -> t.Any:
        ends = method != "GET" and made.before_write()
        answer = exchange(self, method, path, **more)
        if ends:
            raise KilledError
        return answer

    def sent(self: FakeVault, request: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        ends = request.method == "POST" and made.before_write()
        answer = send(self, request, *arguments, **options)
        if ends:
            raise KilledError
        return answer

    monkeypatch.setattr(transport.Transport, "exchange", exchanged)
    monkeypatch.setattr(FakeVault, "send", sent)
    return made


def test_values_are_in_vault_before_they_are_in_the_cluster(world: World) -> None:
    order: list[str] = []
    world.vault.after = lambda method, _path: order.append(f"vault, {len(world.values())} in the cluster") if method == "POST" else None
    result = world.call()
    assert order == ["vault, 0 in the cluster"]
    assert world.values() == world.kept()
    assert (result["changed"], result["created"]) == (True, [CREDENTIALS, RSA])
    again = world.call()
    assert (again["changed"], again["fingerprints"]) == (False, result["fingerprints"])
    assert len(world.vault.kept[PATH].versions) == 1


def test_no_value_and_no_token_is_shown(world: World) -> None:
    shown = json.dumps(world.call()) + "".join(world.lines)
    secret = [value.decode("latin-1") for key, value in world.values().items() if not key.endswith("-user")]
    assert not [value for value in [*secret, world.vault.data(PATH)["fingerprint-key"], TOKEN] if value in shown]


@pytest.mark.parametrize("lost", [(CREDENTIALS,), (RSA,), (CREDENTIALS, RSA)], ids=["one", "the other", "both"])
def test_a_lost_secret_is_made_again_without_ceremony(world: World, lost: tuple[str, ...]) -> None:
    first = world.call()
    before = world.values()
    for name in lost:
        world.api.remove("Secret", name)
    world.lines.clear()
    again = world.call(recorded="made")
    assert (world.values(), again["created"], again["fingerprint"]) == (before, list(lost), first["fingerprint"])
    (line,) = world.lines
    assert line.startswith(f"  credentials  created: {' and '.join(lost)}, as Vault has kept it ")


def test_a_rotation_ends_with_both_alike(world: World) -> None:
    world.call()
    before = world.values()
    world.rotate()
    after = world.values()
    assert after == world.kept()
    assert not [key for key in (SEED, "rsa_key", "postgres-password", "clickhouse-password") if after[key] == before[key]]
    for name in (CREDENTIALS, RSA):
        world.api.remove("Secret", name)
    told = world.call(recorded="made")
    assert (world.values(), set(told["rotated"]), told["rotation"]) == (after, set(PARTS), {})


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_creation_that_is_killed_is_finished_by_the_next(world: World, number: int, after: bool) -> None:
    world.killed(number, after=after)
    with pytest.raises(KilledError):
        world.call()
    kept = world.kept() if PATH in world.vault.kept else {}
    world.killed(-1, after=False)
    world.call()
    assert world.values() == world.kept()
    assert not kept or world.kept() == kept


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 10))
def test_a_rotation_that_is_killed_goes_on(world: World, number: int, after: bool) -> None:
    """Writes: open 2, switch 3, close 2, done 2. At each of them one of both has what is needed, and nothing is rotated twice.

    A rotation that Vault has seen the end of is over, so that the same command begins another one.
    """
    world.call()
    before = world.values()
    world.killed(number, after=after)
    with pytest.raises(KilledError):
        world.rotate()
    world.killed(-1, after=False)
    half = world.kept()
    live = world.values()
    assert half["postgres-user"] in (b"c42", b"c42_b")
    logins = {live["postgres-password"], half["postgres-password"]}
    world.call(recorded="made")
    assert world.values() == world.kept() == half, "the Secrets follow what Vault has"
    assert world.values()["postgres-password"] in logins
    world.rotate()
    assert world.values() == world.kept()
    over = (number, after) > (8, False)
    assert world.values()["postgres-user"] == (b"c42" if over else b"c42_b")
    for key in (SEED, "rsa_key"):
        assert over or half[key] == before[key] or world.values()[key] == half[key]


@pytest.mark.parametrize("number", [1, 3, 6, 8])
def test_a_namespace_that_is_lost_in_a_rotation_comes_back(world: World, number: int) -> None:
    world.call()
    world.killed(number, after=True)
    with pytest.raises(KilledError):
        world.rotate()
    world.killed(-1, after=False)
    for name in (CREDENTIALS, RSA):
        world.api.remove("Secret", name)
    told = world.call(recorded="made")
    assert world.values() == world.kept()
    assert told["rotation"]["step"] == {1: "open", 3: "switch", 6: "close"}[number] if number < 8 else told["rotation"] == {}
    world.rotate()
    assert world.values() == world.kept()


def test_what_somebody_changed_stops_the_run(world: World) -> None:
    world.call()
    before = world.kept()
    world.change(SEED, b"canary-of-another-seed")
    with pytest.raises(ConflictError) as caught:
        world.call(recorded="made")
    told = caught.value.as_result()["msg"]
    assert "Secret lms-dev/lms-credentials-c42 differs from secret/lms/C42, version 1: seed (store " in told
    assert "credentials_differing=vault or credentials_differing=secret, with credentials_confirm=C42" in told
    assert not [word for word in ("canary", "rsa (", "postgres (", before[SEED].decode()) if word in told]
    assert world.kept() == before


@pytest.mark.parametrize("holds", ["vault", "secret"])
def test_what_differs_is_written_over_on_request(world: World, holds: str) -> None:
    world.call()
    first = world.kept()[SEED]
    world.change(SEED, b"b" * 128)
    with pytest.raises(InputError, match=r"^confirm: writing the "):
        world.call(differing=holds)
    assert world.call(differing=holds, confirm="C42")["changed"] is True
    assert world.values() == world.kept()
    assert world.values()[SEED] == (first if holds == "vault" else b"b" * 128)
    assert world.call(differing=holds)["changed"] is False


def test_secrets_of_before_are_put_into_vault_once(world: World) -> None:
    world.call(secret_store=None)
    before = world.values()
    assert world.vault.kept == {}
    assert world.call(recorded="made", check_mode=True)["changed"] is True
    assert world.vault.kept == {}
    assert world.call(recorded="made")["changed"] is True
    assert (world.kept(), world.values()) == (before, before)
    assert world.lines[-1].startswith("  credentials  C42: put into secret/lms/C42 ")
    assert world.call(recorded="made")["changed"] is False


@pytest.mark.parametrize("destroyed", [False, True], ids=["deleted", "destroyed"])
@pytest.mark.parametrize("in_cluster", [False, True], ids=["secrets gone", "secrets there"])
def test_deleted_in_vault_is_doubt(world: World, destroyed: bool, in_cluster: bool) -> None:
    world.call()
    before = world.values()
    world.vault.delete(PATH, destroyed=destroyed)
    for name in () if in_cluster else (CREDENTIALS, RSA):
        world.api.remove("Secret", name)
    attempts: list[Object] = [{}, {"differing": "vault", "confirm": "C42"}, *([{"recreate": True, "confirm": "C42"}] if in_cluster else [])]
    for asked in attempts:
        with pytest.raises(
            LmsError, match=r"^secret/lms/C42 was de(leted .*|stroyed) \(version 1\), which is no proof that C42 has no cred"
        ):
            world.call(recorded="made", **asked)
    if in_cluster:
        world.call(recorded="made", differing="secret", confirm="C42")
        assert world.values() == before
    else:
        world.call(recorded="made", recreate=True, confirm="C42")
        assert world.values()[SEED] != before[SEED]
    assert world.values() == world.kept()


def test_lost_everywhere_stops_the_run(world: World) -> None:
    world.call()
    world.vault.kept.clear()
    for name in (CREDENTIALS, RSA):
        world.api.remove("Secret", name)
    with pytest.raises(LmsError, match="is missing, though the record of C42 says that it was made"):
        world.call()
    assert world.vault.kept == {}


def test_a_vault_that_cannot_be_asked_stops_the_run_before_anything(world: World) -> None:
    world.vault.before = lambda _method, _path: (503, {"errors": ["Vault is sealed"]})
    with pytest.raises(UnknownStateError, match="Vault is sealed"):
        world.call()
    assert (world.values(), world.api.writes()) == ({}, [])


def test_who_was_first_in_vault_counts(world: World) -> None:
    """Somebody else's run writes between this run's read and its write."""
    world.call()
    theirs = world.vault.kept.pop(PATH)
    for name in (CREDENTIALS, RSA):
        world.api.remove("Secret", name)

    def overtaken(method: str, _path: str) -> None:
        if method == "POST":
            world.vault.kept[PATH] = theirs

    world.vault.before = overtaken
    world.call(recreate=True, confirm="C42")
    assert world.values() == world.kept()
    assert theirs.versions == [world.vault.data(PATH)]


def test_a_rotation_that_was_overtaken_stops(world: World) -> None:
    world.call()
    before = world.values()

    def overtaken(method: str, _path: str) -> None:
        if method == "POST":
            world.vault.kept[PATH].versions.append({**world.vault.data(PATH)})

    world.vault.before = overtaken
    with pytest.raises(ConflictError, match="was written by somebody else"):
        world.call(state="rotated", parts=["postgres"], step="open")
    assert world.values() == before


WRONG: list[tuple[str, dict[str, t.Any], str]] = [
    ("another client's", {"rarus.lms/client": "C7"}, "holds the values of C7 in namespace lms-dev, not of C42 in lms-dev"),
    ("another catalogue's", {"rarus.lms/namespace": "lms-prod"}, "holds the values of C42 in namespace lms-prod"),
    ("a value is missing", {"postgres-password": ""}, "secret/lms/C42 is damaged: postgres-password is missing, or is not a text"),
    ("a value is a number", {"keys-secret-seed": 7}, "secret/lms/C42 is damaged: keys-secret-seed is missing, or is not a text"),
    ("no hexadecimal", {"fingerprint-key": "xyz"}, "damaged: fingerprint-key must be hexadecimal"),
]


@pytest.mark.parametrize(("case", "changes", "told"), WRONG, ids=[row[0] for row in WRONG])
def test_an_entry_that_no_secret_can_be_made_of_is_told(world: World, case: str, changes: dict[str, t.Any], told: str) -> None:
    world.call()
    world.vault.data(PATH).update(changes)
    with pytest.raises(LmsError) as caught:
        world.call()
    assert told in caught.value.message, case


def test_check_mode_writes_nothing(world: World) -> None:
    assert world.call(check_mode=True)["created"] == [CREDENTIALS, RSA]
    assert (world.vault.kept, world.values()) == ({}, {})
    world.call()
    world.change(SEED, b"b" * 128)
    before = world.values()
    assert world.call(check_mode=True, differing="vault", confirm="C42")["changed"] is True
    assert world.values() == before
    assert world.lines[-1].startswith("  credentials  C42: would be: lms-credentials-c42 follows secret/lms/C42, version 1")


@pytest.mark.parametrize("state", ["present", "rotated"])
@pytest.mark.parametrize("behind", ["Secrets", "Vault"])
def test_a_run_that_was_overtaken_has_neither_follow_the_other(world: World, state: str, behind: str) -> None:
    world.call()
    before = world.kept()
    world.change(SEED, b"ab" * 64)
    writes, values = world.api.writes(), world.values()
    words: Object = {"state": state, "parts": ["postgres"], "step": "open"} if state == "rotated" else {}
    with pytest.raises(ConflictError, match="C42 was taken over by another run"):
        world.call(epoch=7, differing="vault" if behind == "Secrets" else "secret", confirm="C42", **words)
    assert (world.api.writes(), world.values(), world.kept()) == (writes, values, before)
