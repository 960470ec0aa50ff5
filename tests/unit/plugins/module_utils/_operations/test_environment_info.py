# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for environments, on an API that changes while it is looked at: when it ends, what it shows, what it reads."""

from __future__ import annotations

import base64
import copy
import json
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import PublicAnswer
from ansible_collections.rarus.lms.plugins.module_utils._domain.lease import Lease
from ansible_collections.rarus.lms.plugins.module_utils._k8s import observation, waiting
from ansible_collections.rarus.lms.plugins.module_utils._operations import environment_info
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
        "read_records": True,
        "catalogue": "",
        "client_settings": {},
        "probe": "none",
        "probe_status": 200,
        "probe_ca_file": "",
        "probe_image": "",
        "image_check": "none",
        "image_ca_file": "",
        "overview": False,
        "report": "",
        "publish": "ingress",
        "public_dns": "backend.lms-dev.example",
        "wait": False,
        "wait_timeout": 2,
        "must_be_ready": True,
        "since": None,
        "restart_stuck": False,
        "changes": None,
        "redact_secrets": [],
        **options,
    }
    return run(params, Context(report=shown.append, check_mode=bool(options.get("check_mode")))), shown


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
        ["lms-client-c42", "deployments", "replicasets", "pods", "endpointslices", "ingresses", "ingresses", "nginx", "tls"]
    )
    secrets = [request for request in api.requests if "/secrets" in request.path]
    assert all("PartialObjectMetadata" in request.headers["Accept"] for request in secrets)


def test_calls_do_not_grow_with_clients(api: FakeApi) -> None:
    for number in range(1, 151):
        api.add(*objects(laid_over(BASE, BASE["ready"]), number))
    result, _shown = judge(api, *[f"C{number}" for number in range(1, 151)])
    assert {one["phase"] for one in result["environments"]} == {"ready"}
    assert result["calls"] == 9


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


def test_a_readiness_that_is_taken_back_at_once_does_not_end_the_wait(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*objects(BASE))
    states = iter([READY, objects(BASE), objects(BASE), READY])
    looks = 0

    def changes(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        api.add(*next(states, []))

    monkeypatch.setattr("time.sleep", changes)
    result, _shown = judge(api, wait=True, wait_timeout=60)
    assert (result["environments"][0]["phase"], looks) == ("ready", 5)


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


@pytest.mark.parametrize(
    "words",
    [
        "unable to retrieve container logs for containerd://f00",
        'failed to try resolving symlinks in path "/x/1.log": lstat /x/1.log: no such file',
    ],
)
def test_the_kubelets_word_that_there_is_no_log_is_none(api: FakeApi, words: str) -> None:
    ended = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "ends now\n"}}}
    api.add(*objects(BASE, container=laid_over(BASE["container"], laid_over(CRASHED, ended))))
    api.answer("GET", "/log", body=words, times=50)
    assert failure(api).data["environments"][0]["findings"][0]["log"] == ["ends now"]


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


def test_nodes_that_may_not_be_read_are_told_of_those_alone_who_wait_for_one(api: FakeApi) -> None:
    unscheduled = {"pod": {"status": {"conditions": [_unscheduled("1 node(s) didn't match Pod's node affinity/selector")]}}}
    api.add(*objects(laid_over(BASE, unscheduled)), *objects(BASE, 43, container=laid_over(BASE["container"], CRASHED)))
    api.fail("GET", "/nodes", 403, "Forbidden", times=500)
    told = judge(api, "C42", "C43")[0]["environments"]
    assert [one["not_seen"] for one in told] == [["Node: this token may not read it"], []]


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
    assert failure(api, wait_timeout=60).data["environments"][0]["findings"][0]["cause"] == "credentials_missing"
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


def record(number: int, **data: str) -> Obj:
    """Return a client's record."""
    ours = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": f"C{number}", "rarus.lms/record": "client"}
    metadata = {"name": f"lms-client-c{number}", "namespace": "lms-dev", "labels": {**ours, "rarus.lms/catalogue": "lms-dev"}}
    facts = {"schema": "2", "client": f"C{number}", "catalogue": "lms-dev", "namespace": "lms-dev", **data}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": facts}


