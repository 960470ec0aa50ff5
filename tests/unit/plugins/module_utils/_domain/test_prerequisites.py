# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others provide in a namespace: each fault gets its own sentence, and what is fine gets none."""

from __future__ import annotations

import base64
import datetime as dt
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain import prerequisites
from ansible_collections.rarus.lms.plugins.module_utils._domain.image import image_registry
from ansible_collections.rarus.lms.plugins.module_utils._domain.needs import Path, SecretNeed
from ansible_collections.rarus.lms.plugins.module_utils._domain.prerequisites import Findings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
HOST = "backend.lms-dev.example"
DAY = dt.timedelta(days=1)


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def certificate(names: list[str], begins: dt.timedelta = -DAY, ends: dt.timedelta = 90 * DAY) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW + begins).not_valid_after(NOW + ends)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    return encoded(made.public_bytes(serialization.Encoding.PEM))


def pull_secret(*hosts: str, kind: str = prerequisites.PULL_TYPE) -> dict[str, t.Any]:
    return {"type": kind, "data": {".dockerconfigjson": encoded(json.dumps({"auths": {host: {"auth": "c2VjcmV0"} for host in hosts}}))}}


def sentences(found: Findings) -> list[str]:
    return [str(one) for one in found.problems]


def judged(need: SecretNeed, secret: dict[str, t.Any] | None) -> Findings:
    found = Findings()
    prerequisites.judge_secret(found, need, secret, NOW)
    return found


ADMIN = SecretNeed("postgres-admin", ("user", "password"), "administrator of PostgreSQL")
PULL = SecretNeed("repository-token", (".dockerconfigjson",), "pull secret", images=("registry.example/lms/backend:dev",))
TLS = SecretNeed("tls", ("tls.crt",), "certificate", hosts=(HOST,))

SECRETS: list[tuple[str, SecretNeed, dict[str, t.Any] | None, str]] = [
    ("missing", ADMIN, None, "postgres-admin is missing (administrator of PostgreSQL; playbooks/prepare_namespace.yml makes it)"),
    ("key missing", ADMIN, {"data": {"user": encoded("u")}}, "postgres-admin: its key password is missing (administrator of PostgreSQL)"),
    (
        "key empty",
        ADMIN,
        {"data": {"user": encoded("u"), "password": ""}},
        "postgres-admin: its key password is empty (administrator of PostgreSQL)",
    ),
    ("no data at all", SecretNeed("x", ("k",), ""), {}, "x: its key k is missing"),
    ("whole", ADMIN, {"data": {"user": encoded("u"), "password": encoded("p")}}, ""),
    ("pull secret", PULL, pull_secret("registry.example"), ""),
    ("pull secret as URL", PULL, pull_secret("https://registry.example/v2/"), ""),
    ("pull secret with a star", PULL, pull_secret("*.example"), ""),
    (
        "pull secret of another registry",
        PULL,
        pull_secret("ghcr.io"),
        "repository-token has no login for registry.example, only for ghcr.io (pull secret of the image's registry)",
    ),
    (
        "pull secret without logins",
        PULL,
        pull_secret(),
        "repository-token has no login for registry.example, only for none (pull secret of the image's registry)",
    ),
    (
        "pull secret of another type",
        PULL,
        pull_secret("registry.example", kind="Opaque"),
        "repository-token is of type Opaque, not kubernetes.io/dockerconfigjson",
    ),
    (
        "pull secret that is no JSON",
        PULL,
        {"type": prerequisites.PULL_TYPE, "data": {".dockerconfigjson": encoded("{")}},
        "repository-token holds no JSON with auths",
    ),
    (
        "pull secret without auths",
        PULL,
        {"type": prerequisites.PULL_TYPE, "data": {".dockerconfigjson": encoded("[]")}},
        "repository-token holds no JSON with auths",
    ),
    ("certificate", TLS, {"data": {"tls.crt": certificate([HOST])}}, ""),
    ("certificate with a star", TLS, {"data": {"tls.crt": certificate(["*.lms-dev.example"])}}, ""),
    (
        "star over two labels",
        TLS,
        {"data": {"tls.crt": certificate(["*.example"])}},
        f"tls: its certificate is for *.example, not for {HOST}",
    ),
    (
        "another name",
        TLS,
        {"data": {"tls.crt": certificate(["a.example", "b.example"])}},
        f"tls: its certificate is for a.example, b.example, not for {HOST}",
    ),
    ("common name only", TLS, {"data": {"tls.crt": certificate([])}}, f"tls: its certificate is for no DNS name, not for {HOST}"),
    ("expired", TLS, {"data": {"tls.crt": certificate([HOST], -9 * DAY, -DAY)}}, "tls: its certificate expired on 2026-11-20 (renew it)"),
    (
        "not yet",
        TLS,
        {"data": {"tls.crt": certificate([HOST], DAY)}},
        "tls: its certificate is valid from 2026-11-22 09:00 UTC only (check the clocks)",
    ),
    ("no certificate", TLS, {"data": {"tls.crt": encoded("-----BEGIN")}}, "tls holds no PEM certificate under tls.crt"),
    ("no base64", TLS, {"data": {"tls.crt": "%"}}, "tls holds no PEM certificate under tls.crt"),
]


