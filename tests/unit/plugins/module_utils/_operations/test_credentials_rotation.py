# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation step by step against a pretended API: killed at each write, refused, resumed, and never shown."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import Lease
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._domain.rotation import PARTS, STEPS
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport, waiting
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials as operation
from support.fake_api import FakeApi

C42 = ClientId.parse("C42")
CREDENTIALS, RSA = "lms-credentials-c42", "rsa-secret-c42"
KEYS = iter([domain.generate_rsa_key(2048) for _number in range(4)] * 100)
ALL = list(PARTS)
Object = dict[str, t.Any]


class KilledError(Exception):
    """The run ends here, as by SIGKILL."""


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide an API with a client that has its credentials."""
    monkeypatch.setattr(domain, "generate_rsa_key", lambda bits: next(KEYS))
    fake_api.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev", epoch=3).to_object())
    call(fake_api, state="present")
    fake_api.requests.clear()
    return fake_api


def call(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> Object:
    defaults = {name: option.get("default") for name, option in operation.ARGUMENT_SPEC.items() if name not in fake_api.params}
    given = {**defaults, "client": "C42", "namespace": "lms-dev", "state": "rotated", "actor": "me@there", **changes}
    report = (lines if lines is not None else []).append
    return operation.run({**fake_api.params, **given}, Context(check_mode=check_mode, report=report))


def rotate(fake_api: FakeApi, parts: list[str], **changes: t.Any) -> list[Object]:
    """Take all steps, as the role does."""
    return [call(fake_api, parts=parts, step=step, **{"confirm": "C42", **changes}) for step in STEPS]


def values(fake_api: FakeApi) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in (CREDENTIALS, RSA):
        secret = fake_api.stored("Secret", name)
        assert secret is not None
        found |= domain.data_of(secret)
    return found


def notes(fake_api: FakeApi, name: str = CREDENTIALS) -> dict[str, str]:
    secret = fake_api.stored("Secret", name)
    assert secret is not None
    return dict(secret["metadata"]["annotations"])


def test_each_step_is_one_replace_and_the_end_forgets_the_rotation(api: FakeApi) -> None:
    before = values(api)
    results = rotate(api, ["postgres", "clickhouse"])
    assert api.writes() == [f"PUT /api/v1/namespaces/lms-dev/secrets/{CREDENTIALS}"] * 4
    assert [result["changed"] for result in results] == [True] * 4
    assert [result["rotation"].get("step", "") for result in results] == ["open", "switch", "close", ""]
    assert [result["logins"]["postgres"] for result in results] == ["c42", "c42_b", "c42_b", "c42_b"]
    assert {key for key, value in values(api).items() if before[key] != value} == {*domain.POSTGRES, *domain.CLICKHOUSE}
    assert set(results[-1]["rotated"]) == {"postgres", "clickhouse"}
    assert "rarus.lms/rotation" not in notes(api)


def test_only_switch_changes_what_pods_depend_on(api: FakeApi) -> None:
    first = call(api, state="present")["fingerprint"]
    opened, switched, closed, done = (result["fingerprint"] for result in rotate(api, ALL))
    assert first == opened != switched == closed == done


def test_the_rsa_key_is_replaced_once(api: FakeApi) -> None:
    before = values(api)
    results = rotate(api, ["rsa"])
    assert api.writes().count(f"PUT /api/v1/namespaces/lms-dev/secrets/{RSA}") == 1
    assert {key for key, value in values(api).items() if before[key] != value} == {"rsa_key"}
    assert set(results[-1]["rotated"]) == {"rsa"}


@pytest.mark.parametrize("killed_at", range(1, 6))
@pytest.mark.parametrize("lost", ["before", "after"])
def test_killed_at_any_write_and_run_again_it_goes_on(api: FakeApi, monkeypatch: pytest.MonkeyPatch, killed_at: int, lost: str) -> None:
    before = values(api)
    writes = 0
    exchange = transport.Transport.exchange

    def killed(self: transport.Transport, method: str, path: str, **more: t.Any) -> t.Any:
        nonlocal writes
        writes += method != "GET"
        if writes == killed_at and method != "GET":
            if lost == "after":
                exchange(self, method, path, **more)
            raise KilledError
        return exchange(self, method, path, **more)

    with monkeypatch.context() as patched:
        patched.setattr(transport.Transport, "exchange", killed)
        with pytest.raises(KilledError):
            rotate(api, ALL)
    half = values(api)
    assert call(api, state="present")["changed"] is False
    assert values(api) == half
    begun = "rarus.lms/rotation" in notes(api)
    rotate(api, ALL)
    after = values(api)
    assert set(after) == set(before)
    finished_before = killed_at == 5 and lost == "after"
    assert after["postgres-user"] == (b"c42" if finished_before else b"c42_b")
    # What one rotation has made is not made again by the run that finishes it.
    for key in ("keys-secret-seed", "rsa_key"):
        if begun and half[key] != before[key]:
            assert after[key] == half[key]
    assert not [key for key in ("keys-secret-seed", "rsa_key", "postgres-password") if after[key] == before[key]]


def test_a_step_that_was_taken_writes_nothing(api: FakeApi) -> None:
    call(api, parts=["postgres"], step="open")
    call(api, parts=["postgres"], step="switch")
    lines: list[str] = []
    api.requests.clear()
    results = [call(api, lines, parts=["postgres"], step=step) for step in ("open", "switch")]
    assert ([result["changed"] for result in results], api.writes()) == ([False, False], [])
    assert lines[0].startswith("  credentials  C42: goes on after step switch: postgres ")


def test_other_parts_are_refused_while_a_rotation_is_unfinished(api: FakeApi) -> None:
    call(api, parts=["postgres"], step="open")
    before = values(api)
    for step in STEPS:
        with pytest.raises(ConflictError, match=r"a rotation of postgres of C42 is unfinished: begun .* by me@there, step open"):
            call(api, parts=["clickhouse"], step=step)
    assert values(api) == before


@pytest.mark.parametrize("confirm", ["", "c42", "C43"])
def test_the_seed_wants_the_id_typed_at_open_and_at_switch(api: FakeApi, confirm: str) -> None:
    message = "confirm: rotating the seed of C42 ends every user's session. Expected the client's id, C42."
    with pytest.raises(InputError, match=message):
        call(api, parts=["seed"], step="open", confirm=confirm)
    assert api.writes() == []
    call(api, parts=["seed"], step="open", confirm="C42")
    for step in ("open", "switch"):
        with pytest.raises(InputError, match=message):
            call(api, parts=["seed"], step=step, confirm=confirm)
    call(api, parts=["seed"], step="switch", confirm="C42")
    call(api, parts=["seed"], step="close", confirm=confirm)


def test_former_logins_stay_open_while_a_pod_drains(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.001)
    here: Object = {"namespace": "lms-dev", "labels": {"app": "C42-lms"}}
    leaving = {**here, "name": "b", "deletionTimestamp": "2026-11-21T10:00:00Z"}
    api.add(*({"apiVersion": "v1", "kind": "Pod", "metadata": metadata} for metadata in ({**here, "name": "a"}, leaving)))

    def goes(_seconds: float) -> None:
        if api.stored("Pod", "b"):
            api.remove("Pod", "b")

    for step in ("open", "switch"):
        call(api, parts=["postgres"], step=step)
    with pytest.raises(LmsError, match="Pod lms-dev/b of C42 has been ending for 0 s or more"):
        call(api, parts=["postgres"], step="close", wait_timeout=0)
    assert "postgres-previous-user" in values(api)
    lines: list[str] = []
    monkeypatch.setattr("time.sleep", goes)
    call(api, lines, parts=["postgres"], step="close")
    assert "C42: b still drains, so the former logins stay open" in lines[0]
    assert "postgres-previous-user" not in values(api)


def test_a_wait_for_pods_that_drain_keeps_the_leases_of_its_run(api: FakeApi) -> None:
    lease: Object = {"token": "5f1c", "clients": ["C42", "C43"], "registry_namespace": "lms-dev", "duration": 20, "actor": "anna@desk"}
    api.add(*(Lease(ClientId.parse(client), "lms-dev", "anna@desk 5f1c").to_object() for client in lease["clients"]))
    for step in ("open", "switch"):
        call(api, parts=["postgres"], step=step, lease=lease)
    api.requests.clear()
    call(api, parts=["postgres"], step="close", lease=lease)
    assert [write.rpartition("/")[2] for write in api.writes()] == ["lms-client-c42", "lms-client-c43", CREDENTIALS]


def test_somebody_elses_write_between_read_and_write_wins(api: FakeApi) -> None:
    api.fail("PUT", f"/secrets/{CREDENTIALS}", 409, "Conflict")
    with pytest.raises(ConflictError):
        call(api, parts=["postgres"], step="open")
    assert "postgres-next-user" not in values(api)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_lost_answer_rotates_once(api: FakeApi, lost: str) -> None:
    api.answer("PUT", f"/secrets/{CREDENTIALS}", lose=lost)
    assert call(api, parts=["postgres"], step="open")["rotation"]["step"] == "open"


def test_a_run_that_was_overtaken_writes_nothing(api: FakeApi) -> None:
    with pytest.raises(ConflictError, match="C42 was taken over"):
        call(api, parts=["postgres"], step="open", epoch=2)
    assert api.writes() == []
    assert call(api, parts=["postgres"], step="open", epoch=3)["changed"]


@pytest.mark.parametrize("missing", [CREDENTIALS, RSA])
def test_what_is_not_there_is_not_rotated(api: FakeApi, missing: str) -> None:
    api.remove("Secret", missing)
    with pytest.raises(InputError, match=f"C42 has no credentials to rotate: Secret lms-dev/{missing} is missing"):
        call(api, parts=["postgres"], step="open")
    assert api.writes() == []


@pytest.mark.parametrize("given", [{}, {"parts": ["rsa"]}, {"step": "open"}])
def test_parts_and_step_go_together(api: FakeApi, given: Object) -> None:
    with pytest.raises(InputError, match="rotated needs parts and step"):
        call(api, **given)


def test_check_mode_tells_and_writes_nothing(api: FakeApi) -> None:
    lines: list[str] = []
    results = [call(api, lines, check_mode=True, parts=["postgres", "rsa"], step=step) for step in STEPS]
    assert [result["changed"] for result in results] == [True] * 4
    assert lines[0].startswith("  credentials  C42: would rotate postgres, rsa ")
    assert api.writes() == []


def test_a_brought_key_must_be_another_and_is_taken_at_switch(api: FakeApi) -> None:
    def bring(key: bytes) -> None:
        if api.stored("Secret", "brought"):
            api.remove("Secret", "brought")
        data = {"pem": base64.b64encode(key).decode()}
        api.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "brought", "namespace": "lms-dev"}, "data": data})

    option: Object = {"rsa_key_secret": {"name": "brought", "key": "pem"}, "parts": ["rsa"]}
    bring(values(api)["rsa_key"])
    with pytest.raises(InputError, match="rsa_key_secret: key pem of Secret lms-dev/brought is the one that C42 uses"):
        call(api, step="open", **option)
    assert api.writes() == []
    other = next(key for key in KEYS if key != values(api)["rsa_key"])
    bring(other)
    call(api, step="open", **option)
    assert values(api)["rsa_key"] != other
    call(api, step="switch", **option)
    assert values(api)["rsa_key"] == other


def test_no_value_is_in_a_result_or_a_line(api: FakeApi) -> None:
    lines: list[str] = []
    shown = ""
    secrets: set[str] = set()
    for step in STEPS:
        shown += json.dumps(call(api, lines, parts=ALL, step=step, confirm="C42"))
        found = [value.decode("latin-1") for key, value in values(api).items() if not key.endswith("-user")]
        secrets |= {form for value in found for form in (value, base64.b64encode(value.encode("latin-1")).decode())}
    assert not [secret for secret in secrets if secret in shown + "".join(lines) + json.dumps(notes(api))]


@pytest.mark.parametrize("gone", [[CREDENTIALS], [RSA], [CREDENTIALS, RSA]])
def test_what_was_lost_is_made_anew_on_a_typed_confirmation_only(api: FakeApi, gone: list[str]) -> None:
    record = api.stored("ConfigMap", "lms-client-c42")
    assert record is not None
    assert record["data"]["credentials"] == "made"
    for name in gone:
        api.remove("Secret", name)
    with pytest.raises(LmsError) as caught:
        call(api, state="present")
    assert "recreate=true and confirm=C42 make new ones" in caught.value.hint
    for confirm in ("", "c42"):
        with pytest.raises(InputError, match="confirm: making lost credentials of C42 anew ends every user's session"):
            call(api, state="present", recreate=True, confirm=confirm)
    assert api.writes() == []
    assert call(api, state="present", recreate=True, confirm="C42")["created"] == gone
    assert call(api, state="present", recreate=True, confirm="C42")["changed"] is False
