# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of others, as its own requests say it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.needs import Needs, Path, needs_of, served_paths

Object = dict[str, t.Any]


def pods(kind: str, spec: Object) -> Object:
    return {
        "apiVersion": {"Job": "batch/v1"}.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": f"{kind.lower()}-c42"},
        "spec": {"template": {"spec": spec}},
    }


def named(kind: str, name: str, spec: Object | None = None) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec or {}}


def of(*objects: Object, client: str = "C42") -> Needs:
    return needs_of([{"client": client, "stage": "environment", "object": obj} for obj in objects], "lms-dev")


CONTAINER_SOURCES: list[tuple[str, Object, dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]] = [
    (
        "a secret variable",
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token"}}}]},
        {"sms4b": ("token",)},
        {},
    ),
    (
        "an optional one",
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token", "optional": True}}}]},
        {},
        {},
    ),
    ("a plain one", {"env": [{"name": "A", "value": "x"}]}, {}, {}),
    ("a whole secret", {"envFrom": [{"secretRef": {"name": "more"}}]}, {"more": ()}, {}),
    ("a config's key", {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}, {}, {"c": ("k",)}),
    ("two keys", {"env": [{"valueFrom": {"secretKeyRef": {"name": "s", "key": key}}} for key in ("a", "b", "a")]}, {"s": ("a", "b")}, {}),
    ("the client's own", {"env": [{"valueFrom": {"secretKeyRef": {"name": "lms-credentials-c42", "key": "seed"}}}]}, {}, {}),
    (
        "another client's",
        {"env": [{"valueFrom": {"secretKeyRef": {"name": "lms-credentials-c7", "key": "seed"}}}]},
        {"lms-credentials-c7": ("seed",)},
        {},
    ),
]


@pytest.mark.parametrize(("case", "container", "secrets", "config_maps"), CONTAINER_SOURCES, ids=[case[0] for case in CONTAINER_SOURCES])
@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_containers(
    place: str, case: str, container: Object, secrets: dict[str, tuple[str, ...]], config_maps: dict[str, tuple[str, ...]]
) -> None:
    needs = of(pods("Deployment", {place: [container]}))
    assert {name: need.keys for name, need in needs.secrets.items()} == secrets, case
    assert needs.config_maps == config_maps, case


VOLUMES: list[tuple[str, Object, dict[str, tuple[str, ...]], list[str], str]] = [
    (
        "a secret",
        {"secret": {"secretName": "postgres-admin", "items": [{"key": "user", "path": "u"}]}},
        {"postgres-admin": ("user",)},
        [],
        "restricted",
    ),
    ("projected", {"projected": {"sources": [{"secret": {"name": "p", "items": [{"key": "k"}]}}]}}, {"p": ("k",)}, [], "restricted"),
    ("a claim", {"persistentVolumeClaim": {"claimName": "lms-static"}}, {}, ["lms-static"], "restricted"),
    ("empty", {"emptyDir": {"medium": "Memory"}}, {}, [], "restricted"),
    ("nfs", {"nfs": {"server": "s", "path": "/"}}, {}, [], "baseline"),
    ("the node's files", {"hostPath": {"path": "/"}}, {}, [], "privileged"),
]


@pytest.mark.parametrize(("case", "volume", "secrets", "claims", "level"), VOLUMES, ids=[case[0] for case in VOLUMES])
def test_volumes(case: str, volume: Object, secrets: dict[str, tuple[str, ...]], claims: list[str], level: str) -> None:
    needs = of(pods("Job", {"volumes": [{"name": "v", **volume}]}), pods("Job", {"volumes": [{"name": "v", "emptyDir": {}}]}))
    assert {name: need.keys for name, need in needs.secrets.items()} == secrets, case
    assert (needs.claims, needs.pod_security) == (claims, level), case


def test_what_the_requests_bring_themselves_is_not_needed() -> None:
    sources = {
        "env": [{"valueFrom": {"configMapKeyRef": {"name": "lms-config-c42", "key": "A"}}}],
        "envFrom": [{"secretRef": {"name": "mine"}}],
    }
    needs = of(pods("Deployment", {"containers": [sources]}), named("ConfigMap", "lms-config-c42"), named("Secret", "mine"))
    assert (needs.secrets, needs.config_maps) == ({}, {})


def test_the_pull_secret_is_for_the_deployments_image() -> None:
    pull = {"imagePullSecrets": [{"name": "repository-token"}]}
    job, deployment = (
        pods("Job", {**pull, "containers": [{"image": "a/tools"}]}),
        pods("Deployment", {**pull, "containers": [{"image": "b/lms"}]}),
    )
    need = of(job, deployment).secrets["repository-token"]
    assert (need.keys, need.images, need.purpose) == ((".dockerconfigjson",), ("b/lms",), "pull secret")


def test_a_secret_says_who_uses_it() -> None:
    needs = of(pods("Job", {"volumes": [{"secret": {"secretName": "postgres-admin"}}]}))
    assert needs.secrets["postgres-admin"].purpose == "used by Job job-c42"


INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "client-lms-ingress-c42"},
    "spec": {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["backend.lms-dev.example"], "secretName": "tls"}],
        "rules": [{"host": "backend.lms-dev.example", "http": {"paths": [{"path": "/C42(/|$)(.*)"}, {"path": "/"}]}}],
    },
}
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "client-lms-route-c42"},
    "spec": {
        "parentRefs": [{"name": "public", "namespace": "gateway"}, {"name": "own"}, {"name": "mesh", "kind": "Service"}],
        "hostnames": ["a.example", "b.example"],
        "rules": [{"matches": [{"path": {"value": "/C42"}}]}, {"matches": [{"path": {"value": "/C42/"}}]}],
    },
}


def test_an_ingress_needs_its_class_and_certificate() -> None:
    needs = of(INGRESS)
    assert needs.ingress_classes == ["nginx"]
    assert (needs.secrets["tls"].keys, needs.secrets["tls"].hosts) == (("tls.crt", "tls.key"), ("backend.lms-dev.example",))
    assert needs.paths == {Path("backend.lms-dev.example", "C42"): "C42"}
    assert needs.kinds == [("networking.k8s.io/v1", "Ingress")]


def test_a_route_needs_its_gateways() -> None:
    needs = of(ROUTE)
    assert needs.gateways == [("gateway", "public"), ("lms-dev", "own")]
    assert needs.paths == {Path("a.example", "C42"): "C42", Path("b.example", "C42"): "C42"}


PATHS: list[tuple[str, Object, list[Path]]] = [
    ("no rules", named("Ingress", "x"), []),
    ("no host", named("Ingress", "x", {"rules": [{"http": {"paths": [{"path": "/C7"}]}}]}), [Path("", "C7")]),
    ("no http", named("Ingress", "x", {"rules": [{"host": "h"}]}), []),
    ("anchored", named("Ingress", "x", {"rules": [{"host": "h", "http": {"paths": [{"path": "^/C7/(.*)"}]}}]}), [Path("h", "C7")]),
    ("no hostnames", named("HTTPRoute", "x", {"rules": [{"matches": [{"path": {"value": "/C7"}}, {"headers": []}]}]}), [Path("", "C7")]),
]


@pytest.mark.parametrize(("case", "obj", "expected"), PATHS, ids=[case[0] for case in PATHS])
def test_served_paths(case: str, obj: Object, expected: list[Path]) -> None:
    assert served_paths(obj) == expected, case


def test_no_requests_need_nothing() -> None:
    assert of() == Needs()
