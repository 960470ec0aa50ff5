# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for environments, on an API that changes while it is looked at: when it ends, what it shows, what it reads."""

from __future__ import annotations

import base64
import copy
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._k8s import waiting
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_info import run
from support.diagnosis_cases import BASE, laid_over
from support.fake_api import FakeApi

Obj = dict[str, t.Any]
CRASHED: Obj = {
    "restartCount": 1,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-11-21T10:00:03Z"}},
}


def objects(base: Obj, number: int = 42, *, container: Obj | None = None) -> list[Obj]:
    """Return all objects of one client's environment, labelled as the collection does it."""
    parts = [copy.deepcopy(base[name]) for name in ("deployment", "replica_set", "pod", "slice", "ingress")]
    deployment, replica_set, pod, endpoints, _ingress = parts
    for obj in (deployment, replica_set, pod):
        obj["metadata"].setdefault("labels", {})["app"] = f"C{number}-lms"
    for obj in parts:
        obj["metadata"].setdefault("labels", {})["rarus.lms/client"] = f"C{number}"
        obj["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "rarus.lms"
        obj["metadata"]["name"] = obj["metadata"]["name"].replace("c42", f"c{number}")
        if "uid" in obj["metadata"]:
            obj["metadata"]["uid"] += f"-{number}"
        for owner in obj["metadata"].get("ownerReferences", []):
            owner["uid"] += f"-{number}"
    endpoints["metadata"]["labels"]["kubernetes.io/service-name"] = f"lms-service-c{number}"
    status = container or base["container"]
    pod["status"]["containerStatuses"] = [status]
    return parts


READY = objects(laid_over(BASE, BASE["ready"]))
SUPPORT: list[Obj] = [
    {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls", "namespace": "lms-dev"}},
]


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide an API with what an environment rests on, and waits that need no time."""
    fake_api.add(*SUPPORT)
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.001)
    return fake_api


def judge(api: FakeApi, *clients: str, **options: t.Any) -> tuple[Obj, list[str]]:
    """Run the operation; return its result and what was shown."""
    shown: list[str] = []
    params = {
        **api.params,
        "clients": list(clients or ["C42"]),
        "namespace": "lms-dev",
        "registry_namespace": "",
        "publish": "ingress",
        "public_dns": "backend.lms-dev.example",
        "wait": False,
        "wait_timeout": 2,
        "must_be_ready": True,
        "since": None,
        "changes": None,
        "redact_secrets": [],
        **options,
    }
    return run(params, Context(report=shown.append)), shown


def failure(api: FakeApi, **options: t.Any) -> LmsError:
    """Run a wait that has to fail, and return why."""
    with pytest.raises(LmsError) as caught:
        judge(api, wait=True, **options)
    return caught.value


def test_ready(api: FakeApi) -> None:
    api.add(*READY)
    result, shown = judge(api, wait=True)
    (told,) = result["environments"]
    assert (told["phase"], told["address"], told["findings"]) == ("ready", "https://backend.lms-dev.example/C42/", [])
    assert told["image"].startswith("registry.example/lms/backend:dev@sha256:1f2e90c4")
    assert shown[0].endswith(" s  1 of 1 ready")
    assert shown[1].startswith("C42 is ready after 0.")
    assert shown[2] == "             image registry.example/lms/backend:dev@sha256:1f2e90c4"
    assert result["changed"] is False
    assert api.writes() == []


def test_ready_and_nothing_changed(api: FakeApi) -> None:
    api.add(*READY)
    _result, shown = judge(api, wait=True, changes=0)
    assert shown[0].startswith("C42 is ready, nothing changed (")
    assert len(shown) == 1


def test_seconds_count_from_the_beginning_of_the_run(api: FakeApi) -> None:
    api.add(*READY)
    _result, shown = judge(api, wait=True, since=1.0)
    assert "ready after 1" in shown[1]
    assert float(shown[1].split("after ")[1].split(" s")[0]) > 1_000_000


def test_ready_reads_no_secrets_value_and_one_list_a_kind(api: FakeApi) -> None:
    api.add(*READY)
    judge(api, wait=True)
    assert sorted(path.rpartition("/")[2] for path in api.reads()) == sorted(
        ["deployments", "replicasets", "pods", "endpointslices", "ingresses", "nginx", "tls"]
    )
    secrets = [request for request in api.requests if "/secrets" in request.path]
    assert all("PartialObjectMetadata" in request.headers["Accept"] for request in secrets)


def test_calls_do_not_grow_with_clients(api: FakeApi) -> None:
    for number in range(1, 151):
        api.add(*objects(laid_over(BASE, BASE["ready"]), number))
    result, _shown = judge(api, *[f"C{number}" for number in range(1, 151)])
    assert {one["phase"] for one in result["environments"]} == {"ready"}
    assert result["calls"] == 7


def test_a_wait_ends_when_the_pod_becomes_ready(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*objects(BASE))
    looks = iter(range(100))

    def becomes_ready(_seconds: float) -> None:
        if next(looks) == 3:
            api.add(*READY)

    monkeypatch.setattr("time.sleep", becomes_ready)
    result, shown = judge(api, wait=True, wait_timeout=60)
    assert result["environments"][0]["phase"] == "ready"
    assert shown[0].split() == ["rollout", "0.0", "s", "pod", "6d9f-x2k1p:", "creating", "container"]
    assert shown[1].endswith("s  1 of 1 ready")
    assert len(shown) == 4


def test_a_crash_ends_the_wait_at_once_with_its_log(api: FakeApi) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], CRASHED)))
    api.answer("GET", "/log", body="the password is s3cret-value\nends now\n", times=5)
    api.add(_secret("lms-credentials-c42", password="s3cret-value"))
    error = failure(api, wait_timeout=60)
    finding = error.data["environments"][0]["findings"][0]
    assert (finding["cause"], finding["exit_code"]) == ("crash", 3)
    assert finding["log"] == ["the password is ***", "ends now"]
    assert error.message == "C42 in lms-dev is not ready: the container c42 ends with exit code 3."
    assert "s3cret-value" not in str(error.as_result())
    assert error.data["screen"][0].startswith("C42 in lms-dev FAILED after 0.")
    assert error.data["screen"][1:4] == [
        "  object   Pod lms-dev/lms-deployment-c42-6d9f-x2k1p, container c42, exit code 3",
        "  log      the password is ***",
        "           ends now",
    ]


def test_values_of_named_secrets_are_hidden_too(api: FakeApi) -> None:
    api.add(
        *objects(BASE, container=laid_over(BASE["container"], CRASHED)), _secret("postgres-admin", password="adm1n-value", user="postgres")
    )
    api.answer("GET", "/log", body="postgres has adm1n-value\n", times=5)
    error = failure(api, redact_secrets=["postgres-admin"])
    assert error.data["environments"][0]["findings"][0]["log"] == ["postgres has ***"]


def test_without_the_right_to_read_secrets_logs_are_cleaned_by_their_look(api: FakeApi) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], CRASHED)))
    api.answer("GET", "/log", body="postgres://c42:pass@db/c42 is away\n", times=5)
    api.fail("GET", "/secrets/lms-credentials-c42", 403, "Forbidden", times=50)
    told = failure(api).data["environments"][0]
    assert told["findings"][0]["log"] == ["postgres://c42:***@db/c42 is away"]
    assert any(sentence.startswith("values of Secrets") for sentence in told["not_seen"])


def test_a_log_that_cannot_be_read_does_not_hide_the_verdict(api: FakeApi) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], CRASHED)))
    api.fail("GET", "/log", 403, "Forbidden", times=50)
    told = failure(api).data["environments"][0]
    assert (told["findings"][0]["cause"], told["findings"][0]["log"]) == ("crash", [])
    assert any(sentence.startswith("logs: ") for sentence in told["not_seen"])


def test_what_may_heal_is_decided_at_the_deadline(api: FakeApi) -> None:
    pending = laid_over(BASE, {"pod": {"status": {"conditions": [_unscheduled("1 node(s) didn't match Pod's node affinity/selector")]}}})
    api.add(*objects(pending))
    api.fail("GET", "/nodes", 403, "Forbidden", times=500)
    shown: list[str] = []
    error = failure(api, wait_timeout=0)
    shown += error.data["screen"]
    told = error.data["environments"][0]
    assert (told["phase"], told["findings"][0]["cause"], told["findings"][0]["severity"]) == ("failed", "no_node_with_label", "fatal")
    assert told["not_seen"] == ["Node: this token may not read it"]
    assert "  unseen   Node: this token may not read it" in shown


def test_without_waiting_nothing_fails(api: FakeApi) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], CRASHED)))
    result, shown = judge(api)
    assert result["environments"][0]["phase"] == "failed"
    assert shown[0] == "C42 in lms-dev is failed: the container c42 ends with exit code 3"


def test_a_state_without_waiting(api: FakeApi) -> None:
    api.add(*READY)
    _result, shown = judge(api)
    assert shown == [
        "C42 in lms-dev is ready   https://backend.lms-dev.example/C42/",
        "  image    registry.example/lms/backend:dev@sha256:1f2e90c4",
        "  pods     lms-deployment-c42-6d9f-x2k1p: c42 running (ready)",
    ]


def test_absent_and_unknown_to_the_registry(api: FakeApi) -> None:
    result, shown = judge(api)
    assert result["environments"][0]["phase"] == "absent"
    assert shown == ["C42 in lms-dev is absent: there is no Deployment lms-deployment-c42; the client is not on the list"]


def test_absent_while_waiting_is_certain(api: FakeApi) -> None:
    assert "there is no Deployment lms-deployment-c42" in failure(api, wait_timeout=60).message


def test_one_bad_client_among_good_ones(api: FakeApi) -> None:
    api.add(*READY, *objects(BASE, 43, container=laid_over(BASE["container"], CRASHED)))
    with pytest.raises(LmsError) as caught:
        judge(api, "C42", "C43", wait=True)
    assert caught.value.message.startswith("1 of 2 clients are not ready. C43 in lms-dev is not ready: ")
    result, _shown = judge(api, "C42", "C43", wait=True, must_be_ready=False)
    assert [one["phase"] for one in result["environments"]] == ["ready", "failed"]


def test_a_missing_secret_is_proven_and_not_believed(api: FakeApi) -> None:
    """The kubelet's word may be old: somebody may have made the Secret meanwhile."""
    waiting_for = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "lms-credentials-c42" not found'}}}
    api.add(*objects(BASE, container=laid_over(BASE["container"], waiting_for)))
    assert failure(api, wait_timeout=60).data["environments"][0]["findings"][0]["cause"] == "reference_missing"
    api.add(_secret("lms-credentials-c42", password="x"), _secret("rsa-secret-c42", rsa_key="y"))
    api.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lms-config-c42", "namespace": "lms-dev"}})
    result, _shown = judge(api)
    assert result["environments"][0]["findings"][0]["cause"] == "reference_was_missing"


def test_endpoints_that_may_not_be_read_do_not_stop_the_verdict(api: FakeApi) -> None:
    api.add(*READY)
    api.fail("GET", "/endpointslices", 403, "Forbidden", times=9)
    (told,) = judge(api, wait=True)[0]["environments"]
    assert (told["phase"], told["not_seen"]) == ("ready", ["EndpointSlice: this token may not read it"])


@pytest.mark.parametrize("status", [401, 403])
def test_a_doubtful_read_is_no_state(api: FakeApi, status: int) -> None:
    api.add(*READY)
    api.fail("GET", "/deployments", status, "Forbidden" if status == 403 else "Unauthorized", times=9)
    with pytest.raises(UnknownStateError):
        judge(api)


def test_malformed_ids_are_refused_with_their_sentence(api: FakeApi) -> None:
    with pytest.raises(InputError, match='client: "c42" is not a client id'):
        judge(api, "c42")
    assert api.requests == []


def test_no_clients_cost_nothing(api: FakeApi) -> None:
    result, shown = judge(api, clients=[])
    assert (result["environments"], shown, api.requests) == ([], [], [])


def _secret(name: str, **values: str) -> Obj:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "lms-dev"}, "data": data}


def _unscheduled(message: str) -> Obj:
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
