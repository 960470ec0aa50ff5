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
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import PYRAGE
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials as domain
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import Lease
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._operations import credentials_escrow as operation
from support.fake_api import FakeApi

C42, C7 = ClientId.parse("C42"), ClientId.parse("C7")
CREDENTIALS, RSA, RECORD = "lms-credentials-c42", "rsa-secret-c42", "lms-client-c42"
KEY = domain.generate_rsa_key(2048)
IDENTITY = PYRAGE.require().x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


def record(client: ClientId, **more: t.Any) -> dict[str, t.Any]:
    head = {"client": client, "catalogue": "lms-dev", "namespace": "lms-dev", "registry_namespace": "lms-dev"}
    return Record(**{**head, "credentials": "made", "organisation": "Ромашка", **more}).to_object()


def pair(client: ClientId) -> list[dict[str, t.Any]]:
    made = "2026-11-21T09:00:00Z"
    first = domain.credentials_secret(client, namespace="lms-dev", user=client.name, made=made)
    return [first, domain.rsa_secret(client, namespace="lms-dev", key=KEY, made=made)]


@pytest.fixture
def cluster(fake_api: FakeApi) -> FakeApi:
    """Provide an API with a client that has its credentials."""
    fake_api.add(record(C42), *pair(C42))
    return fake_api


