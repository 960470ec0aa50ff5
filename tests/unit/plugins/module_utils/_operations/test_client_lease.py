# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import LEASE_SECONDS, Lease
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s import api as api_module
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._operations import client as listed
from ansible_collections.rarus.lms.plugins.module_utils._operations import client_lease
from support.fake_api import FakeApi

REGISTRY = "registry"
LEASES = "coordination.k8s.io/v1"


def lease(api: FakeApi, *, lines: list[str] | None = None, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    given: dict[str, t.Any] = {
        "clients": ["C42"],
        "state": "present",
        "registry_namespace": REGISTRY,
        "token": "",
        "epochs": {},
        "records": {},
        "duration": LEASE_SECONDS,
        "wait_timeout": 0,
        "before": "",
        "actor": "anna@desk",
    }
    report = (lines if lines is not None else []).append
    return client_lease.run({**api.params, **given, **changes}, Context(check_mode=check_mode, report=report))


def stored(api: FakeApi, client: str = "C42") -> Lease:
    found = api.stored("Lease", f"lms-client-{client.lower()}", REGISTRY, LEASES)
    assert found is not None
    return Lease.from_object(found, ClientId.parse(client))


def record(api: FakeApi, client: str = "C42") -> Record:
    found = api.stored("ConfigMap", f"lms-client-{client.lower()}", REGISTRY)
    assert found is not None
    return Record.from_object(found, ClientId.parse(client))


@pytest.fixture
def registered(fake_api: FakeApi) -> FakeApi:
    for client in ("C7", "C42"):
        fake_api.add(Record(client=ClientId.parse(client), catalogue="a", namespace="lms-dev", registry_namespace=REGISTRY).to_object())
    return fake_api


def test_what_came_before_is_said_where_a_run_begins(registered: FakeApi) -> None:
    lines: list[str] = []
    first = lease(registered, before="  preflight  0.5 s", lines=lines)
    lease(registered, before="  preflight  0.5 s", token=first["token"], epochs=first["epochs"], lines=lines)
    assert lines == ["  preflight  0.5 s"]


def test_a_free_lease_is_taken_and_begins_an_epoch(registered: FakeApi) -> None:
    taken = lease(registered, clients=["C42", "C7", "C42"])
    assert (taken["changed"], taken["waited"], taken["epochs"]) == (True, False, {"C7": 1, "C42": 1})
    assert stored(registered).holder == f"anna@desk {taken['token']}"
    assert (record(registered).epoch, record(registered).epoch_by) == (1, "anna@desk")


def test_it_is_renewed_and_given_back_by_its_run_alone(registered: FakeApi) -> None:
    first = lease(registered)
    again = lease(registered, token=first["token"], epochs=first["epochs"])
    assert (again["token"], again["epochs"], record(registered).epoch) == (first["token"], {"C42": 1}, 1)
    assert lease(registered, state="absent", token="another")["changed"] is False
    assert stored(registered).holder
    assert lease(registered, state="absent", token=first["token"])["changed"] is True
    assert stored(registered).holder == ""
    assert lease(registered)["epochs"] == {"C42": 2}


def test_who_holds_it_is_named_when_the_time_is_over(registered: FakeApi) -> None:
    lease(registered, actor="bert@desk")
    with pytest.raises(ConflictError, match=r"^client: C42 is held by bert@desk since 20.* UTC \(Lease registry/lms-client-c42\); gave up"):
        lease(registered)
    assert record(registered).epoch == 1


def test_a_run_waits_for_the_other_one(registered: FakeApi) -> None:
    first = lease(registered, actor="bert@desk")
    lines: list[str] = []
    released = threading.Timer(0.3, lambda: lease(registered, state="absent", token=first["token"], actor="bert@desk"))
    released.start()
    taken = lease(registered, lines=lines, wait_timeout=20)
    released.join()
    assert (taken["waited"], taken["epochs"]) == (True, {"C42": 2})
    assert len(lines) == 1
    assert "C42 is held by bert@desk since" in lines[0]


def test_a_dead_run_is_passed_over_and_finds_that_it_was_overtaken(registered: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lease(registered, actor="bert@desk")
    long_ago = stored(registered)
    registered.add(Lease(long_ago.client, REGISTRY, long_ago.holder, renewed=long_ago.renewed - LEASE_SECONDS - 5).to_object())
    second = lease(registered)
    assert (second["waited"], second["epochs"]) == (False, {"C42": 2})
    for given in ({"token": first["token"], "epochs": first["epochs"]}, {"token": second["token"], "epochs": first["epochs"]}):
        with pytest.raises(ConflictError, match="C42 was taken over by anna@desk") as caught:
            lease(registered, actor="bert@desk" if given["token"] == first["token"] else "anna@desk", **given)
        assert "stops before it writes anything more" in caught.value.message
    lease(registered, state="absent", token=second["token"])
    with pytest.raises(ConflictError, match="C42 was taken over by anna@desk"):
        lease(registered, actor="bert@desk", token=first["token"], epochs=first["epochs"])


def test_of_many_at_once_one_takes_it(registered: FakeApi) -> None:
    taken: list[str] = []

    def race(actor: str) -> None:
        try:
            taken.append(lease(registered, actor=actor)["token"])
        except ConflictError:
            return

    racers = [threading.Thread(target=race, args=(f"racer-{number}",)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(taken) == 1
    assert stored(registered).holder.endswith(taken[0])


def test_check_mode_and_an_unknown_client_leave_nothing(registered: FakeApi) -> None:
    assert lease(registered, check_mode=True)["changed"] is False
    assert registered.writes() == []
    with pytest.raises(InputError, match="C9 is not on the list"):
        lease(registered, clients=["C9"])


@pytest.mark.parametrize(("duration", "writes"), [(LEASE_SECONDS, 0), (0, 1)])
def test_a_wait_beats_when_it_is_time(registered: FakeApi, duration: int, writes: int) -> None:
    first = lease(registered)
    registered.requests.clear()
    api = connect(registered.params)
    client_lease.Holding.of_run(api, REGISTRY, [ClientId.parse("C42")], first["token"], duration, "anna@desk").beat()
    assert len(registered.writes()) == writes


def test_a_wait_renews_at_once_and_then_when_it_is_time(registered: FakeApi) -> None:
    taken = lease(registered, clients=["C7", "C42"])
    assert taken["lease"]["clients"] == ["C7", "C42"]
    registered.requests.clear()
    beat = client_lease.beats(connect(registered.params), taken["lease"])
    beat()
    beat()
    assert [write.rpartition("/")[2] for write in registered.writes()] == ["lms-client-c7", "lms-client-c42"]
    assert lease(registered, check_mode=True)["lease"] == lease(registered, state="absent", token=taken["token"])["lease"] == {}
    client_lease.beats(connect(registered.params), None)()


def test_a_wait_that_was_overtaken_by_a_run_that_has_ended_names_it(registered: FakeApi) -> None:
    first = lease(registered)
    registered.add(Lease(ClientId.parse("C42"), REGISTRY).to_object())
    second = lease(registered, actor="bert@desk")
    lease(registered, actor="bert@desk", state="absent", token=second["token"])
    with pytest.raises(ConflictError, match="C42 was taken over by bert@desk; this run stops before it writes anything more"):
        client_lease.beats(connect(registered.params), first["lease"])()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"settings": {"replicas": 2}}, "the settings of C42 were"),
        ({"phase": "suspended"}, "the phase of C42 was"),
        ({"phase": "retired", "settings": {"replicas": 2}}, "the phase and the settings of C42 were"),
    ],
)
def test_a_run_does_not_go_by_settings_that_were_changed_since_it_read_them(
    registered: FakeApi, changes: dict[str, t.Any], what: str
) -> None:
    read = {client: record(registered, client).as_dict() for client in ("C7", "C42")}
    registered.add(record(registered).with_(**changes).to_object())
    with pytest.raises(ConflictError, match=rf"^client: {what} changed by another run \(ConfigMap .*; this run stops before"):
        lease(registered, clients=["C7", "C42"], records=read)
    assert (stored(registered).holder, stored(registered, "C7").holder) == ("", "")
    assert record(registered).epoch == 0
    read["C42"] = record(registered).as_dict()
    assert lease(registered, clients=["C7", "C42"], records=read)["epochs"] == {"C7": 2, "C42": 1}