@pytest.mark.parametrize(("case", "need", "secret", "expected"), SECRETS, ids=[case[0] for case in SECRETS])
def test_secrets(case: str, need: SecretNeed, secret: dict[str, t.Any] | None, expected: str) -> None:
    found = sentences(judged(need, secret))
    assert bool(found) is bool(expected), (case, found)
    assert not expected or found[0].startswith(expected), (case, found)


def test_no_value_of_a_secret_is_in_what_is_found() -> None:
    canary = "canary-5f1c0a"
    found = judged(
        SecretNeed("s", ("a", "tls.crt", ".dockerconfigjson"), "x"),
        {"type": "Opaque", "data": dict.fromkeys(("tls.crt", ".dockerconfigjson"), encoded(canary))},
    )
    assert len(found.problems) == 3
    assert canary not in repr(found)
    assert encoded(canary) not in repr(found)


def test_a_certificate_that_ends_soon_is_only_a_warning() -> None:
    found = judged(TLS, {"data": {"tls.crt": certificate([HOST], -DAY, 3 * DAY)}})
    assert found.problems == []
    assert [str(one) for one in found.warnings] == ["tls: its certificate expires in 3 days (2026-11-24) (renew it)"]


IMAGES = [
    ("registry.example/lms/backend:dev", "registry.example"),
    ("registry.example:5000/backend", "registry.example:5000"),
    ("localhost/backend", "localhost"),
    ("lms/backend:dev", "docker.io"),
    ("backend", "docker.io"),
]


@pytest.mark.parametrize(("image", "registry"), IMAGES)
def test_image_registry(image: str, registry: str) -> None:
    assert image_registry(image) == registry


def test_docker_hub_is_one_registry_under_two_names() -> None:
    need = SecretNeed("repository-token", (".dockerconfigjson",), "pull secret", images=("lms/backend",))
    assert judged(need, pull_secret("https://index.docker.io/v1/")).problems == []


CLAIMS: list[tuple[str, dict[str, t.Any] | None, str, str]] = [
    ("missing", None, "lms-static is missing", ""),
    ("bound", {"spec": {"accessModes": ["ReadWriteMany"]}, "status": {"phase": "Bound"}}, "", ""),
    (
        "bound for one node",
        {"spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"}},
        "",
        "lms-static is not ReadWriteMany",
    ),
    ("waits for its first pod", {"spec": {"storageClassName": "nfs"}, "status": {"phase": "Pending"}}, "", "lms-static is Pending"),
    (
        "its volume is missing",
        {"spec": {"storageClassName": "", "volumeName": "v"}, "status": {"phase": "Pending"}},
        "lms-static is Pending, not Bound (its volume v",
        "",
    ),
    ("lost", {"spec": {"storageClassName": "nfs"}, "status": {"phase": "Lost"}}, "lms-static is Lost, not Bound", ""),
]


@pytest.mark.parametrize(("case", "claim", "problem", "warning"), CLAIMS, ids=[case[0] for case in CLAIMS])
def test_claims(case: str, claim: dict[str, t.Any] | None, problem: str, warning: str) -> None:
    found = Findings()
    prerequisites.judge_claim(found, "lms-static", claim)
    assert [one.message[: len(problem)] for one in found.problems] == ([] if not problem else [problem.partition(" (")[0]])
    assert [one.message for one in found.warnings] == ([warning] if warning else []), case


CONFIG_MAPS: list[tuple[dict[str, t.Any] | None, list[str]]] = [
    (None, ["ConfigMap postgres-ca is missing"]),
    ({}, ["ConfigMap postgres-ca: its key ca.crt is missing"]),
    ({"data": {"ca.crt": "x"}}, []),
    ({"binaryData": {"ca.crt": "eA=="}}, []),
]


@pytest.mark.parametrize(("config_map", "expected"), CONFIG_MAPS)
def test_config_maps(config_map: dict[str, t.Any] | None, expected: list[str]) -> None:
    found = Findings()
    prerequisites.judge_config_map(found, "postgres-ca", ["ca.crt"], config_map)
    assert [one.message for one in found.problems] == expected


LEVELS = [
    ("restricted", "restricted", True),
    ("restricted", "baseline", False),
    ("baseline", "privileged", False),
    ("baseline", "restricted", True),
    ("", "privileged", True),
]


