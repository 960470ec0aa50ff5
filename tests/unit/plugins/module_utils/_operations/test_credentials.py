# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import copy
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials as operation
from support.fake_api import FakeApi, status_object

C42 = ClientId.parse("C42")
CREDENTIALS, RSA, RECORD = "lms-credentials-c42", "rsa-secret-c42", "lms-client-c42"
BROUGHT = domain.generate_rsa_key(2048)
MADE_KEY = domain.generate_rsa_key(2048)


class KilledError(Exception):
    """The run ends here, as by SIGKILL."""


@pytest.fixture(autouse=True)
def _one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "generate_rsa_key", lambda bits: MADE_KEY)


@pytest.fixture
def registered(fake_api: FakeApi) -> FakeApi:
    fake_api.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev").to_object())
    return fake_api


def make(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    given: dict[str, t.Any] = {
        "client": "C42",
        "namespace": "lms-dev",
        "registry_namespace": "",
        "recorded": "",
        "database_user": "",
        "rsa_bits": 2048,
        "rsa_key": "",
        "rsa_key_file": "",
        "rsa_key_secret": None,
        "requests": [],
        "state": "present",
        "recreate": False,
        "parts": [],
        "step": None,
        "confirm": "",
        "epoch": None,
        "actor": "me",
    }
    report = (lines if lines is not None else []).append
    return operation.run({**fake_api.params, **given, **changes}, Context(check_mode=check_mode, report=report))


def operators(name: str, **data: bytes) -> dict[str, t.Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "lms-dev"}, "data": encoded}


def referring(**pod: t.Any) -> list[dict[str, t.Any]]:
    """Return the request of a Deployment whose container refers to the token of the SMS service; pod has more volumes and envFrom."""
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token"}}}
    container = {"name": "c42", "env": [token], "envFrom": pod.get("envFrom", [])}
    spec = {"template": {"spec": {"containers": [container], "volumes": pod.get("volumes", [])}}}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lms-deployment-c42"}, "spec": spec}
    return [{"client": "C42", "stage": "environment", "file": "deployment.yml.j2", "object": made}]


def recorded(fake_api: FakeApi) -> str:
    record = fake_api.stored("ConfigMap", RECORD)
    assert record is not None
    return str(record["data"]["credentials"])


def secrets(fake_api: FakeApi) -> dict[str, t.Any]:
    found = {name: fake_api.stored("Secret", name) for name in (CREDENTIALS, RSA)}
    return {name: copy.deepcopy(obj["data"]) for name, obj in found.items() if obj is not None}


def plain_values(fake_api: FakeApi) -> list[str]:
    """Return every value of the Secrets, as it lies there and decoded, but for the user names."""
    found = []
    for data in secrets(fake_api).values():
        for key, value in data.items():
            if not key.endswith("-user"):
                found += [value, base64.b64decode(value).decode("latin-1")]
    return found


def test_credentials_are_made_between_two_notes_in_the_record(registered: FakeApi) -> None:
    lines: list[str] = []
    result = make(registered, lines)
    assert registered.writes() == [
        f"PUT /api/v1/namespaces/lms-dev/configmaps/{RECORD}",
        "POST /api/v1/namespaces/lms-dev/secrets",
        "POST /api/v1/namespaces/lms-dev/secrets",
        f"PUT /api/v1/namespaces/lms-dev/configmaps/{RECORD}",
    ]
    notes = [request.body["data"]["credentials"] for request in registered.requests if request.method == "PUT"]
    assert notes == ["creating", "made"]
    assert set(secrets(registered)) == {CREDENTIALS, RSA}
    assert (result["changed"], result["created"], result["secrets"]) == (True, [CREDENTIALS, RSA], [CREDENTIALS, RSA])
    assert set(result["fingerprints"]) == {"seed", "rsa", "postgres", "clickhouse", "postgres_logins", "clickhouse_logins"}
    assert (result["logins"], result["rotated"], result["rotation"]) == ({"postgres": "c42", "clickhouse": "c42"}, {}, {})
    assert result["made"].endswith("Z")
    assert lines[0].startswith("  credentials  created: seed, rsa 2048, postgres, clickhouse ")


