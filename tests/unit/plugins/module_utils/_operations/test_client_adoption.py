# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import copy
import itertools
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import generate_rsa_key
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import Lease
from ansible_collections.rarus.lms.plugins.module_utils._domain.names import organisation_index_name
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._operations import client_adoption as operation
from support.fake_api import FakeApi
from support.requests import requests_of

C42 = ClientId.parse("C42")
SPACE = "lms-dev"
CREDENTIALS, RSA, RECORD, CONFIG = "lms-credentials-c42", "rsa-secret-c42", "lms-client-c42", "lms-config-c42"
KEY = generate_rsa_key(2048)
REQUESTS = [request for request in requests_of("C42", SPACE) if request["stage"] == "environment"]
VARIABLES = {
    "LMS_CLIENT_ID": "C42",
    "LMS_KEYS_SECRET_SEED": "5f1c" * 32,
    "LMS_STORAGE_POSTGRES_DSN": "postgres://c42:CanaryPostgres1@db.example:5432/c42?sslmode=disable",
    "LMS_STORAGE_CLICKHOUSE_DSN": "clickhouse://c42:CanaryClickhouse1@ch.example:9000/c42",
}


def config(name: str = CONFIG, **changes: str) -> dict[str, t.Any]:
    metadata = {
        "name": name,
        "namespace": SPACE,
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {"f:LMS_KEYS_SECRET_SEED": {}}}}],
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {**VARIABLES, **changes}}


def rsa(name: str = RSA, key: bytes = KEY, entry: str = "rsa_key") -> dict[str, t.Any]:
    data = {entry: base64.b64encode(key).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SPACE}, "type": "Opaque", "data": data}