def act(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    given: dict[str, t.Any] = dict.fromkeys(operation.ARGUMENT_SPEC, None)
    defaults = {name: option["default"] for name, option in operation.ARGUMENT_SPEC.items() if "default" in option}
    asked = {"clients": ["C42"], "namespace": "lms-dev", "catalogue": "lms-dev", "recipients": [RECIPIENT]}
    report = (lines if lines is not None else []).append
    return operation.run({**given, **defaults, **fake_api.params, **asked, **changes}, Context(check_mode=check_mode, report=report))


def restore(fake_api: FakeApi, escrow: Path, **changes: t.Any) -> dict[str, t.Any]:
    return act(fake_api, **{"state": "restored", "folder": str(escrow), "identity": str(IDENTITY), "recipients": [], **changes})


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def data(fake_api: FakeApi, name: str) -> dict[str, str] | None:
    found = fake_api.stored("Secret", name)
    return None if found is None else found["data"]


def written(fake_api: FakeApi) -> list[str]:
    """Return what was written, in its order, Leases left out."""
    return [path.rpartition("/")[2] for path in fake_api.writes() if "/leases" not in path]


def lose(fake_api: FakeApi, *kinds_and_names: tuple[str, str]) -> None:
    for kind, name in kinds_and_names:
        fake_api.remove(kind, name)
    fake_api.requests.clear()


def test_a_copy_is_made_once_and_only_its_owner_reads_it(cluster: FakeApi, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "escrow"
    lines: list[str] = []
    first = act(cluster, lines, folder=str(folder))
    assert (first["changed"], first["escrowed"]) == (True, ["C42"])
    (path,) = files(folder)
    assert path.name.startswith("lms-dev-C42-")
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "C42 put into escrow" in lines[0]
    values = [*(data(cluster, CREDENTIALS) or {}).values(), *(data(cluster, RSA) or {}).values()]
    assert not [value for value in values if value.encode() in path.read_bytes() or value in json.dumps(first) + "".join(lines)]
    cluster.requests.clear()
    second = act(cluster, lines, folder=str(folder))
    assert (second["changed"], second["escrowed"], len(lines), files(folder)) == (False, [], 1, [path])
    assert (len(cluster.requests), cluster.writes()) == (1, [])


def test_a_rotation_and_another_reader_ask_for_a_new_copy_and_the_old_one_stays(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    stored = cluster.stored("Secret", CREDENTIALS)
    assert stored is not None
    stored["data"]["postgres-password"] = base64.b64encode(b"another").decode()
    assert act(cluster, folder=str(tmp_path))["changed"]
    other = str(PYRAGE.require().x25519.Identity.generate().to_public())
    assert act(cluster, folder=str(tmp_path), recipients=[RECIPIENT, other])["changed"]
    assert len(files(tmp_path)) == 3


def test_an_empty_file_is_no_copy(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    files(tmp_path)[0].write_bytes(b"")
    assert act(cluster, folder=str(tmp_path))["changed"]
    assert files(tmp_path)[0].stat().st_size > 0


def test_a_secret_elsewhere_holds_the_newest_copy_and_the_one_before(cluster: FakeApi) -> None:
    place: dict[str, t.Any] = {"escrow_namespace": "safe"}
    assert act(cluster, **place)["changed"]
    assert not act(cluster, **place)["changed"]
    first = cluster.stored("Secret", "lms-escrow-c42", "safe")
    assert first is not None
    assert set(first["data"]) == {"escrow.age"}
    stored = cluster.stored("Secret", RSA)
    assert stored is not None
    stored["data"]["rsa_key"] = base64.b64encode(domain.generate_rsa_key(2048)).decode()
    assert act(cluster, **place)["changed"]
    second = cluster.stored("Secret", "lms-escrow-c42", "safe")
    assert second is not None
    assert second["data"]["previous.age"] == first["data"]["escrow.age"]
    assert second["data"]["escrow.age"] != first["data"]["escrow.age"]
    kept = copy.deepcopy(data(cluster, RSA))
    lose(cluster, ("Secret", RSA))
    restore(cluster, Path("/nowhere"), folder=None, **place)
    assert data(cluster, RSA) == kept


def test_somebody_elses_secret_elsewhere_is_left_alone(cluster: FakeApi) -> None:
    cluster.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "lms-escrow-c42", "namespace": "safe"}, "data": {}})
    with pytest.raises(ConflictError, match="Secret safe/lms-escrow-c42 exists and is not the copy of C42"):
        act(cluster, escrow_namespace="safe")
    assert cluster.writes() == []


def test_all_clients_are_copied_after_one_list(cluster: FakeApi, tmp_path: Path) -> None:
    other = ClientId.parse("C8")
    cluster.add(record(C7), *pair(C7), record(other, catalogue="other"), *pair(other))
    result = act(cluster, clients=["all"], folder=str(tmp_path))
    assert result["escrowed"] == ["C7", "C42"]
    assert [path.name[:12] for path in files(tmp_path)] == ["lms-dev-C42-", "lms-dev-C7-" + files(tmp_path)[1].name[11]]


def test_check_mode_copies_nothing(cluster: FakeApi, tmp_path: Path) -> None:
    lines: list[str] = []
    assert act(cluster, lines, check_mode=True, folder=str(tmp_path / "x"))["changed"]
    assert "C42 would be put into escrow" in lines[0]
    assert act(cluster, check_mode=True, clients=["C9"], folder=str(tmp_path / "x"))["escrowed"] == ["C9"]
    assert (cluster.writes(), files(tmp_path)) == ([], [])


def test_without_recipients_the_price_is_told_and_the_api_not_asked(cluster: FakeApi) -> None:
    lines: list[str] = []
    assert act(cluster, lines, recipients=[]) == {"changed": False, "escrowed": []}
    assert lines == ["  escrow       none: with namespace lms-dev the keys of C42 would be lost (docs/escrow.md)"]
    assert cluster.requests == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "escrow_folder: is missing"),
        ({"clients": []}, "clients: is empty"),
        ({"clients": ["all"], "recipients": []}, "escrow_recipients: is missing"),
        ({"escrow_namespace": "lms-dev"}, "escrow_namespace: lms-dev is the namespace whose loss it is for"),
        ({"folder": "/proc/nowhere"}, "escrow_folder: /proc/nowhere: "),
        ({"folder": "/tmp", "clients": ["C9"]}, "Secret lms-dev/lms-credentials-c9 is missing, so C9 cannot be put into escrow"),
        ({"folder": "/tmp", "catalogue": "lms-prod"}, "client: C42 belongs to catalogue lms-dev, not to lms-prod"),
    ],
)
def test_what_cannot_be_copied_is_told(cluster: FakeApi, changes: dict[str, t.Any], words: str) -> None:
    with pytest.raises(LmsError) as caught:
        act(cluster, **changes)
    assert caught.value.message.startswith(words)