def test_settings_that_are_changed_while_the_run_waits_stop_it(registered: FakeApi) -> None:
    first = lease(registered, actor="bert@desk")
    read = {"C42": record(registered).as_dict()}

    def edited() -> None:
        registered.add(record(registered).with_(settings={"replicas": 2}).to_object())
        lease(registered, state="absent", token=first["token"], actor="bert@desk")

    timer = threading.Timer(0.3, edited)
    timer.start()
    with pytest.raises(ConflictError, match="the settings of C42 were changed"):
        lease(registered, wait_timeout=20, records=read)
    timer.join()


@pytest.mark.parametrize(
    "words", [{"state": "suspended"}, {"state": "retired", "confirm": "C42"}, {"resume": True}], ids=["suspended", "retired", "resumed"]
)
def test_a_run_under_way_stops_where_its_clients_phase_changes(registered: FakeApi, words: dict[str, t.Any]) -> None:
    if "resume" in words:
        registered.add(record(registered).with_(phase="suspended").to_object())
    taken = lease(registered)
    defaults = {name: option.get("default") for name, option in listed.ARGUMENT_SPEC.items() if name not in registered.params}
    given = {"client": "C42", "catalogue": "a", "namespace": "lms-dev", "registry_namespace": REGISTRY, "actor": "bert@desk"}
    assert listed.run({**registered.params, **defaults, **given, **words}, Context())["changed"]
    with pytest.raises(ConflictError, match="C42 was taken over by bert@desk; this run stops before it writes anything more"):
        lease(registered, token=taken["token"], epochs=taken["epochs"])
    assert listed.run({**registered.params, **defaults, **given, **words}, Context())["changed"] is False
    assert record(registered).epoch == 2


@pytest.mark.parametrize("apart", [-3600, 3600])
def test_two_controllers_need_not_agree_on_the_time(registered: FakeApi, monkeypatch: pytest.MonkeyPatch, apart: int) -> None:
    """A job of AWX, and a shell on a machine whose clock is an hour off: what counts is the API server's clock."""
    with monkeypatch.context() as awx:
        awx.setenv("AWX_HOST", "https://awx.example")
        awx.setenv("JOB_ID", "77")
        lease(registered, actor="")
    for module in (api_module, transport):
        monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), "time": lambda: time.time() + apart}))
    with pytest.raises(ConflictError, match=r"C42 is held by \S+@\S+ \(AWX job 77\) since 20"):
        lease(registered)
    first = stored(registered)
    registered.add(Lease(first.client, REGISTRY, first.holder, renewed=first.renewed - LEASE_SECONDS - 5).to_object())
    assert lease(registered)["epochs"] == {"C42": 2}
    assert abs(stored(registered).renewed - time.time()) < LEASE_SECONDS