def bare(request: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what somebody has made by hand like a request: without labels and annotations of ours."""
    obj: dict[str, t.Any] = copy.deepcopy(request["object"])
    obj["metadata"] = {"name": obj["metadata"]["name"], "namespace": SPACE}
    return obj


@pytest.fixture
def cluster(fake_api: FakeApi) -> FakeApi:
    """Provide an API with an environment that was made by hand."""
    fake_api.add(*(bare(request) for request in REQUESTS if request["object"]["kind"] != "ConfigMap"), config(), rsa())
    return fake_api


def adopt(fake_api: FakeApi, lines: list[str] | None = None, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    given: dict[str, t.Any] = dict.fromkeys(operation.ARGUMENT_SPEC, None)
    defaults = {name: option["default"] for name, option in operation.ARGUMENT_SPEC.items() if "default" in option}
    asked = {"client": "C42", "namespace": SPACE, "catalogue": "lms-dev", "requests": REQUESTS}
    report = (lines if lines is not None else []).append
    return operation.run({**given, **defaults, **fake_api.params, **asked, **changes}, Context(check_mode=check_mode, report=report))


def stored(fake_api: FakeApi, kind: str, name: str) -> dict[str, t.Any]:
    found = fake_api.stored(kind, name)
    assert found is not None
    return found


def value(fake_api: FakeApi, key: str) -> str:
    return base64.b64decode(stored(fake_api, "Secret", CREDENTIALS)["data"][key]).decode()


def test_an_environment_comes_under_the_registry_with_all_its_values(cluster: FakeApi) -> None:
    before = {path: copy.deepcopy(obj) for path, obj in cluster.objects.items()}
    lines: list[str] = []
    result = adopt(cluster, lines, organisation="Ромашка")
    assert (result["changed"], result["created"]) == (True, [f"Secret {SPACE}/{CREDENTIALS}"])
    assert value(cluster, "keys-secret-seed") == VARIABLES["LMS_KEYS_SECRET_SEED"]
    assert (value(cluster, "postgres-password"), value(cluster, "clickhouse-password")) == ("CanaryPostgres1", "CanaryClickhouse1")
    record = stored(cluster, "ConfigMap", RECORD)["data"]
    assert (record["credentials"], record["organisation"], record["phase"]) == ("made", "Ромашка", "registered")
    for path, obj in before.items():
        now = cluster.objects[path]
        assert {key: part for key, part in now.items() if key != "metadata"} == {
            key: part for key, part in obj.items() if key != "metadata"
        }
        assert now["metadata"]["labels"]["rarus.lms/client"] == "C42"
    assert len(result["marked"]) == len(before)
    shown = "\n".join(lines) + json.dumps(result)
    assert not [secret for secret in ("Canary", "5f1c5f1c", base64.b64encode(KEY).decode()[:40]) if secret in shown]


def test_the_record_is_written_first_so_that_nobody_draws_new_values(cluster: FakeApi) -> None:
    adopt(cluster)
    writes = [path.rpartition("/")[2] for path in cluster.writes() if "/leases" not in path]
    assert writes[:3] == ["configmaps", "secrets", RSA]


def test_another_run_is_waited_for_or_stops_this_one(cluster: FakeApi) -> None:
    before = connect(cluster.params).now()
    cluster.add(Lease(C42, SPACE, "bert@desk 5f1c", acquired=before, renewed=before).to_object())
    lines: list[str] = []
    with pytest.raises(ConflictError, match="C42 is held by bert@desk since"):
        adopt(cluster, lines, lease_wait_seconds=0)
    assert cluster.writes() == []
    cluster.add(Lease(C42, SPACE).to_object())
    adopt(cluster, actor="anna@desk")
    record = Record.from_object(stored(cluster, "ConfigMap", RECORD), C42)
    assert (record.epoch, record.epoch_by) == (1, "anna@desk")
    lease = cluster.stored("Lease", RECORD, api_version="coordination.k8s.io/v1")
    assert lease is not None
    assert Lease.from_object(lease, C42).holder == ""


def test_an_organisation_that_is_adopted_is_known_by_its_index(cluster: FakeApi) -> None:
    adopt(cluster, organisation="Romashka")
    found = cluster.stored("ConfigMap", organisation_index_name("ROMASHKA"))
    assert found is not None
    assert found["data"]["client"] == "C42"


def test_a_second_run_writes_nothing_before_and_after_provisioning(cluster: FakeApi) -> None:
    adopt(cluster)
    cluster.requests.clear()
    assert adopt(cluster)["changed"] is False
    found = stored(cluster, "ConfigMap", CONFIG)
    found["data"] = {"LMS_CLIENT_ID": "C42"}
    lines: list[str] = []
    assert adopt(cluster, lines)["changed"] is False
    assert (cluster.writes(), lines) == ([], [])


@pytest.mark.parametrize("step", range(1, 9))
def test_what_was_killed_at_any_step_is_finished_by_the_next_run(cluster: FakeApi, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    exchange, writes = transport.Transport.exchange, itertools.count(1)

    def killed(self: transport.Transport, method: str, *words: t.Any, **more: t.Any) -> t.Any:
        if method != "GET" and next(writes) == step:
            raise KeyboardInterrupt
        return exchange(self, method, *words, **more)

    monkeypatch.setattr(transport.Transport, "exchange", killed)
    with pytest.raises(KeyboardInterrupt):
        adopt(cluster, organisation="Romashka")
    adopt(cluster, organisation="Romashka")
    assert value(cluster, "postgres-password") == "CanaryPostgres1"
    assert stored(cluster, "ConfigMap", organisation_index_name("Romashka"))["data"]["client"] == "C42"
    assert adopt(cluster)["changed"] is False


def test_check_mode_tells_what_would_be_taken_and_changed_and_writes_nothing(cluster: FakeApi) -> None:
    lines: list[str] = []
    result = adopt(cluster, lines, check_mode=True, addresses={"postgres": "other.example:5432", "clickhouse": "ch.example:9000"})
    assert cluster.writes() == []
    assert lines[0] == "C42 would be adopted in lms-dev"
    assert [sentence.partition(":")[0] for sentence in result["differences"]] == ["PostgreSQL is at db.example"]
    later = {entry["object"]: entry for entry in result["later"]}
    assert later[f"ConfigMap {SPACE}/{CONFIG}"]["removes"] == ["data.LMS_KEYS_SECRET_SEED"]
    assert "take_over" in "".join(lines)
    assert not [line for line in lines if len(line) > 100 or "Canary" in line]


def test_objects_of_other_names_are_taken_from_and_left(cluster: FakeApi) -> None:
    for kind, name in (("ConfigMap", CONFIG), ("Secret", RSA)):
        cluster.remove(kind, name)
    old = bare(next(request for request in REQUESTS if request["object"]["kind"] == "Deployment"))
    cluster.remove("Deployment", old["metadata"]["name"], api_version="apps/v1")
    old["metadata"]["name"] = "old"
    cluster.add(config("old"), rsa("old", entry="key.pem"), old)
    result = adopt(cluster, config_map="old", rsa_secret="old", rsa_key="key.pem", deployment="old")
    assert result["created"] == [f"Secret {SPACE}/{CREDENTIALS}", f"Secret {SPACE}/{RSA}"]
    assert base64.b64decode(stored(cluster, "Secret", RSA)["data"]["rsa_key"]) == KEY
    assert [sentence.partition(" stays")[0] for sentence in result["left"]] == [f"Secret {SPACE}/old", f"Deployment {SPACE}/old"]
    assert "labels" not in stored(cluster, "Secret", "old")["metadata"]
    assert {entry["object"] for entry in result["later"] if entry["created"]} >= {f"ConfigMap {SPACE}/{CONFIG}"}
    again = adopt(cluster, config_map="old", rsa_secret="old", rsa_key="key.pem", deployment="old")
    assert again["changed"] is False


def test_a_deployment_with_another_selector_is_left_and_told_of(cluster: FakeApi) -> None:
    found = cluster.stored("Deployment", "lms-deployment-c42", api_version="apps/v1")
    assert found is not None
    found["spec"]["selector"] = {"matchLabels": {"app": "c42-lms"}}
    result = adopt(cluster)
    assert result["left"][0].startswith(f"Deployment {SPACE}/lms-deployment-c42 stays as it is: its selector is another one")
    assert f"Deployment {SPACE}/lms-deployment-c42" not in result["marked"]


def test_a_registered_client_is_adopted_too(cluster: FakeApi) -> None:
    cluster.add(Record(client=C42, catalogue="lms-dev", namespace=SPACE, registry_namespace=SPACE, organisation="Ромашка").to_object())
    adopt(cluster, organisation="another")
    record = stored(cluster, "ConfigMap", RECORD)["data"]
    assert (record["credentials"], record["organisation"]) == ("made", "Ромашка")


REFUSALS: list[tuple[dict[str, t.Any], str]] = [
    ({"client": "c42"}, "client: "),
    ({"config_map": "none"}, f"config_map: there is no ConfigMap {SPACE}/none, so C42 has no environment to adopt."),
    ({"rsa_secret": "none"}, f"rsa_secret: there is no Secret {SPACE}/none"),
    ({"rsa_key": "none"}, f"rsa_secret: key none of Secret {SPACE}/{RSA} is not PEM."),
    ({"deployment": "none"}, f"deployment: there is no Deployment {SPACE}/none"),
    ({"database_user": "dev_c42"}, f"ConfigMap {SPACE}/{CONFIG} cannot be taken over"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSALS)
def test_what_does_not_fit_is_refused_before_anything_is_written(cluster: FakeApi, changes: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        adopt(cluster, **changes)
    assert caught.value.message.startswith(words)
    assert cluster.writes() == []


def test_a_client_of_another_catalogue_is_refused(cluster: FakeApi) -> None:
    cluster.add(Record(client=C42, catalogue="lms-prod", namespace="lms-prod", registry_namespace=SPACE).to_object())
    with pytest.raises(InputError, match="belongs to catalogue lms-prod"):
        adopt(cluster)
    assert cluster.writes() == []


def test_other_values_and_other_owners_are_never_overwritten(cluster: FakeApi) -> None:
    adopt(cluster)
    cluster.requests.clear()
    stored(cluster, "ConfigMap", CONFIG)["data"]["LMS_KEYS_SECRET_SEED"] = "0" * 128
    with pytest.raises(ConflictError, match=f"Secret {SPACE}/{CREDENTIALS} exists and holds other values"):
        adopt(cluster)
    stored(cluster, "ConfigMap", CONFIG)["data"] |= VARIABLES
    stored(cluster, "Service", "lms-service-c42")["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    with pytest.raises(LmsError, match=f"Service {SPACE}/lms-service-c42 belongs to somebody else"):
        adopt(cluster)
    assert cluster.writes() == []


def test_two_keys_are_not_guessed_between(cluster: FakeApi) -> None:
    cluster.add(rsa("old", generate_rsa_key(2048)))
    with pytest.raises(ConflictError, match=f"Secret {SPACE}/{RSA} exists and holds another key than Secret {SPACE}/old"):
        adopt(cluster, rsa_secret="old")
    assert cluster.writes() == []


@pytest.mark.parametrize("path", [f"/configmaps/{RECORD}", f"/configmaps/{CONFIG}", f"/secrets/{RSA}", f"/secrets/{CREDENTIALS}"])
@pytest.mark.parametrize("status", [400, 401, 403, 503])
def test_a_doubtful_read_adopts_nothing(cluster: FakeApi, path: str, status: int) -> None:
    cluster.fail("GET", path, status, times=1000)
    with pytest.raises(UnknownStateError):
        adopt(cluster)
    assert cluster.writes() == []
