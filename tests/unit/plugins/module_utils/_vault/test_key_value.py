# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes of Vault: what is absent, deleted or doubtful, whose write counts, and what the operator reads."""

from __future__ import annotations

import typing as t

import pytest
import requests
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._vault.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._vault.key_value import KeyValue, Version
from support.fake_vault import ROOT, TOKEN, FakeVault

PATH = "lms/C42"
FIRST = {"seed": "canary-one"}
PAGE = "<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> FakeVault:
    fake = FakeVault()
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def store(vault: FakeVault) -> KeyValue:
    return connect(vault.options, vault.context())


def answering(status: int, body: t.Any, only: str = "") -> t.Callable[[str, str], tuple[int, t.Any] | None]:
    return lambda method, path: (status, body) if not only or method == only or only in path else None


def test_the_newest_version_is_read(vault: FakeVault, store: KeyValue) -> None:
    assert store.read(PATH) == Version()
    assert store.write(PATH, FIRST, based_on=0) == Version(1, FIRST)
    assert store.write(PATH, {"seed": "two"}, based_on=1) == Version(2, {"seed": "two"})
    assert store.read(PATH) == Version(2, {"seed": "two"})
    vault.delete(PATH)
    assert store.read(PATH) == Version(2, deleted="deleted 2026-11-21T09:00:00.1Z")
    vault.delete(PATH, destroyed=True)
    assert store.read(PATH) == Version(2, deleted="destroyed")


def test_who_writes_first_counts(store: KeyValue) -> None:
    store.write(PATH, FIRST, based_on=0)
    with pytest.raises(ConflictError, match=r"^secret/lms/C42 was written by somebody else meanwhile\.$"):
        store.write(PATH, {"seed": "two"}, based_on=0)
    assert store.read(PATH).data == FIRST


DOUBTS: list[tuple[str, t.Callable[[str, str], t.Any], str]] = [
    ("no permission", answering(403, {"errors": ["permission denied"]}), "answered 403 to reading secret/lms/C42: permission denied."),
    ("sealed", answering(503, {"errors": ["Vault is sealed"]}), "answered 503 to reading secret/lms/C42: Vault is sealed."),
    ("an error inside", answering(500, {"errors": ["internal error"]}), "answered 500 to reading secret/lms/C42: internal error."),
    (
        "a wrong mount",
        answering(404, {"errors": ["no handler for route"]}),
        "answered 404 to reading secret/lms/C42: no handler for route.",
    ),
    ("a proxy's page", answering(404, PAGE), "answered 404 to reading secret/lms/C42: Bad Gateway."),
    ("a login page", answering(200, PAGE), "answered to reading secret/lms/C42, but not with Vault's words."),
    ("another JSON", answering(200, {"data": {"data": {}}}), "answered to reading secret/lms/C42, but not with Vault's words."),
    (
        "a mount that nobody may ask about",
        answering(403, {"errors": ["no"]}, "/mounts/"),
        "answered 403 to asking what is mounted at secret",
    ),
]


@pytest.mark.parametrize(("case", "before", "told"), DOUBTS, ids=[doubt[0] for doubt in DOUBTS])
def test_a_doubtful_read_is_never_absence(vault: FakeVault, store: KeyValue, case: str, before: t.Any, told: str) -> None:
    vault.before = before
    with pytest.raises(UnknownStateError) as caught:
        store.read(PATH)
    assert f"{ROOT} {told}" in caught.value.message, case
    assert caught.value.as_result()["msg"].count(". ") >= 1, "there is something to do next"
    assert TOKEN not in str(caught.value.as_result())


def test_an_engine_of_version_1_proves_nothing(vault: FakeVault, store: KeyValue) -> None:
    vault.version = "1"
    with pytest.raises(UnknownStateError, match="answered 404 to reading secret/lms/C42") as caught:
        store.read(PATH)
    assert "secret_store.mount" in caught.value.hint


