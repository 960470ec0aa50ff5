# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.template_rules import faults_of, pod_template_of, shown_place

C42 = ClientId(42)
PODS = "spec.template.spec"
CONTAINER = f"{PODS}.containers[0]"
POD = {"containers": [{"name": "c42", "image": "x"}]}


def an_object(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lms-service-c42"}, **copy.deepcopy(more)}


def a_deployment(**pod: Any) -> dict[str, Any]:
    spec = {**copy.deepcopy(POD), **pod}
    return an_object(apiVersion="apps/v1", kind="Deployment", metadata={"name": "lms-deployment-c42"}, spec={"template": {"spec": spec}})


def with_env(*env: dict[str, Any]) -> dict[str, Any]:
    return a_deployment(containers=[{"name": "c42", "env": list(env)}])


def named(name: str, **metadata: Any) -> dict[str, Any]:
    return an_object(metadata={"name": name, **metadata})


RIGHT: list[dict[str, Any]] = [
    an_object(),
    a_deployment(),
    named("c42"),
    named("lms-c42-extra", namespace="lms-dev"),
    an_object(metadata={"name": "lms-service-c42", "annotations": {"note": "C42 and C7"}, "labels": {"app": "C42-lms", "tier": "C42"}}),
    an_object(spec={"selector": {"app": "C42-lms"}}),
    with_env({"name": "LMS_CLIENT_C42", "value": "C42"}, {"name": "PARTNER", "value": "C7"}),
    with_env({"name": "A", "value": "x"}, {"name": "B", "value": "$(A)/y"}, {"name": "C", "value": "$$(NOT_ME)"}),
    a_deployment(containers=[{"name": "c42", "args": ["echo $(hostname)"], "volumeMounts": [{"name": "static", "subPath": "C42"}]}]),
    an_object(spec={"httpGet": {"httpHeaders": [{"name": "X-C42", "value": "1"}]}}),
    an_object(spec={"parentRefs": [{"name": "public", "namespace": "gateway"}]}),
    an_object(spec={"rules": [{"backendRefs": [{"name": "lms-service-c42", "namespace": "lms-dev"}]}]}),
    an_object(data={"LMS_CLIENT_ID": "C42"}),
]  # fmt: skip


@pytest.mark.parametrize("obj", RIGHT, ids=str)
def test_a_request_of_the_client_has_no_fault(obj: dict[str, Any]) -> None:
    assert faults_of(obj, C42, "lms-dev") == []


# the document, the place of the fault, its sentence's words
WRONG: list[tuple[Any, str, str]] = [
    (None, "", "is empty. Expected one Kubernetes object with apiVersion, kind and metadata."),
    ([1], "", "is a list. Expected one Kubernetes object"),
    ("text", "", "is a str. Expected one Kubernetes object"),
    ({"kind": "Service", "metadata": {"name": "c42"}}, "apiVersion", "apiVersion is missing."),
    ({"apiVersion": "v1", "kind": 5, "metadata": {"name": "c42"}}, "kind", "kind is missing."),
    ({"apiVersion": "v1", "kind": "Service"}, "metadata", "metadata.name is missing. Expected a name that ends with {{ client-name }}."),
    (named("c42", labels=[]), "metadata.labels", "metadata.labels is not a dictionary."),
    (named("c42", annotations="x"), "metadata.annotations", "metadata.annotations is not a dictionary."),
    (named("c42", namespace="lms-prod"), "metadata.namespace", "metadata.namespace is lms-prod, and the catalogue's is lms-dev."),
    (named("shared"), "metadata.name", "metadata.name is shared for every client. Write shared-{{ client-name }}."),
    (named("lms-c421"), "metadata.name", "metadata.name is lms-c421, which is client C421's. Write {{ client-name }}."),
    (named("lms-c42-c7"), "metadata.name", "metadata.name is lms-c42-c7, which is client C7's."),
    (named("lms-C42"), "metadata.name", "metadata.name is lms-C42: a Kubernetes name has no capital letters. Write {{ client-name }}"),
    (an_object(kind="Secret"), "kind", "a Secret is not made from a template: its values would pass through the run."),
    (an_object(kind="Namespace"), "kind", "a Namespace belongs to the whole cluster."),
    (an_object(kind="PersistentVolume"), "kind", "a PersistentVolume belongs to the whole cluster."),
    (an_object(kind="List", items=[]), "kind", "a List is several objects. Expected one object a file."),
    (an_object(kind="ConfigMapList", items=[]), "kind", "a ConfigMapList is several objects."),
    (a_deployment(containers=[{"name": "C42"}]), f"{CONTAINER}.name", "is C42: a Kubernetes name has no capital letters."),
    (a_deployment(imagePullSecrets=[{"name": "pull-C42"}]), f"{PODS}.imagePullSecrets[0].name", "no capital letters"),
    (a_deployment(volumes=[{"secret": {"secretName": "rsa-secret-C42"}}]), f"{PODS}.volumes[0].secret.secretName", "no capital letters"),
    (a_deployment(volumes=[{"persistentVolumeClaim": {"claimName": "s-C42"}}]),
     f"{PODS}.volumes[0].persistentVolumeClaim.claimName", "no capital"),
    (with_env({"name": "A", "valueFrom": {"secretKeyRef": {"name": "x-C42", "key": "k"}}}),
     f"{CONTAINER}.env[0].valueFrom.secretKeyRef.name", "no capital letters"),
    (with_env({"name": "A", "valueFrom": {"secretKeyRef": {"name": "lms-credentials-c7", "key": "k"}}}),
     f"{CONTAINER}.env[0].valueFrom.secretKeyRef.name", "is lms-credentials-c7, which is client C7's."),
    (an_object(spec={"selector": {"app": "C7-lms"}}), "spec.selector.app", "is C7-lms, which is client C7's."),
    (named("c42", labels={"rarus.lms/client": "C7"}), "metadata.labels.rarus.lms/client", "is C7, which is client C7's."),
    (an_object(data={"LMS_CLIENT_ID": "C7"}), "data.LMS_CLIENT_ID", "is C7, which is client C7's."),
    (a_deployment(containers=[{"volumeMounts": [{"subPath": "C7"}]}]), f"{CONTAINER}.volumeMounts[0].subPath", "client C7's"),
    (an_object(spec={"rules": [{"backendRefs": [{"name": "x", "namespace": "lms-prod"}]}]}),
     "spec.rules[0].backendRefs[0].namespace", "is lms-prod, and the catalogue's namespace is lms-dev."),
    (with_env({"name": "B", "value": "$(A)"}, {"name": "A", "value": "x"}),
     f"{CONTAINER}.env[0].value", "env B refers to $(A), which no entry above it defines; the kubelet would leave it."),
    (with_env({"name": "B", "value": "$$$(A)"}), f"{CONTAINER}.env[0].value", "env B refers to $(A)"),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "place", "words"), WRONG)
def test_a_fault_is_named_with_its_place(obj: Any, place: str, words: str) -> None:
    found = faults_of(obj, C42, "lms-dev")
    assert [(shown_place(at), words in sentence) for at, sentence in found] == [(place, True)], found


def test_workloads_have_a_pod_template() -> None:
    template = {"spec": POD}
    assert pod_template_of({"kind": "Deployment", "spec": {"template": template}}) == template
    assert pod_template_of({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}) == template
    assert pod_template_of({"kind": "Service", "spec": {"template": "x"}}) is None
    assert pod_template_of({"kind": "ConfigMap"}) is None