def test_a_client_s_own_settings_say_how_it_is_published(api: FakeApi) -> None:
    api.add(*READY, record(42, settings='{"publish": "none", "public_dns": ""}'))
    assert judge(api)[0]["environments"][0]["address"] == ""
    told = judge(api, client_settings={"C42": {"public_dns": "own.example"}}, read_records=False)[0]["environments"][0]
    assert told["address"] == "https://own.example/C42/"


def test_all_clients_of_a_catalogue_in_one_table(api: FakeApi, tmp_path: Path) -> None:
    api.add(*READY, *objects(BASE, 43, container=laid_over(BASE["container"], CRASHED)), record(42, organisation="One"), record(43))
    api.add(record(44, phase="retired", phase_since="2026-11-20T10:00:00Z"), record(45))
    result, shown = judge(api, clients=[], catalogue="lms-dev", overview=True, report=str(tmp_path / "r.json"))
    assert [one["phase"] for one in result["environments"]] == ["ready", "failed", "retired", "absent"]
    assert shown[0].startswith("lms-dev: 4 clients: 1 failed, 1 absent, 1 ready, 1 retired (")
    assert [line.split()[0] for line in shown[1:]] == ["C43", "C45", "C42", "C44"]
    assert not [path for path in api.reads() if path.endswith("/log") or "/secrets/lms-" in path]
    assert json.loads((tmp_path / "r.json").read_text())["environments"] == result["environments"]


def test_an_overview_of_the_broken_costs_no_more_calls_with_more_of_them(api: FakeApi) -> None:
    calls = []
    for first, last in ((1, 12), (13, 140)):
        for number in range(first, last + 1):
            api.add(*objects(BASE, number, container=laid_over(BASE["container"], CRASHED)), record(number))
        calls.append(judge(api, clients=[], catalogue="lms-dev", overview=True)[0]["calls"])
    assert calls[0] == calls[1]


def test_a_damaged_record_leaves_the_others_their_verdict(api: FakeApi) -> None:
    api.add(*READY, record(42), record(43, schema="none"))
    with pytest.raises(
        UnknownStateError, match="C43 in lms-dev could not be judged: ConfigMap lms-dev/lms-client-c43 is damaged"
    ) as caught:
        judge(api, clients=[], catalogue="lms-dev", overview=True)
    assert [one["phase"] for one in caught.value.data["environments"]] == ["ready", "unknown"]


def test_a_failed_one_weighs_more_than_an_unknown_one(api: FakeApi) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], CRASHED)), record(42), record(43, schema="none"))
    result, _shown = judge(api, clients=[], catalogue="lms-dev", overview=True)
    assert [one["phase"] for one in result["environments"]] == ["failed", "unknown"]


def test_an_api_that_is_away_leaves_a_report_too(api: FakeApi, tmp_path: Path) -> None:
    api.fail("GET", "/namespaces", 500, "InternalError", times=99)
    with pytest.raises(UnknownStateError):
        judge(api, report=str(tmp_path / "r.xml"))
    assert 'errors="1"' in (tmp_path / "r.xml").read_text()