def test_a_broken_connection_is_doubt(vault: FakeVault, store: KeyValue) -> None:
    def broken(_method: str, _path: str) -> None:
        raise requests.exceptions.ConnectionError(ConnectionResetError("reset"))

    vault.before = broken
    with pytest.raises(UnknownStateError, match=rf"^{ROOT} did not answer to reading secret/lms/C42: the connection broke\.$"):
        store.read(PATH)


def losing(method: str, _path: str) -> None:
    if method == "POST":
        raise requests.exceptions.ConnectionError(ConnectionResetError("reset"))


def test_a_write_whose_answer_was_lost_is_recognised(vault: FakeVault, store: KeyValue) -> None:
    vault.after = losing
    assert store.write(PATH, FIRST, based_on=0) == Version(1, FIRST)
    assert len(vault.kept[PATH].versions) == 1


def test_a_write_that_did_not_arrive_is_told(vault: FakeVault, store: KeyValue) -> None:
    def cut(method: str, path: str) -> None:
        losing(method, path)

    vault.before = cut
    with pytest.raises(UnknownStateError, match="did not answer to writing secret/lms/C42"):
        store.write(PATH, FIRST, based_on=0)
    assert vault.kept == {}


def test_a_refused_write_is_not_looked_for(vault: FakeVault, store: KeyValue) -> None:
    vault.before = answering(403, {"errors": ["permission denied"]}, "POST")
    with pytest.raises(UnknownStateError, match="answered 403 to writing"):
        store.write(PATH, FIRST, based_on=0)
    assert [request.split()[0] for request in vault.requests] == ["POST"]


def test_no_message_shows_a_value(vault: FakeVault, store: KeyValue) -> None:
    shown = repr(store.write(PATH, FIRST, based_on=0))
    assert "canary" not in shown
    vault.before = answering(500, {"errors": ["it broke"]}, "POST")
    with pytest.raises(UnknownStateError) as caught:
        store.write(PATH, {"seed": "canary-two"}, based_on=1)
    assert "canary" not in str(caught.value.as_result())


REFUSED: list[tuple[str, dict[str, t.Any], bool, str]] = [
    ("a process of its own", {}, False, "secret_store: values of Vault never leave the controller"),
    ("no address", {"url": ""}, True, 'secret_store.url: "" is not the address of a Vault'),
    ("no TLS", {"url": "http://127.0.0.1:8200"}, True, 'secret_store.url: "http://127.0.0.1:8200" is not'),
]


@pytest.mark.parametrize(("case", "options", "can_log_in", "told"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_reached_is_told(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch, case: str, options: dict[str, t.Any], can_log_in: bool, told: str
) -> None:
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    with pytest.raises(InputError) as caught:
        connect({**vault.options, **options}, vault.context() if can_log_in else Context())
    assert told in caught.value.message, case


def test_the_login_is_given_what_is_set_and_nothing_secret(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_CACERT", "/etc/ssl/vault.pem")
    asked: list[tuple[str, t.Mapping[str, t.Any]]] = []

    def lookup(name: str, options: t.Mapping[str, t.Any]) -> t.Any:
        asked.append((name, options))
        return {"auth": {"client_token": TOKEN}}

    connect({**vault.options, "auth_method": "approle", "role_id": "lms", "namespace": "team"}, Context(lookup=lookup))
    ((name, options),) = asked
    assert name == "community.hashi_vault.vault_login"
    assert {key: options[key] for key in ("url", "ca_cert", "validate_certs", "auth_method", "role_id", "namespace")} == {
        "url": ROOT,
        "ca_cert": "/etc/ssl/vault.pem",
        "validate_certs": True,
        "auth_method": "approle",
        "role_id": "lms",
        "namespace": "team",
    }
    assert "mount_point" not in options


@pytest.mark.parametrize("answer", [{}, {"auth": None}, PAGE, requests.Response()], ids=["empty", "no auth", "a page", "no JSON"])
def test_a_login_that_gives_no_token_is_doubt(vault: FakeVault, answer: t.Any) -> None:
    with pytest.raises(UnknownStateError, match=r"answered to the login \(token\), but not with Vault's words"):
        connect(vault.options, Context(lookup=lambda _name, _options: answer))