def test_a_lost_secret_comes_back_byte_for_byte(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    kept = [copy.deepcopy(cluster.stored("Secret", name)) for name in (CREDENTIALS, RSA)]
    lose(cluster, ("Secret", CREDENTIALS), ("Secret", RSA))
    result = restore(cluster, tmp_path)
    assert (result["changed"], result["created"], result["replaced"]) == (True, [CREDENTIALS, RSA], [])
    for before, name in zip(kept, (CREDENTIALS, RSA), strict=True):
        after = cluster.stored("Secret", name)
        assert before is not None
        assert after is not None
        assert (after["data"], after["metadata"]["labels"]) == (before["data"], before["metadata"]["labels"])
    cluster.requests.clear()
    assert restore(cluster, tmp_path)["changed"] is False
    assert cluster.writes() == []


def test_a_lost_namespace_comes_back_with_its_record(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    lose(cluster, ("Secret", CREDENTIALS), ("Secret", RSA), ("ConfigMap", RECORD))
    restore(cluster, tmp_path)
    assert written(cluster) == ["configmaps", "configmaps", "secrets", "secrets"]
    assert cluster.stored("ConfigMap", organisation_index_name("Ромашка")) is not None
    found = cluster.stored("ConfigMap", RECORD)
    assert found is not None
    assert (found["data"]["credentials"], found["data"]["organisation"]) == ("made", "Ромашка")


def test_check_mode_brings_nothing_back(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    lose(cluster, ("Secret", RSA))
    lines: list[str] = []
    assert restore(cluster, tmp_path, lines=lines, check_mode=True)["created"] == [RSA]
    assert "would bring back: rsa-secret-c42" in lines[0]
    assert cluster.writes() == []


def test_other_values_are_replaced_on_a_typed_confirmation_only(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    kept = copy.deepcopy(data(cluster, CREDENTIALS))
    stored = cluster.stored("Secret", CREDENTIALS)
    assert stored is not None
    stored["data"]["postgres-password"] = "b3RoZXI="
    cluster.requests.clear()
    for confirm in ("", "C7", "yes"):
        with pytest.raises(InputError, match="Secret lms-dev/lms-credentials-c42 exists and differs from the copy of") as caught:
            restore(cluster, tmp_path, confirm=confirm)
    assert "-e confirm=C42" in caught.value.hint
    assert cluster.writes() == []
    assert restore(cluster, tmp_path, confirm="C42")["replaced"] == [CREDENTIALS]
    assert data(cluster, CREDENTIALS) == kept
    (put,) = [request for request in cluster.requests if request.method == "PUT" and "/secrets/" in request.path]
    assert put.body["metadata"]["resourceVersion"]


def test_a_file_and_an_identity_file_are_read(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path / "escrow"))
    identity = tmp_path / "identity.txt"
    identity.write_text(f"# created\n# public key: {RECIPIENT}\n{IDENTITY}\n")
    lose(cluster, ("Secret", RSA))
    file = str(files(tmp_path / "escrow")[0])
    assert restore(cluster, tmp_path, folder=None, file=file, identity=None, identity_file=str(identity))["created"] == [RSA]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": "/nowhere/x.age"}, "escrow_file: /nowhere/x.age cannot be read (No such file or directory)."),
        ({"folder": "/nowhere"}, "escrow_file: is missing, and no copy of C42"),
        ({"identity": None}, "escrow_identity_file: is missing."),
        ({"identity_file": "/nowhere/x"}, "escrow_identity_file: /nowhere/x cannot be read"),
        ({"identity": str(PYRAGE.require().x25519.Identity.generate())}, "{folder}/{file} cannot be decrypted: No matching keys found."),
        ({"catalogue": "lms-prod", "file": "{folder}/{file}"}, "{folder}/{file} is of C42 in catalogue lms-dev, not in lms-prod."),
        ({"clients": ["C7"], "file": "{folder}/{file}"}, "{folder}/{file} is the copy of C42, not of C7."),
        ({"clients": ["C7", "C42"]}, "clients: 2 are given, and one is restored at a time."),
    ],
)
def test_what_cannot_be_restored_is_told(cluster: FakeApi, tmp_path: Path, changes: dict[str, t.Any], words: str) -> None:
    act(cluster, folder=str(tmp_path))
    place = {"folder": str(tmp_path), "file": files(tmp_path)[0].name}
    given = {key: value.format(**place) if key == "file" else value for key, value in changes.items()}
    cluster.requests.clear()
    with pytest.raises(LmsError) as caught:
        restore(cluster, tmp_path, **given)
    assert caught.value.message.startswith(words.format(**place))
    assert cluster.writes() == []


def rotated(fake_api: FakeApi, folder: Path, password: str, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the client another password, and put it into escrow at a time."""
    stored = fake_api.stored("Secret", CREDENTIALS)
    assert stored is not None
    stored["data"]["postgres-password"] = base64.b64encode(password.encode()).decode()
    monkeypatch.setattr(operation, "utc_now", lambda: made)
    act(fake_api, folder=str(folder), escrow_namespace="safe")


def test_of_several_copies_the_newest_is_restored_and_the_older_ones_are_named(
    cluster: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day, password in ((23, "newest"), (21, "oldest"), (22, "older")):
        rotated(cluster, tmp_path, password, f"2026-11-{day}T09:00:00Z", monkeypatch)
    lose(cluster, ("Secret", CREDENTIALS))
    lines: list[str] = []
    result = restore(cluster, tmp_path, lines=lines)
    assert base64.b64decode((data(cluster, CREDENTIALS) or {})["postgres-password"]) == b"newest"
    assert (result["copy_made"], Path(result["copy_place"]).parent) == ("2026-11-23T09:00:00Z", tmp_path)
    assert [text.rpartition(" ")[2] for text in result["older"]] == ["(2026-11-22T09:00:00Z)", "(2026-11-21T09:00:00Z)"]
    screen = "".join("".join(lines).split())
    assert f"copy{result['copy_place']},made2026-11-23T09:00:00Zby" in screen
    assert f"older2,keptuntilyouremovethem:{''.join(result['older'][0].split())}" in screen
    rotated(cluster, tmp_path, "newer still", "2026-11-24T09:00:00Z", monkeypatch)
    lose(cluster, ("Secret", CREDENTIALS))
    told = restore(cluster, tmp_path, escrow_namespace="safe")["older"]
    assert len(told) == 4, "the same newest copy in two places is not older than itself"
    assert "previous.age of Secret safe/lms-escrow-c42 (2026-11-22T09:00:00Z)" in told
    lose(cluster, ("Secret", CREDENTIALS))
    assert restore(cluster, tmp_path, folder=None, escrow_namespace="safe")["copy_place"] == "escrow.age of Secret safe/lms-escrow-c42"
    assert base64.b64decode((data(cluster, CREDENTIALS) or {})["postgres-password"]) == b"newer still"


def test_a_copy_that_cannot_be_read_may_be_the_newest(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    (good,) = files(tmp_path)
    (tmp_path / "lms-dev-C42-ffff.age").write_bytes(b"x")
    with pytest.raises(InputError, match="1 of 2 copies cannot be read, so it is not known which is the newest") as caught:
        restore(cluster, tmp_path)
    assert f"-e escrow_file=FILE; the newest that can be read is {good}, made 20" in caught.value.hint
    assert restore(cluster, tmp_path, file=str(good))["older"] == []


def test_a_second_run_waits_for_the_first_and_finds_nothing_left_to_do(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    kept = [copy.deepcopy(cluster.stored("Secret", name)) for name in (CREDENTIALS, RSA)]
    lose(cluster, ("Secret", CREDENTIALS), ("Secret", RSA))
    now = connect(cluster.params).now()
    cluster.add(Lease(C42, "lms-dev", "bert@desk 5f1c", acquired=now, renewed=now).to_object())
    with pytest.raises(ConflictError, match="C42 is held by bert@desk since"):
        restore(cluster, tmp_path, lease_wait_seconds=0)
    assert cluster.writes() == []

    def end(_line: str) -> None:
        cluster.add(*[secret for secret in kept if secret], Lease(C42, "lms-dev").to_object())

    given = {
        **dict.fromkeys(operation.ARGUMENT_SPEC, None),
        **cluster.params,
        "clients": ["C42"],
        "namespace": "lms-dev",
        "catalogue": "lms-dev",
    }
    given |= {
        "state": "restored",
        "folder": str(tmp_path),
        "identity": str(IDENTITY),
        "lease_seconds": 20,
        "lease_wait_seconds": 20,
        "actor": "",
    }
    assert operation.run(given, Context(report=end))["changed"] is False
    assert written(cluster) == []


def test_a_run_that_was_overtaken_stops_before_its_next_write(cluster: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act(cluster, folder=str(tmp_path))
    lose(cluster, ("Secret", CREDENTIALS), ("Secret", RSA))
    post = cluster._post

    def overtaken(request: t.Any, api_version: str, kind: str, match: t.Any) -> t.Any:
        if kind == "Secret":
            found = cluster.stored("ConfigMap", RECORD)
            assert found is not None
            found["data"] |= {"epoch": "9", "epoch_by": "bert@desk"}
        return post(request, api_version, kind, match)

    monkeypatch.setattr(cluster, "_post", overtaken)
    with pytest.raises(ConflictError, match="C42 was taken over by bert@desk; this run stops before it writes anything more"):
        restore(cluster, tmp_path)
    assert (data(cluster, CREDENTIALS) is None, data(cluster, RSA) is None) == (False, True)


def test_a_retired_client_is_not_brought_back(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    stored = cluster.stored("ConfigMap", RECORD)
    assert stored is not None
    stored["data"]["phase"] = "retired"
    lose(cluster, ("Secret", RSA))
    with pytest.raises(InputError, match="C42 has left"):
        restore(cluster, tmp_path)
    assert cluster.writes() == []


@pytest.mark.parametrize("path", [f"/configmaps/{RECORD}", f"/secrets/{CREDENTIALS}"])
@pytest.mark.parametrize("status", [400, 401, 403, 503])
def test_a_doubtful_read_brings_nothing_back(cluster: FakeApi, tmp_path: Path, path: str, status: int) -> None:
    act(cluster, folder=str(tmp_path))
    lose(cluster, ("Secret", RSA))
    cluster.fail("GET", path, status, times=1000)
    with pytest.raises(UnknownStateError):
        restore(cluster, tmp_path)
    assert cluster.writes() == []


def test_a_secret_that_appears_meanwhile_is_taken_where_it_is_equal(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    absent = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
    details = {"name": RSA, "kind": "secrets"}
    cluster.answer("GET", f"/secrets/{RSA}", status=404, body={**absent, "details": details}, times=2)
    assert restore(cluster, tmp_path)["created"] == [RSA]
    other = cluster.stored("Secret", RSA)
    assert other is not None
    other["data"]["rsa_key"] = "b3RoZXI="
    cluster.answer("GET", f"/secrets/{RSA}", status=404, body={**absent, "details": details}, times=2)
    with pytest.raises(ConflictError, match="was made by somebody else meanwhile, and differs"):
        restore(cluster, tmp_path)


def test_which_jobs_were_done_is_forgotten_with_the_logins_that_they_made(cluster: FakeApi, tmp_path: Path) -> None:
    act(cluster, folder=str(tmp_path))
    stored = cluster.stored("ConfigMap", RECORD)
    assert stored is not None
    stored["data"]["databases"] = '{"postgres-setup-c42": "5f1c"}'
    lose(cluster, ("Secret", CREDENTIALS))
    restore(cluster, tmp_path)
    stored = cluster.stored("ConfigMap", RECORD)
    assert stored is not None
    assert (stored["data"]["databases"], stored["data"]["credentials"]) == ("{}", "made")
