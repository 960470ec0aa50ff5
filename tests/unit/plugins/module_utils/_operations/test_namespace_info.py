# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: one list of all that lacks, few questions, and no value of a secret in what it returns."""

from __future__ import annotations

import base64
import datetime as dt
import re
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, REGISTRY_RULES, role_rules
from ansible_collections.rarus.lms.plugins.module_utils._domain.prerequisites import Findings
from ansible_collections.rarus.lms.plugins.module_utils._k8s.faults import Answer, ApiError
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from ansible_collections.rarus.lms.plugins.module_utils._operations import namespace_info
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
Object = dict[str, t.Any]
LABELS = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42"}


class Cluster:
    """An API that answers from dictionaries, and counts what it is asked."""

    def __init__(self, *objects: Object) -> None:
        self.objects = {Ref.of(obj): obj for obj in objects}
        self.rules: dict[str, Object] = {
            "lms-dev": {"resourceRules": role_rules(NAMESPACE_RULES)},
            "lms-registry": {"resourceRules": role_rules(REGISTRY_RULES)},
        }
        self.allowed: set[str] = set()
        self.refused: dict[str, int] = {}
        self.asked: list[str] = []

    @property
    def calls(self) -> int:
        return len(self.asked)

    def version(self) -> Object:
        self.asked.append("version")
        return {"gitVersion": "v1.36.3"}

    def get(self, ref: Ref, *, metadata_only: bool = False) -> Object | None:
        self.asked.append(f"get {ref}{' metadata' if metadata_only else ''}")
        self._refuse(ref.kind)
        return self.objects.get(ref)

    def list(self, api_version: str, kind: str, namespace: str = "", **_options: t.Any) -> list[Object]:
        self.asked.append(f"list {kind}")
        self._refuse(kind)
        return [obj for ref, obj in self.objects.items() if (ref.api_version, ref.kind, ref.namespace) == (api_version, kind, namespace)]

    def request(self, method: str, path: str, *, body: Object) -> Answer:
        kind, spec = body["kind"], body["spec"]
        assert (method, path) == ("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s")
        self.asked.append(kind)
        self._refuse(kind)
        if kind == "SelfSubjectRulesReview":
            return Answer(201, {}, {"status": self.rules[spec["namespace"]]})
        asked = spec["resourceAttributes"]
        name = f"{asked['verb']} {asked['resource']}/{asked['subresource']}".rstrip("/")
        return Answer(201, {}, {"status": {"allowed": name in self.allowed}})

    def _refuse(self, kind: str) -> None:
        if kind in self.refused:
            raise ApiError(f"no {kind}", status=self.refused[kind])


def obj(api_version: str, kind: str, name: str, namespace: str = "lms-dev", **more: t.Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}


def request(made: Object, client: str = "C42") -> Object:
    return {"client": client, "stage": "environment", "object": made}


def pem_of(key: t.Any, encryption: t.Any = None) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


