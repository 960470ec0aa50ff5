# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import contextlib
import json
import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._operations import client as client_operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import client_info
from ansible_collections.rarus.lms.plugins.module_utils._operations.client import ARGUMENT_SPEC, run
from support.fake_api import FakeApi, Request
from support.registry import operate

NAME = "lms-client-c42"


def options(fake_api: FakeApi, **changes: t.Any) -> dict[str, t.Any]:
    defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    given = {"client": "C42", "namespace": "lms-dev", "catalogue": "lms-dev", "actor": "anna@desk"}
    return {**defaults, **fake_api.params, **given, **changes}


def register(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    report = (lines if lines is not None else []).append
    return run(options(fake_api, **changes), Context(check_mode=check_mode, report=report))


def test_a_new_client_gets_a_record_by_one_create(fake_api: FakeApi) -> None:
    lines: list[str] = []
    result = register(fake_api, lines)
    assert (result["changed"], result["new"]) == (True, True)
    assert fake_api.writes() == ["POST /api/v1/namespaces/lms-dev/configmaps"]
    stored = fake_api.stored("ConfigMap", NAME)
    assert stored is not None
    assert {key: stored["data"][key] for key in ("client", "phase", "credentials", "created_by", "version")} == {
        "client": "C42",
        "phase": "registered",
        "credentials": "none",
        "created_by": "anna@desk",
        "version": "0.1.0",
    }
    assert result["record"]["created"] == stored["data"]["created"]
    assert len(lines) == 1
    assert lines[0].startswith("  client       C42 is new: registered")
    assert lines[0].endswith(" s")


def test_a_line_goes_before_that_of_a_new_client_and_of_no_other(fake_api: FakeApi) -> None:
    lines: list[str] = []
    register(fake_api, lines, before="  preflight")
    register(fake_api, lines, before="  preflight")
    assert (lines[0], len(lines)) == ("  preflight", 2)


def test_a_known_client_is_found_by_one_get_and_nothing_is_said(fake_api: FakeApi) -> None:
    first = register(fake_api)
    fake_api.requests.clear()
    lines: list[str] = []
    second = register(fake_api, lines)
    assert (second["changed"], second["new"], second["record"], lines) == (False, False, first["record"], [])
    assert (len(fake_api.requests), fake_api.writes()) == (1, [])


def test_the_registry_may_lie_elsewhere(fake_api: FakeApi) -> None:
    register(fake_api, registry_namespace="registry")
    assert fake_api.stored("ConfigMap", NAME, "registry") is not None


def test_check_mode_tells_and_writes_nothing(fake_api: FakeApi) -> None:
    lines: list[str] = []
    result = register(fake_api, lines, check_mode=True)
    assert (result["changed"], result["new"], result["record"]["client"]) == (True, True, "C42")
    assert fake_api.writes() == []
    assert "C42 is new: would be registered" in lines[0]


def test_who_loses_the_race_takes_the_winners_record(fake_api: FakeApi) -> None:
    register(fake_api, actor="bert@desk")
    fake_api.answer("GET", NAME, status=404, body=not_found())
    result = register(fake_api)
    assert (result["new"], result["changed"], result["record"]["created_by"]) == (False, False, "bert@desk")


def test_a_record_that_exists_and_does_not_is_said_to_do_so(fake_api: FakeApi) -> None:
    fake_api.fail("POST", "/configmaps", 409, "AlreadyExists")
    with pytest.raises(ConflictError, match="C42 could not be registered") as caught:
        register(fake_api)
    assert "(ConfigMap lms-dev/lms-client-c42): the API refused to create the record because it exists" in caught.value.message


def test_an_answer_that_was_lost_does_not_make_the_client_old(fake_api: FakeApi) -> None:
    fake_api.answer("POST", "/configmaps", lose="answer")
    assert register(fake_api, must="be_new")["new"] is True


@pytest.mark.parametrize(
    ("must", "known", "words"),
    [
        ("exist", False, "client: C42 is not on the list of clients (there is no ConfigMap lms-dev/lms-client-c42)."),
        ("be_new", True, "client: C42 is not new: registered 20"),
    ],
)
def test_certainty_can_be_asked_for(fake_api: FakeApi, must: str, known: bool, words: str) -> None:
    if known:
        register(fake_api)
    writes = len(fake_api.writes())
    with pytest.raises(InputError) as caught:
        register(fake_api, must=must)
    assert caught.value.message.startswith(words)
    assert len(fake_api.writes()) == writes


def test_another_catalogue_is_refused_by_name(fake_api: FakeApi) -> None:
    register(fake_api)
    with pytest.raises(InputError, match="C42 belongs to catalogue lms-dev, not to lms-prod"):
        register(fake_api, catalogue="lms-prod")


def test_somebody_elses_config_map_is_not_a_record(fake_api: FakeApi) -> None:
    fake_api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": "lms-dev"}, "data": {}})
    with pytest.raises(LmsError, match="exists and is not this collection's record"):
        register(fake_api)
    assert fake_api.writes() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_a_doubtful_read_registers_nobody(fake_api: FakeApi, status: int) -> None:
    fake_api.fail("GET", NAME, status, times=1000)
    with pytest.raises(UnknownStateError):
        register(fake_api)
    assert fake_api.writes() == []


def test_an_id_is_judged_before_anything_is_asked(fake_api: FakeApi) -> None:
    with pytest.raises(InputError, match="is not a client id"):
        register(fake_api, client="c42")
    assert fake_api.requests == []


def contacts_of(fake_api: FakeApi, name: str) -> t.Any:
    stored = fake_api.stored("Secret", f"lms-contacts-{name}")
    return None if stored is None else json.loads(base64.b64decode(stored["data"]["contacts"]))


def form(fake_api: FakeApi, organisation: str, **changes: t.Any) -> str:
    return str(register(fake_api, client="", organisation=organisation, **changes)["record"]["client"])


def test_without_an_id_the_next_one_is_formed_and_said(fake_api: FakeApi) -> None:
    lines: list[str] = []
    register(fake_api, client="C7")
    assert register(fake_api, lines, client="", organisation="Acme")["record"]["client"] == "C8"
    assert lines[0].startswith("  client       C8 is new: registered")
    assert form(fake_api, "Brot & Söhne") == "C9"
    counter = fake_api.stored("ConfigMap", "lms-client-counter")
    assert counter is not None
    assert counter["data"] == {"last": "9"}


def test_an_id_that_was_claimed_by_hand_is_passed_over_and_does_not_move_the_counter(fake_api: FakeApi) -> None:
    assert form(fake_api, "a") == "C1"
    for claimed in ("C2", "C3", "C90"):
        register(fake_api, client=claimed)
    assert form(fake_api, "b") == "C4"


def test_forming_an_id_costs_the_same_however_long_the_list_is(fake_api: FakeApi) -> None:
    form(fake_api, "first")
    calls = []
    for number in range(3):
        fake_api.requests.clear()
        form(fake_api, f"organisation {number}")
        calls.append([f"{request.method} {request.path}" for request in fake_api.requests])
        for more in range(600 * number, 600 * (number + 1)):
            fake_api.add(record_object(1000 + more))
    assert [len(made) for made in calls] == [6, 6, 6]


def test_who_is_overtaken_while_the_counter_moves_takes_the_next_number(fake_api: FakeApi) -> None:
    form(fake_api, "first")
    fake_api.fail("PUT", "/lms-client-counter", 409, "Conflict", times=2)
    assert form(fake_api, "second") == "C2"


def test_a_counter_that_somebody_made_meanwhile_is_taken(fake_api: FakeApi) -> None:
    fake_api.fail("POST", "/configmaps", 409, "AlreadyExists")
    assert form(fake_api, "first") == "C1"


def test_no_id_is_left_after_nine_digits(fake_api: FakeApi) -> None:
    register(fake_api, client="C999999999")
    with pytest.raises(InputError, match="no id is left to form: the last one was C999999999"):
        form(fake_api, "one too many")


@pytest.mark.parametrize("data", [{}, {"last": "x"}, {"last": "9999999999"}, {"last": "٣"}])
def test_a_damaged_counter_is_named(fake_api: FakeApi, data: dict[str, str]) -> None:
    metadata = {"name": "lms-client-counter", "namespace": "lms-dev", "labels": {"app.kubernetes.io/managed-by": "rarus.lms"}}
    fake_api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    with pytest.raises(LmsError, match="ConfigMap lms-dev/lms-client-counter is damaged"):
        form(fake_api, "Acme")


@pytest.mark.parametrize("path", ["/lms-client-counter", "/lms-organisation-"])
@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_doubtful_read_forms_no_id(fake_api: FakeApi, status: int, path: str) -> None:
    fake_api.fail("GET", path, status, times=1000)
    with pytest.raises(UnknownStateError):
        form(fake_api, "Acme")
    assert fake_api.writes() == []


def test_a_dry_run_tells_the_next_id_and_does_not_form_it(fake_api: FakeApi) -> None:
    register(fake_api, client="C7")
    fake_api.requests.clear()
    contacts = [{"name": "Anna"}]
    assert register(fake_api, check_mode=True, client="", organisation="Acme", contacts=contacts)["record"]["client"] == "C8"
    assert fake_api.writes() == []


def test_a_second_client_of_an_organisation_needs_its_first_ones_id(fake_api: FakeApi) -> None:
    assert form(fake_api, "Café Straße") == "C1"
    writes = len(fake_api.writes())
    same = "CAFE\u0301 STRASSE"
    with pytest.raises(InputError, match="organisation: is that of C1 already") as caught:
        form(fake_api, same)
    assert "-e client=C1" in caught.value.hint
    with pytest.raises(InputError):
        form(fake_api, same, confirm="C2")
    assert len(fake_api.writes()) == writes
    assert form(fake_api, same, confirm="C1") == "C2"
    assert form(fake_api, "Cafe Strasse") == "C3"


def index_of(fake_api: FakeApi, organisation: str) -> str | None:
    """Return the client that an organisation's index names."""
    stored = fake_api.stored("ConfigMap", organisation_index_name(organisation))
    return None if stored is None else stored["data"].get("client")


def test_one_more_client_of_an_organisation_needs_the_latest_ones_id(fake_api: FakeApi) -> None:
    """So a form that is typed again, after a kill that nobody saw the end of, makes no third one."""
    form(fake_api, "Acme")
    form(fake_api, "Acme", confirm="C1")
    with pytest.raises(InputError, match="organisation: is that of C1 and C2 already") as caught:
        form(fake_api, "Acme", confirm="C1")
    assert caught.value.data == {"client": "C2"}
    assert form(fake_api, "Acme", confirm="C2") == "C3"
    register(fake_api, client="C3", state="retired", confirm="C3")
    assert form(fake_api, "Acme", confirm="C1") == "C4", "one that has left is not the latest any more"


def test_a_record_that_was_removed_by_hand_does_not_give_its_id_again(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    fake_api.remove("ConfigMap", "lms-client-c1")
    assert form(fake_api, "Acme") == "C2"
    assert index_of(fake_api, "Acme") == "C2"


def test_the_index_says_who_was_first_and_is_no_record(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    form(fake_api, "ACME", confirm="C1")
    stored = fake_api.stored("ConfigMap", organisation_index_name("acme"))
    assert stored is not None
    assert re.fullmatch("lms-organisation-[0-9a-f]{16}", stored["metadata"]["name"])
    assert stored["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/record": "organisation"}
    assert stored["data"] == {"client": "C1", "latest": "C2", "organisation": "Acme"}
    assert [one["client"] for one in operate(fake_api, client_info.OPERATION)["clients"]] == ["C1", "C2"]


def test_an_edit_moves_the_index_and_frees_the_former_name(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    register(fake_api, client="C1", organisation="Brot")
    assert (index_of(fake_api, "Acme"), index_of(fake_api, "Brot")) == ("C1", "C1")
    assert form(fake_api, "Acme") == "C2", "an index whose client has another organisation now is stale"
    assert index_of(fake_api, "Acme") == "C2"
    with pytest.raises(InputError, match="organisation: is that of C1 already"):
        form(fake_api, "Brot")


def test_a_client_that_has_left_frees_its_organisation(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    register(fake_api, client="C1", state="retired", confirm="C1")
    assert form(fake_api, "Acme") == "C2"
    assert index_of(fake_api, "Acme") == "C2"


def test_an_index_that_a_killed_run_left_out_is_made_by_the_next(fake_api: FakeApi) -> None:
    register(fake_api, organisation="Acme")
    fake_api.remove("ConfigMap", organisation_index_name("Acme"))
    writes = len(fake_api.writes())
    assert register(fake_api)["changed"] is False
    assert register(fake_api, organisation="Acme", check_mode=True)["changed"] is True
    assert len(fake_api.writes()) == writes
    lines: list[str] = []
    assert register(fake_api, lines, organisation="Acme")["changed"] is True
    assert lines[0].startswith("  client       C42: index of organisations changed")
    assert index_of(fake_api, "Acme") == "C42"
    assert register(fake_api, organisation="Acme")["changed"] is False


def test_nothing_is_asked_without_an_organisation(fake_api: FakeApi) -> None:
    register(fake_api)
    register(fake_api, settings={"replicas": 2})
    assert not [request.path for request in fake_api.requests if "organisation" in request.path]
    assert len(fake_api.writes()) == 2


def test_of_two_runs_at_once_for_one_organisation_the_second_is_refused(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    name = organisation_index_name("Acme")
    details = {"name": name, "kind": "configmaps"}
    fake_api.answer("GET", name, status=404, body={**not_found(), "details": details})
    with pytest.raises(InputError, match="organisation: is that of C1 already"):
        form(fake_api, "Acme")
    assert records_of(fake_api) == ["lms-client-c1"]
    assert index_of(fake_api, "Acme") == "C1"


def test_who_claims_an_id_for_an_organisation_that_is_on_the_list_is_told(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    lines: list[str] = []
    register(fake_api, lines, client="C2", organisation="Acme")
    assert lines[1:] == [
        "  C2: its organisation is that of C1 too. If that is one client too many:",
        "  edit_client.yml -e client=C2 -e state=retired -e confirm=C2",
    ]
    assert index_of(fake_api, "Acme") == "C1"
    lines.clear()
    register(fake_api, lines, client="C2", organisation="Acme")
    assert lines == []


def records_of(fake_api: FakeApi) -> list[str]:
    """Return the names of all records."""
    return [name for path in fake_api.objects if (name := path.rpartition("/")[2]).startswith("lms-client-c") and name[-1].isdigit()]


@pytest.fixture
def anna() -> str:
    return json.dumps([{"name": "Anna"}])


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_is_killed_while_it_forms_an_id_leaves_no_client_that_nobody_knows_of(
    fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, anna: str, number: int, after: bool
) -> None:
    """Killed before or after each of its requests; the same form again, or, where that is refused by the first client's id, that one."""
    form(fake_api, "first")
    before = set(fake_api.objects)
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        kill_at(patched, number, after=after)
        form(fake_api, "Acme", contacts=anna)
    try:
        form(fake_api, "Acme", contacts=anna)
    except InputError as error:
        register(fake_api, client=error.data["client"], organisation="Acme", contacts=anna)
    made = sorted(path.rpartition("/")[2] for path in set(fake_api.objects) - before)
    first = index_of(fake_api, "Acme")
    assert first in ("C2", "C3")
    assert made == [f"lms-client-{first.lower()}", f"lms-contacts-{first.lower()}", organisation_index_name("Acme")]
    assert contacts_of(fake_api, first.lower()) == [{"name": "Anna", "role": "", "phones": [], "mailboxes": []}]


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("after", [False, True])
def test_a_form_for_one_more_client_that_was_killed_and_is_sent_again_makes_one(
    fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    form(fake_api, "Acme")
    with monkeypatch.context() as patched:
        kill_at(patched, number, after=after)
        with contextlib.suppress(KilledError):
            form(fake_api, "Acme", confirm="C1")
    with contextlib.suppress(InputError):
        form(fake_api, "Acme", confirm="C1")
    assert len(records_of(fake_api)) == 2
    register(fake_api, client="C1", organisation="Acme")
    assert index_of(fake_api, "Acme") == "C1"


def test_each_client_whose_run_was_killed_before_its_end_is_the_latest(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    form(fake_api, "Acme")
    form(fake_api, "Acme", confirm="C1")
    for latest in ("C2", "C3"):
        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(client_operation, "end", killed)
            form(fake_api, "Acme", confirm=latest)
    with pytest.raises(InputError, match="organisation: is that of C1 and C3 and C4 already"):
        form(fake_api, "Acme", confirm="C3")


def killed(*_arguments: object) -> t.NoReturn:
    """End the run here."""
    raise KilledError


class KilledError(BaseException):
    """The run ends here, as by SIGKILL."""


def kill_at(patched: pytest.MonkeyPatch, number: int, *, after: bool) -> None:
    """Have a run end at its n-th request, before or after that is carried out."""
    original, count = transport.Transport.exchange, 0

    def exchange(sender: transport.Transport, method: str, path: str, **more: t.Any) -> t.Any:
        nonlocal count
        count += 1
        if count == number and not after:
            raise KilledError
        answer = original(sender, method, path, **more)
        if count == number:
            raise KilledError
        return answer

    patched.setattr(transport.Transport, "exchange", exchange)


def test_an_id_that_was_begun_is_taken_up_and_told_in_a_dry_run(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    form(fake_api, "first")
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        kill_at(patched, 4, after=True)
        form(fake_api, "Acme")
    assert (index_of(fake_api, "Acme"), records_of(fake_api)) == (None, ["lms-client-c1"])
    assert form(fake_api, "Acme", check_mode=True) == "C2"
    assert form(fake_api, "Other") == "C3"
    fake_api.requests.clear()
    assert form(fake_api, "Acme") == "C2"
    assert [request.method for request in fake_api.requests] == ["GET", "GET", "POST", "PUT"]


def test_an_id_that_was_begun_and_is_somebody_elses_now_is_not_taken_up(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    form(fake_api, "first")
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        kill_at(patched, 4, after=True)
        form(fake_api, "Acme")
    register(fake_api, client="C2", organisation="Brot")
    assert form(fake_api, "Acme") == "C3"
    assert (index_of(fake_api, "Acme"), index_of(fake_api, "Brot")) == ("C3", "C2")


@pytest.mark.parametrize("lost", ["lms-organisation-", "lms-client-c2"])
def test_an_answer_that_was_lost_forms_one_client(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """Of the index or the record: it is known again by its token, or, where it cannot be repeated, the next run goes on with it."""
    form(fake_api, "first")
    lose_the_answer(fake_api, monkeypatch, lost)
    assert form(fake_api, "Acme") == "C2"
    monkeypatch.setattr(transport, "REPEAT_SECONDS", 0.0)
    lose_the_answer(fake_api, monkeypatch, lost.replace("c2", "c3"))
    with pytest.raises(UnknownStateError):
        form(fake_api, "Brot")
    if lost == "lms-client-c2":
        with pytest.raises(InputError, match="organisation: is that of C3 already"):
            form(fake_api, "Brot")
    else:
        assert form(fake_api, "Brot") == "C3"
    assert records_of(fake_api) == ["lms-client-c1", "lms-client-c2", "lms-client-c3"]


def lose_the_answer(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the answer to the creation of one object get lost."""
    handle = fake_api.handle

    def handled(request: Request) -> tuple[int, t.Any, dict[str, str], str]:
        found = request.method == "POST" and str(request.body["metadata"]["name"]).startswith(name)
        if found:
            monkeypatch.setattr(fake_api, "handle", handle)
        status, body, headers, lost = handle(request)
        return status, body, headers, "answer" if found else lost

    monkeypatch.setattr(fake_api, "handle", handled)


def test_an_index_that_others_change_all_the_time_forms_no_client(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    register(fake_api, client="C1", state="retired", confirm="C1")
    fake_api.fail("PUT", "/lms-organisation-", 409, "Conflict", times=1000)
    with pytest.raises(ConflictError, match="organisation: its index was changed by other runs 8 times on end"):
        form(fake_api, "Acme")
    assert records_of(fake_api) == ["lms-client-c1"]


def test_who_is_overtaken_while_a_stale_index_is_replaced_looks_again(fake_api: FakeApi) -> None:
    form(fake_api, "Acme")
    register(fake_api, client="C1", state="retired", confirm="C1")
    fake_api.fail("PUT", "/lms-organisation-", 409, "Conflict", times=2)
    assert form(fake_api, "Acme") == "C2"
    assert index_of(fake_api, "Acme") == "C2"


@pytest.mark.parametrize(
    ("labels", "data", "words"),
    [
        ({}, {"client": "C1"}, "is not this collection's"),
        ({"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/record": "organisation"}, {"client": "x"}, "is damaged: client: "),
        ({"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/record": "organisation"}, {}, "is damaged: client: "),
    ],
)
def test_an_index_that_cannot_be_read_stops_the_run(fake_api: FakeApi, labels: dict[str, str], data: dict[str, str], words: str) -> None:
    metadata = {"name": organisation_index_name("Acme"), "namespace": "lms-dev", "labels": labels}
    fake_api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    with pytest.raises(LmsError, match=words) as caught:
        form(fake_api, "Acme")
    assert caught.value.message.startswith(f"ConfigMap lms-dev/{metadata['name']}")
    assert fake_api.writes() == []


ODD = [
    "Завод \"Ромашка\" '1'",
    "{{ lookup('pipe', 'id') }} {% raw %}",
    "\U0001f469\u200d\U0001f52c emoji \U0001f1e9\U0001f1ea",
    "\u202bشركة الورد\u202c",
    "  blanks  around ",
    "=1+1",
    "e\u0301 is not é",
    "漢字" * 128,
]


@pytest.mark.parametrize("organisation", ODD)
def test_a_name_comes_back_as_it_was_given(fake_api: FakeApi, organisation: str) -> None:
    given = register(fake_api, organisation=organisation)["record"]["organisation"]
    found = register(fake_api)
    assert given == found["record"]["organisation"] == organisation
    assert register(fake_api, organisation=organisation)["changed"] is False
    stored = fake_api.stored("ConfigMap", NAME)
    assert stored is not None
    label = stored["metadata"]["labels"]["rarus.lms/organisation"]
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label)


def test_only_what_is_given_is_changed(fake_api: FakeApi) -> None:
    lines: list[str] = []
    register(fake_api, organisation="Acme", settings={"replicas": 2})
    assert register(fake_api, organisation="Acme Ltd")["record"]["settings"] == {"replicas": 2}
    changed = register(fake_api, lines, settings={})
    assert (changed["record"]["organisation"], changed["record"]["settings"]) == ("Acme Ltd", {})
    assert lines[0].startswith("  client       C42: settings changed")
    assert register(fake_api, lines, check_mode=True, organisation="Other")["changed"] is True
    assert register(fake_api)["record"]["organisation"] == "Acme Ltd"


def test_own_settings_are_validated(fake_api: FakeApi) -> None:
    with pytest.raises(InputError, match="2 settings of C42 are wrong") as caught:
        register(fake_api, settings={"replica": 2, "namespace_id": "other"})
    assert "settings.replica: there is no such setting. replicas is meant?" in caught.value.message
    assert fake_api.requests == []


def test_contacts_lie_in_a_secret_of_their_own_and_nowhere_else(fake_api: FakeApi) -> None:
    lines: list[str] = []
    given = [{"name": "Anna Petrova", "role": "director", "phones": ["+49 (30) 901820"], "mailboxes": "anna@company.example"}]
    result = register(fake_api, lines, organisation="Acme", contacts=json.dumps(given))
    expected = [{"name": "Anna Petrova", "role": "director", "phones": ["+4930901820"], "mailboxes": ["anna@company.example"]}]
    assert contacts_of(fake_api, "c42") == expected
    assert "Petrova" not in json.dumps([result, lines, fake_api.stored("ConfigMap", NAME)])
    fake_api.requests.clear()
    assert register(fake_api, contacts=given)["changed"] is False
    assert fake_api.writes() == []
    assert register(fake_api, contacts="[]")["changed"] is True
    assert contacts_of(fake_api, "c42") == []


def test_contacts_that_somebody_else_writes_are_not_written_over_blindly(fake_api: FakeApi) -> None:
    register(fake_api, contacts=[{"name": "Anna"}])
    fake_api.fail("PUT", "/lms-contacts-c42", 409, "Conflict")
    fake_api.requests.clear()
    assert register(fake_api, contacts=[{"name": "Bert"}])["changed"] is True
    assert [request.method for request in fake_api.requests] == ["GET", "GET", "PUT", "GET", "PUT"]


def test_a_client_rests_goes_on_and_leaves(fake_api: FakeApi) -> None:
    register(fake_api, contacts=[{"name": "Anna"}])
    rests = register(fake_api, state="suspended")
    assert (rests["changed"], rests["record"]["phase"]) == (True, "suspended")
    assert register(fake_api, state="suspended")["changed"] is False
    assert register(fake_api)["record"]["phase"] == "suspended", "present does not wake a client"
    assert register(fake_api, resume=True)["record"]["phase"] == "registered"
    with pytest.raises(InputError, match="C42 would leave for good"):
        register(fake_api, state="retired", confirm="C4")
    left = register(fake_api, state="retired", confirm="C42")
    assert (left["changed"], left["record"]["phase"]) == (True, "retired")
    assert contacts_of(fake_api, "c42") != []
    assert register(fake_api, state="retired", confirm="C42")["changed"] is False
    assert register(fake_api, state="retired", confirm="C42", forget_contacts=True)["changed"] is True
    assert contacts_of(fake_api, "c42") == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resume": True},
        {"state": "suspended"},
        {"state": "retired", "confirm": "C42", "organisation": "Other"},
        {"state": "retired", "confirm": "C42", "settings": {}},
    ],
)
def test_who_has_left_stays_away(fake_api: FakeApi, changes: dict[str, t.Any]) -> None:
    register(fake_api)
    register(fake_api, state="retired", confirm="C42")
    writes = len(fake_api.writes())
    for check_mode in (True, False):
        with pytest.raises(InputError, match="C42 has left, and an id is never given twice"):
            register(fake_api, check_mode=check_mode, **changes)
    assert len(fake_api.writes()) == writes
    assert form(fake_api, "next") == "C43"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client": ""}, "client: is missing, and so is organisation"),
        ({"client": "", "organisation": "Acme", "state": "suspended"}, "client: is missing. Expected the id of a client on the list"),
        ({"client": "", "organisation": "Acme", "must": "exist"}, "client: is missing. Expected the id of a client on the list"),
        ({"organisation": "x" * 257}, "organisation: has 257 characters. Expected 256 at most."),
        ({"organisation": "two\nlines"}, "organisation: character 4 (U+000A) is a control character"),
        ({"organisation": " "}, "organisation: holds nothing but blanks"),
        ({"state": "suspended", "resume": True}, "resume: goes with state present alone"),
        ({"forget_contacts": True}, "forget_contacts: goes with state retired alone"),
        ({"state": "retired", "confirm": "C42", "contacts": "[]"}, "contacts: does not go with state retired"),
        ({"contacts": "nobody"}, "contacts: is not JSON"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(fake_api: FakeApi, changes: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        register(fake_api, **changes)
    assert caught.value.message.startswith(words)
    assert fake_api.requests == []


@pytest.mark.parametrize("state", ["suspended", "retired"])
def test_an_unknown_client_is_not_made_by_other_states(fake_api: FakeApi, state: str) -> None:
    with pytest.raises(InputError, match="C42 is not on the list of clients"):
        register(fake_api, state=state, confirm="C42")
    assert fake_api.writes() == []


def record_object(number: int) -> dict[str, t.Any]:
    record = Record(client=ClientId(number), catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev", organisation="x")
    return record.to_object()


def not_found() -> dict[str, t.Any]:
    details = {"name": NAME, "kind": "configmaps"}
    return {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "details": details, "code": 404}