def test_no_value_is_in_a_result_or_a_line(registered: FakeApi) -> None:
    lines: list[str] = []
    shown = json.dumps(make(registered, lines)) + "".join(lines)
    assert not [value for value in plain_values(registered) if value in shown]


def test_a_second_run_keeps_everything_with_two_reads(registered: FakeApi) -> None:
    first = make(registered)
    before = secrets(registered)
    registered.requests.clear()
    lines: list[str] = []
    second = make(registered, lines)
    assert (second["changed"], second["created"], lines) == (False, [], [])
    assert second["fingerprints"] == first["fingerprints"]
    assert second["fingerprint"] == first["fingerprint"]
    assert secrets(registered) == before
    assert (len(registered.requests), registered.writes()) == (2, [])


def test_one_read_is_spared_where_the_record_was_just_read(registered: FakeApi) -> None:
    registered.add(operators("sms4b", token=b"t"))
    make(registered)
    registered.requests.clear()
    make(registered, recorded="made", requests=referring())
    assert registered.reads() == ["/api/v1/namespaces/lms-dev/secrets", "/api/v1/namespaces/lms-dev/secrets/sms4b"]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_what_was_killed_at_any_step_is_finished_by_the_next_run(registered: FakeApi, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    writes = 0
    exchange = transport.Transport.exchange

    def killed(self: transport.Transport, method: str, path: str, **more: t.Any) -> t.Any:
        nonlocal writes
        writes += method != "GET"
        if writes == step:
            raise KilledError
        return exchange(self, method, path, **more)

    with monkeypatch.context() as patched:
        patched.setattr(transport.Transport, "exchange", killed)
        with pytest.raises(KilledError):
            make(registered)
    kept = secrets(registered)
    assert (recorded(registered), len(kept)) == [("none", 0), ("creating", 0), ("creating", 1), ("creating", 2)][step - 1]
    make(registered)
    assert recorded(registered) == "made"
    assert {name: secrets(registered)[name] for name in kept} == kept
    assert len(secrets(registered)) == 2
    assert make(registered)["changed"] is False


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize(("method", "path"), [("PUT", "/configmaps/"), ("POST", "/secrets")])
def test_lost_answers_change_nothing(registered: FakeApi, method: str, path: str, lost: str) -> None:
    registered.answer(method, path, lose=lost)
    make(registered)
    assert (recorded(registered), len(secrets(registered))) == ("made", 2)


@pytest.mark.parametrize("gone", [[CREDENTIALS], [RSA], [CREDENTIALS, RSA]])
def test_a_secret_that_was_deleted_is_missed_and_not_made_anew(registered: FakeApi, gone: list[str]) -> None:
    make(registered)
    for name in gone:
        registered.remove("Secret", name)
    registered.requests.clear()
    with pytest.raises(LmsError) as caught:
        make(registered)
    assert caught.value.message.startswith(
        f"{' and '.join(f'Secret lms-dev/{name}' for name in gone)} is missing, though the record of C42"
    )
    assert "Restore it from a backup with its labels (app.kubernetes.io/managed-by=rarus.lms,rarus.lms/client=C42)" in caught.value.hint
    assert caught.value.as_result()["missing"] == gone
    assert registered.writes() == []


def test_a_restored_secret_is_taken(registered: FakeApi) -> None:
    first = make(registered)
    backup = registered.stored("Secret", RSA)
    assert backup is not None
    registered.remove("Secret", RSA)
    registered.add(backup)
    assert make(registered)["fingerprint"] == first["fingerprint"]


def test_a_record_that_was_lost_does_not_make_half_a_pair(registered: FakeApi) -> None:
    make(registered)
    registered.remove("Secret", RSA)
    registered.remove("ConfigMap", RECORD)
    registered.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev").to_object())
    with pytest.raises(LmsError, match=f"though {CREDENTIALS} exists and the record of C42 knows of neither"):
        make(registered)


def test_a_record_that_was_lost_finds_a_whole_pair_again(registered: FakeApi) -> None:
    first = make(registered)
    registered.remove("ConfigMap", RECORD)
    registered.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev").to_object())
    assert make(registered)["fingerprint"] == first["fingerprint"]
    assert recorded(registered) == "made"


@pytest.mark.parametrize("name", [CREDENTIALS, RSA])
def test_somebody_elses_secret_is_refused_before_anything_is_written(registered: FakeApi, name: str) -> None:
    registered.add(operators(name, rsa_key=b"theirs"))
    with pytest.raises(LmsError, match=f"Secret lms-dev/{name} exists and is not this collection's Secret of C42") as refused:
        make(registered)
    assert "adopt_client.yml -e client=C42" in refused.value.hint
    assert registered.writes() == []


def test_somebody_elses_secret_that_appears_between_read_and_create_is_refused(registered: FakeApi) -> None:
    registered.add(operators(RSA, rsa_key=b"theirs"))
    registered.answer("GET", f"/secrets/{RSA}", status=404, body=status_object(404, "NotFound", "not found", RSA, "secrets"))
    with pytest.raises(LmsError, match=f"Secret lms-dev/{RSA} exists and is not this collection's Secret of C42"):
        make(registered)
    assert recorded(registered) == "creating"


def test_a_secret_that_appears_between_read_and_create_is_kept(registered: FakeApi) -> None:
    make(registered)
    theirs = secrets(registered)
    record = registered.stored("ConfigMap", RECORD)
    assert record is not None
    record["data"]["credentials"] = "creating"
    empty = {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}
    registered.answer("GET", "/secrets", body=empty)
    result = make(registered)
    assert secrets(registered) == theirs
    assert result["fingerprint"] == make(registered)["fingerprint"]


def test_a_run_that_was_overtaken_between_its_reads_does_not_cry_loss(registered: FakeApi) -> None:
    first = make(registered)
    registered.answer("GET", "/secrets", body={"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})
    assert make(registered)["fingerprint"] == first["fingerprint"]


@pytest.mark.parametrize("writes", range(4), ids=["at its beginning", "after its first note", "after a Secret", "after both"])
def test_a_run_that_was_overtaken_writes_nothing_more(registered: FakeApi, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """The other run begins its epoch once this one has written so often."""
    act = registered._act

    def overtaken(request: t.Any) -> t.Any:
        answer = act(request)
        found = registered.stored("ConfigMap", RECORD)
        assert found is not None
        if len(registered.writes()) == writes and found["data"]["epoch"] == "3":
            registered.add(Record.from_object(found, C42).with_(epoch=4, epoch_by="bert@desk").to_object())
        return answer

    registered.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev", epoch=3).to_object())
    monkeypatch.setattr(registered, "_act", overtaken)
    with pytest.raises(ConflictError, match="C42 was taken over by bert@desk; this run stops before it writes anything more"):
        make(registered, epoch=3)
    assert [bool(registered.stored("Secret", name)) for name in (CREDENTIALS, RSA)] == [writes > 1, writes > 2]
    assert recorded(registered) == ("creating" if writes else "none")


def test_a_secret_that_is_being_deleted_is_not_taken(registered: FakeApi) -> None:
    make(registered)
    record, secret = registered.stored("ConfigMap", RECORD), registered.stored("Secret", RSA)
    assert record is not None
    assert secret is not None
    record["data"]["credentials"] = "creating"
    secret["metadata"]["deletionTimestamp"] = "2026-11-21T09:00:00Z"
    registered.answer("GET", "/secrets", body={"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})
    with pytest.raises(LmsError, match=f"Secret lms-dev/{RSA} is being deleted"):
        make(registered)


def test_the_record_is_changed_by_compare_and_swap(registered: FakeApi) -> None:
    registered.fail("PUT", "/configmaps/", 409, "Conflict")
    make(registered)
    assert recorded(registered) == "made"


def test_made_is_never_taken_back(registered: FakeApi) -> None:
    made = Record(client=C42, catalogue="a", namespace="a", registry_namespace="a", credentials="made")
    assert operation._note("creating")(made) is made


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("path", ["/secrets", f"/secrets/{RSA}", f"/configmaps/{RECORD}"])
def test_a_doubtful_read_makes_nothing(registered: FakeApi, path: str, status: int) -> None:
    registered.fail("GET", path, status, times=1000)
    with pytest.raises(UnknownStateError):
        make(registered)
    assert registered.writes() == []


def test_an_unknown_client_gets_nothing(fake_api: FakeApi) -> None:
    with pytest.raises(InputError, match="C42 is not on the list of clients"):
        make(fake_api)
    assert fake_api.writes() == []


@pytest.mark.parametrize("known", [True, False])
def test_check_mode_tells_and_writes_nothing(fake_api: FakeApi, known: bool) -> None:
    if known:
        fake_api.add(Record(client=C42, catalogue="lms-dev", namespace="lms-dev", registry_namespace="lms-dev").to_object())
    lines: list[str] = []
    result = make(fake_api, lines, check_mode=True)
    assert (result["changed"], result["created"], result["fingerprint"]) == (True, [CREDENTIALS, RSA], "")
    assert "would create: seed" in lines[0]
    assert fake_api.writes() == []


def test_a_brought_key_is_taken_once(registered: FakeApi) -> None:
    registered.add(operators("brought", pem=BROUGHT))
    lines: list[str] = []
    make(registered, lines, rsa_key_secret={"name": "brought", "key": "pem"})
    assert base64.b64decode(secrets(registered)[RSA]["rsa_key"]) == BROUGHT
    assert "rsa (brought)" in lines[0]
    registered.remove("Secret", "brought")
    assert make(registered, rsa_key_secret={"name": "brought", "key": "pem"})["changed"] is False


def test_a_brought_key_that_is_unfit_stops_before_the_first_write(registered: FakeApi) -> None:
    registered.add(operators("brought", pem=b"hello"))
    with pytest.raises(InputError, match="rsa_key_secret: key pem of Secret lms-dev/brought is not PEM"):
        make(registered, rsa_key_secret={"name": "brought", "key": "pem"})
    with pytest.raises(InputError, match="rsa_key_secret: there is no Secret lms-dev/another"):
        make(registered, rsa_key_secret={"name": "another", "key": "pem"})
    assert registered.writes() == []


@pytest.mark.parametrize("option", ["rsa_key", "rsa_key_file"])
def test_a_key_may_come_as_text_or_in_a_file_and_wins_over_the_settings(registered: FakeApi, option: str, tmp_path: Path) -> None:
    file = tmp_path / "c42.pem"
    file.write_bytes(BROUGHT)
    given: dict[str, t.Any] = {
        option: BROUGHT.decode() if option == "rsa_key" else str(file),
        "rsa_key_secret": {"name": "absent", "key": "pem"},
    }
    lines: list[str] = []
    first = make(registered, lines, **given)
    assert base64.b64decode(secrets(registered)[RSA]["rsa_key"]) == BROUGHT
    assert "rsa (brought)" in lines[0]
    assert BROUGHT.decode()[40:80] not in repr(first) + repr(lines)
    assert make(registered, **given)["changed"] is False


def test_a_key_that_is_given_for_a_client_with_another_one_is_refused(registered: FakeApi) -> None:
    make(registered)
    before = secrets(registered)
    with pytest.raises(InputError, match="rsa_key: the text is another key than C42 has, which stays as it is") as caught:
        make(registered, rsa_key=BROUGHT.decode())
    assert "rotate_credentials.yml -e client=C42 -e credentials=rsa" in caught.value.hint
    assert secrets(registered) == before


def test_a_given_key_that_is_unfit_is_named_by_its_option(registered: FakeApi, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, t.Any], str]] = [
        ({"rsa_key": "hello"}, "rsa_key: the text is not PEM"),
        ({"rsa_key_file": str(tmp_path / "none.pem")}, "rsa_key_file: .*none.pem cannot be read: No such file or directory"),
        ({"rsa_key_file": str(tmp_path)}, "rsa_key_file: .* cannot be read: Is a directory"),
        ({"rsa_key": "a", "rsa_key_file": "b"}, "rsa_key, rsa_key_file: both are given"),
    ]
    for given, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            make(registered, **given)
    assert registered.writes() == []


def test_the_length_of_the_key_is_settable(registered: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def generate(bits: int) -> bytes:
        asked.append(bits)
        return MADE_KEY

    monkeypatch.setattr(domain, "generate_rsa_key", generate)
    make(registered, rsa_bits=4096)
    assert asked == [4096]


def config_map(name: str, **data: str) -> dict[str, t.Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "lms-dev"}, "data": data}


ALL_OF_WORDS = {"envFrom": [{"secretRef": {"name": "words", "optional": True}}]}
AUTHORITY = {"volumes": [{"name": "ca", "configMap": {"name": "databases", "items": [{"key": "ca.pem", "path": "ca.crt"}]}}]}
PROVIDED: list[tuple[str, dict[str, t.Any], dict[str, t.Any] | None, dict[str, t.Any], list[str]]] = [
    ("a key of a Secret", {}, operators("sms4b", token=b"one", other=b"x"), operators("sms4b", token=b"two", other=b"x"), ["sms4b/token"]),
    ("another key of it", {}, operators("sms4b", token=b"one", other=b"x"), operators("sms4b", token=b"one", other=b"y"), []),
    ("an authority", AUTHORITY, config_map("databases", **{"ca.pem": "a"}), config_map("databases", **{"ca.pem": "b"}),
     ["ConfigMap/databases/ca.pem"]),
    ("another authority beside it", AUTHORITY, config_map("databases", **{"ca.pem": "a"}),
     config_map("databases", **{"ca.pem": "a", "x": "b"}), []),
    ("a whole Secret", ALL_OF_WORDS, operators("words", a=b"1"), operators("words", a=b"1", b=b"2"), ["words/b"]),
    ("one that was not there", ALL_OF_WORDS, None, operators("words", a=b"1"), ["words/a"]),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "pod", "before", "after", "changed"), PROVIDED, ids=[case[0] for case in PROVIDED])
def test_a_changed_value_that_pods_refer_to_changes_the_fingerprint(
    registered: FakeApi, _what: str, pod: dict[str, t.Any], before: dict[str, t.Any] | None, after: dict[str, t.Any], changed: list[str]
) -> None:
    for one in (operators("sms4b", token=b"one"), before):
        if one:
            registered.add(one)
    first = make(registered, requests=referring(**pod))
    registered.add(after)
    second = make(registered, requests=referring(**pod))
    found = [name for name, value in second["fingerprints"].items() if first["fingerprints"].get(name) != value]
    assert (found, second["changed"]) == (changed, False)
    assert (first["fingerprint"] != second["fingerprint"]) == bool(changed)


def test_what_pods_refer_to_and_nobody_provides_is_named(registered: FakeApi) -> None:
    with pytest.raises(InputError, match="requests: there is no Secret lms-dev/sms4b, and the pods of C42 refer to it"):
        make(registered, requests=referring())
    registered.add(operators("sms4b", other=b"x"))
    with pytest.raises(InputError, match="Secret lms-dev/sms4b lacks token, and"):
        make(registered, requests=referring())
    registered.remove("Secret", "sms4b")
    registered.add(operators("sms4b", token=b"x"))
    with pytest.raises(InputError, match="there is no ConfigMap lms-dev/databases, and"):
        make(registered, requests=referring(**AUTHORITY))


def test_the_logins_have_the_name_that_the_settings_give(registered: FakeApi) -> None:
    make(registered, database_user="dev_c42")
    assert base64.b64decode(secrets(registered)[CREDENTIALS]["postgres-user"]) == b"dev_c42"
    with pytest.raises(InputError, match="database_user: c42 is not the user dev_c42 that Secret lms-dev/lms-credentials-c42"):
        make(registered)


def test_a_rotated_login_is_known(registered: FakeApi) -> None:
    make(registered)
    secret = registered.stored("Secret", CREDENTIALS)
    assert secret is not None
    secret["data"]["postgres-user"] = base64.b64encode(b"c42_b").decode()
    assert make(registered)["changed"] is False


def test_a_secret_that_was_emptied_is_told(registered: FakeApi) -> None:
    make(registered)
    secret = registered.stored("Secret", CREDENTIALS)
    assert secret is not None
    del secret["data"]["postgres-password"]
    with pytest.raises(LmsError, match="Secret lms-dev/lms-credentials-c42 lacks postgres-password") as caught:
        make(registered)
    assert "Restore it" in caught.value.hint