GOOD_KEY = pem_of(rsa.generate_private_key(65537, 2048))
ENVIRONMENT = [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token"}}}]
PODS = {
    "containers": [{"image": "registry.example/lms", "env": ENVIRONMENT}],
    "volumes": [{"persistentVolumeClaim": {"claimName": "lms-static"}}],
}
DEPLOYMENT = obj("apps/v1", "Deployment", "lms-deployment-c42", spec={"template": {"spec": PODS}})
INGRESS_RULES = [{"host": "h.example", "http": {"paths": [{"path": "/C42(/|$)(.*)"}]}}]
INGRESS = obj("networking.k8s.io/v1", "Ingress", "client-lms-ingress-c42", spec={"ingressClassName": "nginx", "rules": INGRESS_RULES})
CONFIG = obj("v1", "ConfigMap", "lms-config-c42")
ROUTE = obj("gateway.networking.k8s.io/v1", "HTTPRoute", "r", spec={"parentRefs": [{"name": "public", "namespace": "gateway"}]})
POLICY = obj("networking.k8s.io/v1", "NetworkPolicy", "p")

NAMESPACE = obj("v1", "Namespace", "lms-dev", "")
SECRET = obj("v1", "Secret", "sms4b", data={"token": "Y2FuYXJ5"})
CLAIM = obj("v1", "PersistentVolumeClaim", "lms-static", spec={"accessModes": ["ReadWriteMany"]}, status={"phase": "Bound"})
CLASS = obj("networking.k8s.io/v1", "IngressClass", "nginx", "")
PREPARED = (NAMESPACE, SECRET, CLAIM, CLASS)


def options(*made: Object, registry: str = "", secrets: t.Sequence[Object] = ()) -> Object:
    return {
        "namespace": "lms-dev",
        "registry_namespace": registry,
        "requests": [request(one) for one in made],
        "secrets": list(secrets),
        "clients": [],
        "settings": {},
        "rsa_key": "",
        "rsa_key_file": "",
        "new_key": False,
        "since": 0.0,
    }


def surveyed(cluster: Cluster, params: Object) -> tuple[Findings, Object]:
    found = Findings()
    facts = namespace_info.survey(t.cast("t.Any", cluster), params, found, now=NOW)
    return found, facts


def messages(found: Findings) -> list[str]:
    return [one.message for one in found.problems]


def test_a_prepared_namespace_takes_few_questions() -> None:
    cluster = Cluster(*PREPARED)
    found, facts = surveyed(cluster, options(CONFIG, DEPLOYMENT, INGRESS))
    assert messages(found) == []
    assert found.warnings == []
    assert facts["server_version"] == "v1.36.3"
    assert sorted(cluster.asked) == [
        "SelfSubjectRulesReview",
        "get IngressClass nginx metadata",
        "get Namespace lms-dev metadata",
        "get PersistentVolumeClaim lms-dev/lms-static",
        "get Secret lms-dev/sms4b",
        "list Ingress",
        "version",
    ]


def test_nothing_prepared_is_one_list() -> None:
    cluster = Cluster()
    cluster.rules["lms-dev"] = {"resourceRules": []}
    found, _facts = surveyed(cluster, options(DEPLOYMENT, INGRESS))
    assert [one.kind for one in found.problems] == ["rights", "namespace", "secret", "claim", "publish"]
    assert "create/patch/delete jobs.batch" in found.problems[0].message.replace("get/list/", "")
    assert "get pods/log" in found.problems[0].message
    assert cluster.asked.count("SelfSubjectAccessReview") == 0


def test_an_incomplete_review_is_followed_by_one_review_for_each_gap() -> None:
    cluster = Cluster(*PREPARED)
    rules = [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != ["pods/log"] and rule["resources"] != ["services"]]
    cluster.rules["lms-dev"] = {"resourceRules": rules, "incomplete": True}
    cluster.allowed = {"get pods/log", "get services", "list services"}
    found, _facts = surveyed(cluster, options())
    assert messages(found) == ["missing in lms-dev: create/update/patch/delete services"]
    assert cluster.asked.count("SelfSubjectAccessReview") == 7


def test_rights_for_better_answers_are_only_a_warning() -> None:
    cluster = Cluster(*PREPARED)
    cluster.rules["lms-dev"] = {"resourceRules": [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != ["events"]]}
    found, _facts = surveyed(cluster, options())
    assert messages(found) == []
    assert [one.message for one in found.warnings] == ["missing in lms-dev, for better answers only: get/list events"]


PUBLISHING: list[tuple[str, Object, str]] = [
    ("ingresses", INGRESS, "get/list/create/update/patch/delete ingresses.networking.k8s.io"),
    ("httproutes", ROUTE, "get/list/create/update/patch/delete httproutes.gateway.networking.k8s.io"),
    ("networkpolicies", POLICY, "get/list/create/patch networkpolicies.networking.k8s.io"),
]


@pytest.mark.parametrize(("resource", "made", "expected"), PUBLISHING, ids=[case[0] for case in PUBLISHING])
def test_rights_follow_from_the_requests(resource: str, made: Object, expected: str) -> None:
    cluster = Cluster(*PREPARED, obj("gateway.networking.k8s.io/v1", "Gateway", "public", "gateway"))
    cluster.rules["lms-dev"] = {"resourceRules": [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != [resource]]}
    assert messages(surveyed(cluster, options())[0]) == []
    assert messages(surveyed(cluster, options(made))[0]) == [f"missing in lms-dev: {expected}"]


def test_the_registrys_namespace_is_reviewed_where_it_is_another() -> None:
    cluster = Cluster(*PREPARED)
    assert messages(surveyed(cluster, options(registry="lms-registry"))[0]) == []
    cluster.rules["lms-registry"] = {"resourceRules": []}
    found, _facts = surveyed(cluster, options(registry="lms-registry"))
    assert messages(found) == [
        "missing in lms-registry: get/list/create/update/patch configmaps, get/create/update leases.coordination.k8s.io"
    ]
    assert surveyed(Cluster(*PREPARED), options(registry="lms-dev"))[1]["calls"] == 3


def test_a_kind_that_nobody_knows_is_not_seen() -> None:
    found, _facts = surveyed(Cluster(*PREPARED), options(obj("traefik.io/v1alpha1", "Middleware", "m")))
    assert "the rights on Middleware (traefik.io/v1alpha1): they show when it is applied" in found.not_seen


@pytest.mark.parametrize("kind", ["Namespace", "Secret", "PersistentVolumeClaim", "IngressClass"])
def test_what_the_token_may_not_read_is_said_and_is_no_problem(kind: str) -> None:
    cluster = Cluster(*PREPARED)
    cluster.refused = {kind: 403}
    found, _facts = surveyed(cluster, options(DEPLOYMENT, INGRESS))
    assert messages(found) == []
    assert [line for line in found.not_seen if line.startswith(kind) and line.endswith("the token may not read it")]


@pytest.mark.parametrize("kind", ["SelfSubjectRulesReview", "Namespace", "Secret", "Ingress"])
def test_a_doubtful_read_ends_the_preflight(kind: str) -> None:
    cluster = Cluster(*PREPARED)
    cluster.refused = {kind: 503}
    with pytest.raises(ApiError, match=f"no {kind}"):
        surveyed(cluster, options(DEPLOYMENT, INGRESS))


def test_a_cluster_without_the_gateway_api_is_told() -> None:
    cluster = Cluster(*PREPARED, obj("gateway.networking.k8s.io/v1", "Gateway", "public", "gateway"))
    cluster.refused = {"HTTPRoute": 404}
    found, _facts = surveyed(cluster, options(ROUTE))
    assert messages(found) == ["this cluster does not serve HTTPRoute (gateway.networking.k8s.io/v1)"]


def test_a_path_of_another_client_is_found() -> None:
    taken = obj("networking.k8s.io/v1", "Ingress", "theirs", spec={"rules": INGRESS_RULES})
    taken["metadata"]["labels"] = {**LABELS, "rarus.lms/client": "C7"}
    own = {**INGRESS, "metadata": {**INGRESS["metadata"], "labels": LABELS}}
    found, _facts = surveyed(Cluster(*PREPARED, taken, own), options(INGRESS))
    assert messages(found) == ["/C42/ on h.example is taken by Ingress lms-dev/theirs of client C7"]


def test_further_secrets_are_looked_for() -> None:
    found, _facts = surveyed(Cluster(*PREPARED), options(secrets=[{"name": "own-key", "keys": ["rsa_key"], "purpose": "a key"}]))
    assert messages(found) == ["own-key is missing"]


def bringing(*clients: str, **changes: t.Any) -> Object:
    """Return options of a catalogue whose clients' key lies in Secret own, but for C7, which has one of its own."""
    secrets = {
        "rsa_key_secret": {"name": "own", "key": "pem"},
        "client_settings": {"C7": {"rsa_key_secret": {"name": "its", "key": "pem"}}},
    }
    return {**options(), "clients": list(clients), "settings": secrets, **changes}


def brought(name: str, pem: bytes) -> Object:
    return obj("v1", "Secret", name, data={"pem": base64.b64encode(pem).decode()})


KEYS: list[tuple[str, bytes, str]] = [
    ("no PEM", b"hello", "is not PEM"),
    ("EC", pem_of(ec.generate_private_key(ec.SECP256R1())), "is a key of another kind (ECPrivateKey)"),
    ("short", pem_of(rsa.generate_private_key(65537, 1024)), "has 1024 bits"),
    ("encrypted", pem_of(rsa.generate_private_key(65537, 2048), BestAvailableEncryption(b"canary")), "is encrypted"),
]


@pytest.mark.parametrize(("case", "pem", "words"), KEYS, ids=[case[0] for case in KEYS])
def test_a_brought_key_is_judged_before_anything_is_touched(case: str, pem: bytes, words: str, tmp_path: Path) -> None:
    found, _facts = surveyed(Cluster(*PREPARED, brought("own", pem)), bringing("C42"))
    expected = f"{words}. Expected a private RSA key of 2048 bits or more, PEM, not encrypted"
    assert messages(found) == [f"rsa_key_secret: key pem of Secret lms-dev/own {expected}"], case
    found, _facts = surveyed(Cluster(*PREPARED), bringing("C42", rsa_key=pem.decode()))
    assert messages(found) == [f"rsa_key: the text {expected}"]
    file = tmp_path / "c42.pem"
    file.write_bytes(pem)
    found, _facts = surveyed(Cluster(*PREPARED), bringing("C42", rsa_key_file=str(file)))
    assert messages(found) == [f"rsa_key_file: {file} {expected}"]


def test_a_clients_own_key_is_judged_and_not_the_catalogues() -> None:
    found, _facts = surveyed(Cluster(*PREPARED, brought("its", b"hello")), bringing("C7"))
    assert [line.partition(".")[0] for line in messages(found)] == ["rsa_key_secret: key pem of Secret lms-dev/its is not PEM"]
    found, _facts = surveyed(Cluster(*PREPARED), bringing("C7", "C42"))
    assert messages(found) == ["rsa_key_secret: there is no Secret lms-dev/its", "rsa_key_secret: there is no Secret lms-dev/own"]


def test_a_client_that_has_its_key_needs_no_other_and_costs_one_read() -> None:
    taken = obj("v1", "Secret", "rsa-secret-c42")
    cluster = Cluster(*PREPARED, taken)
    before = surveyed(Cluster(*PREPARED), options())[1]["calls"]
    found, facts = surveyed(cluster, bringing("C42"))
    assert (messages(found), facts["calls"] - before) == ([], 1)
    assert messages(surveyed(cluster, bringing("C42", new_key=True))[0]) == ["rsa_key_secret: there is no Secret lms-dev/own"]


def test_one_key_is_not_given_to_two_clients() -> None:
    found, _facts = surveyed(Cluster(*PREPARED), bringing("C7", "C42", rsa_key=GOOD_KEY.decode()))
    assert messages(found) == ["one private key is given, and 2 clients"]
    assert messages(surveyed(Cluster(*PREPARED), bringing("C42", rsa_key=GOOD_KEY.decode()))[0]) == []


def test_a_missing_right_on_secrets_does_not_hide_what_else_lacks() -> None:
    cluster = Cluster(*PREPARED)
    cluster.rules["lms-dev"] = {"resourceRules": [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != ["secrets"]]}
    cluster.refused = {"Secret": 403}
    for changes in ({}, {"new_key": True}):
        assert messages(surveyed(cluster, bringing("C42", **changes))[0]) == ["missing in lms-dev: get/list/create/update secrets"]
    cluster.refused = {"Secret": 503}
    with pytest.raises(ApiError, match="no Secret"):
        surveyed(cluster, bringing("C42"))


CORS_ROUTE = {
    **ROUTE,
    "spec": {**ROUTE["spec"], "rules": [{"filters": [{"type": "CORS", "cors": {}}], "matches": [{"path": {"value": "/C42"}}]}]},
}
GATEWAY = obj("gateway.networking.k8s.io/v1", "Gateway", "public", "gateway", spec={"gatewayClassName": "traefik"})


def gateway_class(*features: t.Any) -> Object:
    return obj("gateway.networking.k8s.io/v1", "GatewayClass", "traefik", "", status={"supportedFeatures": list(features)})


@pytest.mark.parametrize(
    ("features", "refused"),
    [
        ([{"name": "HTTPRoute"}, {"name": "HTTPRouteCORS"}], False),
        (["HTTPRouteCORS"], False),
        ([], False),
        ([{"name": "HTTPRoute"}], True),
    ],
)
def test_a_gateway_without_cors_is_told_before_it_answers_500(features: list[t.Any], refused: bool) -> None:
    cluster = Cluster(*PREPARED, GATEWAY, gateway_class(*features))
    found, _facts = surveyed(cluster, options(CORS_ROUTE))
    sentence = "Gateway gateway/public may answer every request with 500: its class traefik does not list HTTPRouteCORS"
    assert messages(found) == ([sentence] if refused else [])
    assert found.warnings == []
    assert cluster.asked.count("get Gateway gateway/public") == 1
    without = Cluster(*PREPARED, GATEWAY, gateway_class(*features))
    assert messages(surveyed(without, options(ROUTE))[0]) == []
    assert "get GatewayClass traefik" not in without.asked


@pytest.mark.parametrize("kind", ["Gateway", "GatewayClass"])
def test_a_gateway_that_the_token_may_not_read_is_doubted_until_a_route_of_ours_has_cors(kind: str) -> None:
    cluster = Cluster(*PREPARED, GATEWAY, gateway_class())
    cluster.refused = {kind: 403}
    found, _facts = surveyed(cluster, options(CORS_ROUTE))
    assert messages(found) == []
    place = "Gateway gateway/public" if kind == "Gateway" else "GatewayClass traefik"
    assert [one.message for one in found.warnings] == [
        f"whether Gateway gateway/public has CORS is not known: the token may not read {place}"
    ]
    own = {**CORS_ROUTE, "metadata": {**CORS_ROUTE["metadata"], "labels": LABELS}}
    settled = Cluster(*PREPARED, GATEWAY, gateway_class(), own)
    settled.refused = {kind: 403}
    assert surveyed(settled, options(CORS_ROUTE))[0].warnings == []


def test_run_fails_with_all_problems_in_one_line_and_shows_them_one_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(NAMESPACE, SECRET)
    lines: list[str] = []
    cluster.rules["lms-dev"] = {"resourceRules": [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != ["pods/log"]]}
    monkeypatch.setattr(namespace_info, "connect", lambda _params: cluster)
    with pytest.raises(LmsError) as raised:
        namespace_info.run(options(DEPLOYMENT), Context(report=lines.append))
    assert lines == [
        "Preflight of lms-dev found 2 problems, nothing was touched:",
        "  rights   missing in lms-dev: get pods/log  (playbooks/prepare_namespace.yml grants them)",
        "  claim    lms-static is missing  (static files; playbooks/prepare_namespace.yml makes it)",
    ]
    result = raised.value.as_result()
    assert result["screen"] == lines
    assert "\n" not in result["msg"]
    assert "missing in lms-dev: get pods/log" in result["msg"]
    assert "lms-static is missing" in result["msg"]
    assert [one["kind"] for one in result["problems"]] == ["rights", "claim"]


def test_run_shows_warnings_though_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(*PREPARED)
    cluster.rules["lms-dev"] = {"resourceRules": [rule for rule in role_rules(NAMESPACE_RULES) if rule["resources"] != ["events"]]}
    monkeypatch.setattr(namespace_info, "connect", lambda _params: cluster)
    lines: list[str] = []
    result = namespace_info.run(options(), Context(report=lines.append))
    sentence = "missing in lms-dev, for better answers only: get/list events"
    assert lines == [f"  warning  rights   {sentence}  (playbooks/prepare_namespace.yml grants them)"]
    assert result["warnings"] == [f"rights: {sentence} (playbooks/prepare_namespace.yml grants them)"]


def test_how_long_it_took_is_a_line_for_whoever_writes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_info, "connect", lambda _params: Cluster(*PREPARED))
    lines: list[str] = []
    result = namespace_info.run({**options(), "since": time.time() - 2}, Context(report=lines.append))
    assert re.fullmatch(r"  preflight    rights, namespace, catalogue +2\.[0-9] s", result["line"])
    assert (namespace_info.run(options(), Context(report=lines.append))["line"], lines) == ("", [])


def test_run_returns_no_value_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_info, "connect", lambda _params: Cluster(*PREPARED))
    result = namespace_info.run(options(DEPLOYMENT), Context())
    assert result["changed"] is False
    assert result["problems"] == []
    assert "Y2FuYXJ5" not in repr(result)
    assert "canary" not in repr(result)