@pytest.mark.parametrize(("level", "needed", "fine"), LEVELS)
def test_pod_security(level: str, needed: str, fine: bool) -> None:
    found = Findings()
    labels = {prerequisites.POD_SECURITY_LABEL: level} if level else {}
    assert prerequisites.judge_namespace(found, "lms-dev", {"metadata": {"labels": labels}}, needed) == level
    assert (found.problems == []) is fine


def test_a_namespace_that_is_being_deleted_is_refused() -> None:
    found = Findings()
    prerequisites.judge_namespace(found, "lms-dev", {"metadata": {"deletionTimestamp": "2026-11-21T08:00:00Z"}}, "restricted")
    assert sentences(found) == ["lms-dev is being deleted (wait for its end, then prepare it anew)"]


def test_a_namespace_that_is_missing_is_a_problem() -> None:
    found = Findings()
    assert prerequisites.judge_namespace(found, "lms-dev", None, "restricted") == ""
    assert sentences(found) == ["lms-dev does not exist (playbooks/prepare_namespace.yml makes it)"]


TOKENS: list[tuple[dt.timedelta | None, str, str, str]] = [
    (None, "", "", "when the token ends: it does not say"),
    (90 * DAY, "", "", ""),
    (2 * DAY, "", "expires in 2 days (2026-11-23 09:00 UTC)", ""),
    (dt.timedelta(hours=3), "", "expires in 3 hours (2026-11-21 12:00 UTC)", ""),
    (-DAY, "has expired (2026-11-20 09:00 UTC)", "", ""),
]


@pytest.mark.parametrize(("left", "problem", "warning", "not_seen"), TOKENS)
def test_tokens(left: dt.timedelta | None, problem: str, warning: str, not_seen: str) -> None:
    found = Findings()
    ends = prerequisites.judge_token(found, NOW + left if left is not None else None, NOW)
    assert [one.message for one in found.problems] == ([problem] if problem else [])
    assert [one.message for one in found.warnings] == ([warning] if warning else [])
    assert found.not_seen == ([not_seen] if not_seen else [])
    assert bool(ends) is (left is not None)


def ingress(path: str, host: str | None = HOST, labels: dict[str, str] | None = None) -> dict[str, t.Any]:
    rule = {"http": {"paths": [{"path": path}]}, **({"host": host} if host else {})}
    return {"kind": "Ingress", "metadata": {"name": "other", "namespace": "lms-dev", "labels": labels or {}}, "spec": {"rules": [rule]}}


def route(path: str, hosts: list[str]) -> dict[str, t.Any]:
    spec = {"hostnames": hosts, "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}]}, {"backendRefs": []}]}
    return {"kind": "HTTPRoute", "metadata": {"name": "other", "namespace": "lms-dev"}, "spec": spec}


OURS = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42"}
ROUTES: list[tuple[str, dict[str, t.Any], str]] = [
    ("a stranger's", ingress("/C42/"), f"/C42/ on {HOST} is taken by Ingress lms-dev/other"),
    ("as a regular expression", ingress("/C42(/|$)(.*)"), f"/C42/ on {HOST} is taken by Ingress lms-dev/other"),
    ("in other letters", ingress("/c42"), f"/C42/ on {HOST} is taken by Ingress lms-dev/other"),
    ("on any host", ingress("/C42", host=None), f"/C42/ on {HOST} is taken by Ingress lms-dev/other"),
    (
        "another client's",
        ingress("/C42", labels={**OURS, "rarus.lms/client": "C7"}),
        f"/C42/ on {HOST} is taken by Ingress lms-dev/other of client C7",
    ),
    (
        "by label only",
        ingress("/C42", labels={"rarus.lms/client": "C42"}),
        f"/C42/ on {HOST} is taken by Ingress lms-dev/other of client C42",
    ),
    ("its own", ingress("/C42(/|$)(.*)", labels=OURS), ""),
    ("a longer id", ingress("/C421/"), ""),
    ("another host", ingress("/C42/", host="other.example"), ""),
    ("everything", ingress("/"), ""),
    ("a route's", route("/C42", [HOST]), f"/C42/ on {HOST} is taken by HTTPRoute lms-dev/other"),
    ("a route's on any host", route("/C42", []), f"/C42/ on {HOST} is taken by HTTPRoute lms-dev/other"),
    ("a route's on another host", route("/C42", ["other.example"]), ""),
    ("no rules", {"kind": "Ingress", "metadata": {"name": "x"}, "spec": {"defaultBackend": {}}}, ""),
]


@pytest.mark.parametrize(("case", "taken", "expected"), ROUTES, ids=[case[0] for case in ROUTES])
def test_taken_paths(case: str, taken: dict[str, t.Any], expected: str) -> None:
    found = Findings()
    prerequisites.taken_paths(found, [taken], {Path(HOST, "C42"): "C42"})
    assert [one.message for one in found.problems] == ([expected] if expected else []), case
    assert ["adopt_client.yml -e client=C42" in one.fix for one in found.problems] == (["of client" not in expected] if expected else [])