def test_an_overview_lists_each_kind_once_routes_of_others_included(api: FakeApi) -> None:
    rules = [{"host": "backend.lms-dev.example", "http": {"paths": [{"path": "/C43"}]}}]
    for number in (42, 43, 44):
        parts = objects(laid_over(BASE, BASE["ready"]), number)
        parts[-1]["spec"]["rules"] = [{"host": "backend.lms-dev.example", "http": {"paths": [{"path": f"/C{number}(/|$)(.*)"}]}}]
        api.add(*parts)
    foreign = {"name": "older", "namespace": "lms-dev", "creationTimestamp": "2020-01-01T00:00:00Z"}
    spec = {"ingressClassName": "nginx", "rules": rules}
    api.add({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": foreign, "spec": spec})
    result, _shown = judge(api, "C42", "C43", "C44", overview=True)
    assert [[finding["cause"] for finding in one["findings"]] for one in result["environments"]] == [[], ["path_taken"], []]
    assert [path for path in api.reads() if path.endswith("/ingresses")] == ["/apis/networking.k8s.io/v1/namespaces/lms-dev/ingresses"]


def test_an_overview_is_not_waited_for(api: FakeApi) -> None:
    with pytest.raises(InputError, match="overview: "):
        judge(api, overview=True, wait=True)


@pytest.mark.parametrize("reasons", [["NotFound", "NotFound", "Served"], ["Served"]])
def test_a_wait_ends_when_the_public_path_answers(api: FakeApi, monkeypatch: pytest.MonkeyPatch, reasons: list[str]) -> None:
    api.add(*READY)
    answers = iter(reasons)
    monkeypatch.setattr(observation, "ask", lambda address, **_options: PublicAnswer(address, next(answers)))
    result, shown = judge(api, wait=True, probe="controller", wait_timeout=30)
    assert result["environments"][0]["phase"] == "ready"
    assert ("Ingress lms-dev/client-lms-ingress-c42: https://" in "\n".join(shown)) == ("NotFound" in reasons)


def test_a_tag_that_has_moved_on_is_a_note(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*READY)
    asked: list[str] = []

    def newer(_api: t.Any, found: Obj, *, ca_file: str) -> Obj:
        asked.append(ca_file)
        return {client: replace(seen, newer_image=f"registry.example/lms/backend:dev@sha256:{'9' * 64}") for client, seen in found.items()}

    monkeypatch.setattr(environment_info, "with_newer_images", newer)
    result, shown = judge(api, image_check="controller", image_ca_file="ca.pem")
    assert [one["cause"] for one in result["environments"][0]["findings"]] == ["image_newer"]
    assert result["environments"][0]["phase"] == "ready"
    assert "  note     registry.example/lms/backend:dev is another image by now (sha256:99999999) than the one" in shown
    judge(api)
    judge(api, image_check="controller", wait=True)
    judge(api, image_check="controller", overview=True)
    assert asked == ["ca.pem"], "neither by default, nor by a wait or a table"


def test_paths_are_asked_together_by_one_job(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*READY, *objects(laid_over(BASE, BASE["ready"]), 43))
    asked: list[t.Any] = []

    def ask(_api: t.Any, _namespace: str, image: str, questions: Obj, _pod: Obj, _explain: t.Any) -> Obj:
        asked.append((image, [one.address for one in questions.values()]))
        return {client: PublicAnswer(one.address, "Served") for client, one in questions.items()}

    monkeypatch.setattr(observation, "ask_by_job", ask)
    job = {"probe": "job", "probe_image": "registry.example/tools/curl:7"}
    result, _shown = judge(api, "C42", "C43", wait=True, **job)
    assert [one["phase"] for one in result["environments"]] == ["ready", "ready"]
    addresses = ["https://backend.lms-dev.example/C42/", "https://backend.lms-dev.example/C43/"]
    assert asked == [("registry.example/tools/curl:7", addresses)]
    judge(api, check_mode=True, **job)
    judge(api, overview=True, **job)
    assert len(asked) == 1, "neither in check mode nor for a table"


def test_a_public_path_that_stays_wrong_fails(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*READY)
    monkeypatch.setattr(observation, "ask", lambda address, **_options: PublicAnswer(address, "CertificateExpired"))
    monkeypatch.setattr(environment_info, "SETTLE_SECONDS", 0.01)
    error = failure(api, probe="controller", wait_timeout=30)
    assert error.data["environments"][0]["findings"][0]["cause"] == "certificate_expired"
    assert error.data["environments"][0]["seconds"] < 30


LEASE: Obj = {"token": "5f1c", "clients": ["C42", "C43"], "registry_namespace": "lms-dev", "duration": 20, "actor": "anna@desk"}


def test_a_wait_keeps_the_leases_of_its_run(api: FakeApi) -> None:
    """Those of all clients that the run has taken: others wait meanwhile, and it stops where one has not."""
    clients = [ClientId.parse(client) for client in LEASE["clients"]]
    api.add(*READY, *(Lease(client, "lms-dev", "anna@desk 5f1c").to_object() for client in clients))
    judge(api, lease=LEASE)
    assert api.writes() == []
    judge(api, wait=True, lease=LEASE)
    leases = "PUT /apis/coordination.k8s.io/v1/namespaces/lms-dev/leases"
    assert api.writes() == [f"{leases}/lms-client-c42", f"{leases}/lms-client-c43"]
    api.add(Lease(clients[1], "lms-dev", "bert@desk 77aa").to_object())
    with pytest.raises(ConflictError, match="C43 was taken over by bert@desk"):
        judge(api, wait=True, lease=LEASE)


OLD_CRASH = objects(BASE, container=laid_over(BASE["container"], CRASHED))


def made_anew(api: FakeApi, monkeypatch: pytest.MonkeyPatch, *then: Obj) -> list[Obj]:
    """Have the controllers follow a restart: once the Deployment was written, these objects are there; return what was written."""
    written: list[Obj] = []

    def follows(_seconds: float) -> None:
        puts = [request.body for request in api.requests if request.method == "PUT"]
        if puts and not written:
            written.extend(puts)
            api.add(*then)

    monkeypatch.setattr("time.sleep", follows)
    return written


def test_what_had_failed_before_the_run_is_tried_again_by_a_restart(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*OLD_CRASH)
    written = made_anew(api, monkeypatch, *READY)
    result, shown = judge(api, wait=True, since=time.time(), restart_stuck=True, changes=0, wait_timeout=60)
    assert (result["environments"][0]["phase"], result["changed"]) == ("ready", True)
    template = written[0]["spec"]["template"]
    assert list(template["metadata"]["annotations"]) == ["kubectl.kubernetes.io/restartedAt"]
    assert [line.split(" s ")[1].strip() for line in shown[:2]] == [
        "pod 6d9f-x2k1p: the container c42 ends with exit code 3",
        "that was so before this run: the pods are made anew",
    ]
    assert shown[-3].endswith(" s  1 of 1 ready")
    assert shown[-2].startswith("C42 is ready after 0."), "and not that nothing changed"
    assert len(api.writes()) == 1


def test_what_fails_anew_after_the_restart_ends_the_wait(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*OLD_CRASH)
    again = copy.deepcopy(OLD_CRASH)
    again[2]["metadata"]["creationTimestamp"] = "2099-01-01T00:00:00Z"
    made_anew(api, monkeypatch, *again)
    error = failure(api, since=time.time(), restart_stuck=True, wait_timeout=60)
    assert error.data["environments"][0]["findings"][0]["cause"] == "crash"
    assert error.data["environments"][0]["seconds"] < 60
    assert len(api.writes()) == 1


def test_without_the_right_to_restart_the_next_try_is_waited_for(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*OLD_CRASH)
    api.fail("PUT", "/deployments/", 403, "Forbidden", times=9)
    looks = iter(range(100))
    monkeypatch.setattr("time.sleep", lambda _seconds: api.add(*READY) if next(looks) == 3 else None)
    result, shown = judge(api, wait=True, since=time.time(), restart_stuck=True, wait_timeout=60)
    assert (result["environments"][0]["phase"], result["changed"]) == ("ready", False)
    assert shown[1].endswith("that was so before this run; this token may not have the pods made anew, so...")
    assert len(api.writes()) == 1


def test_nothing_is_restarted_that_failed_in_this_run_or_without_being_asked(api: FakeApi) -> None:
    api.add(*OLD_CRASH)
    assert failure(api, since=1.0, restart_stuck=True).data["environments"][0]["phase"] == "failed"
    judge(api, since=time.time(), restart_stuck=True)
    failure(api, since=time.time(), wait_timeout=0)
    assert api.writes() == []


def test_a_wait_outlives_an_api_that_is_away_for_a_while(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*objects(BASE))
    looks = iter(range(100))

    def goes_on(_seconds: float) -> None:
        number = next(looks)
        if number == 0:
            api.fail("GET", "/pods", 429, "TooManyRequests", headers={"Retry-After": "60"}, times=2)
        if number == 4:
            api.add(*READY)

    monkeypatch.setattr("time.sleep", goes_on)
    result, shown = judge(api, wait=True, wait_timeout=60)
    assert result["environments"][0]["phase"] == "ready"
    assert [line for line in shown if "the API answers 429, still trying" in line] == [shown[1]], "and once only"


@pytest.mark.parametrize("status", [401, 403])
def test_a_wait_ends_where_the_api_refuses(api: FakeApi, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    api.add(*objects(BASE))
    refused = {401: "Unauthorized", 403: "Forbidden"}[status]
    monkeypatch.setattr("time.sleep", lambda _seconds: api.fail("GET", "/pods", status, refused, times=99))
    with pytest.raises(UnknownStateError):
        judge(api, wait=True, wait_timeout=60)


def test_an_api_that_is_away_at_the_first_look_ends_the_wait(api: FakeApi) -> None:
    api.fail("GET", "/pods", 429, "TooManyRequests", headers={"Retry-After": "60"})
    with pytest.raises(UnknownStateError):
        judge(api, wait=True, wait_timeout=60)


def test_values_of_every_secret_that_the_pods_refer_to_are_hidden(api: FakeApi) -> None:
    parts = objects(BASE, container=laid_over(BASE["container"], CRASHED))
    container = parts[2]["spec"]["containers"][0]
    container["env"].append({"name": "SMS", "valueFrom": {"secretKeyRef": {"name": "own-sms4b", "key": "token", "optional": True}}})
    login = json.dumps({"auths": {"registry.example": {"username": "puller", "password": "pull-value"}}})
    api.add(*parts, _secret("own-sms4b", token="sms-value"), _secret("repository-token", **{".dockerconfigjson": login}))
    api.add(_secret("tls", **{"tls.key": "key-value"}))
    api.answer("GET", "/log", body="puller knows sms-value, pull-value and key-value\n", times=5)
    assert failure(api).data["environments"][0]["findings"][0]["log"] == ["puller knows ***, *** and ***"]


def test_a_deployment_that_is_gone_is_a_failure(api: FakeApi) -> None:
    api.add(record(42, objects='{"apps/Deployment/lms-deployment-c42": "0123456789abcdef"}'), record(43))
    told = judge(api, clients=[], catalogue="lms-dev", overview=True)[0]["environments"]
    assert [one["phase"] for one in told] == ["failed", "absent"]
    _result, shown = judge(api)
    assert shown[0] == "C42 in lms-dev is failed: Deployment lms-deployment-c42 is gone, though the client's record says"
    assert "  next     ansible-playbook provision_client.yml -e client=C42" in shown


@pytest.mark.parametrize(
    ("namespace_goes", "readable", "cause", "not_seen"),
    [
        (True, True, "namespace_terminating", []),
        (False, True, "being_deleted", []),
        (True, False, "being_deleted", ["Namespace: this token may not read it"]),
    ],
)
def test_why_a_deployment_goes(api: FakeApi, namespace_goes: bool, readable: bool, cause: str, not_seen: list[str]) -> None:
    goes = {"deletionTimestamp": "2026-11-21T10:05:00Z", "finalizers": ["foregroundDeletion"]}
    deployment, *others = copy.deepcopy(READY)
    deployment["metadata"] |= goes
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lms-dev", **(goes if namespace_goes else {})}}
    api.add(deployment, *others, namespace)
    if not readable:
        api.fail("GET", "/namespaces/lms-dev$", 403, "Forbidden", times=9)
    (told,) = judge(api)[0]["environments"]
    assert ([one["cause"] for one in told["findings"]], told["not_seen"]) == ([cause], not_seen)


def test_the_next_step_of_a_note_is_shown(api: FakeApi) -> None:
    restarted = {"restartCount": 2, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    ready = laid_over(BASE, BASE["ready"])
    api.add(*objects(ready, container=laid_over(ready["container"], restarted)))
    _result, shown = judge(api)
    assert "  next     `ansible-playbook logs_client.yml -e client=C42 -e previous=true` shows how it ended" in shown


def test_a_secret_that_is_made_during_the_wait_is_hidden_too(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(*objects(BASE, container=laid_over(BASE["container"], {**CRASHED, "restartCount": 0})))
    api.answer("GET", "/log", body="the seed is made-value\n", times=9)
    looks = iter(range(100))

    def made(_seconds: float) -> None:
        if next(looks) == 1:
            api.add(_secret("lms-credentials-c42", seed="made-value"), *objects(BASE, container=laid_over(BASE["container"], CRASHED)))

    monkeypatch.setattr("time.sleep", made)
    assert failure(api, wait_timeout=60).data["environments"][0]["findings"][0]["log"] == ["the seed is ***"]
