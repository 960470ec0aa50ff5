# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import KNOWN, Ref, Resource, resource_path


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (Ref("apps/v1", "Deployment", "lms-deployment-c42", "lms-dev"), "Deployment lms-dev/lms-deployment-c42"),
        (Ref("v1", "Namespace", "lms-dev"), "Namespace lms-dev"),
    ],
)
def test_a_reference_reads_as_people_write_it(ref: Ref, text: str) -> None:
    assert str(ref) == text


def test_an_object_has_a_reference() -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}
    assert Ref.of(obj) == Ref("v1", "Pod", "a", "b")
    assert Ref.of({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}) == Ref("v1", "Node", "a")


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace", "name", "path"),
    [
        ("v1", "Pod", "x", "p", "/api/v1/namespaces/x/pods/p"),
        ("v1", "Pod", "x", "", "/api/v1/namespaces/x/pods"),
        ("v1", "Pod", "", "", "/api/v1/pods"),
        ("v1", "Namespace", "ignored", "x", "/api/v1/namespaces/x"),
        ("apps/v1", "Deployment", "x", "d", "/apis/apps/v1/namespaces/x/deployments/d"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", "x", "r", "/apis/gateway.networking.k8s.io/v1/namespaces/x/httproutes/r"),
        ("v1", "Secret", "../../x", "a/b?c", "/api/v1/namespaces/..%2F..%2Fx/secrets/a%2Fb%3Fc"),
    ],
)
def test_paths_are_those_of_the_api(api_version: str, kind: str, namespace: str, name: str, path: str) -> None:
    assert resource_path(api_version, KNOWN[api_version, kind], namespace, name) == path


def test_a_resource_lives_in_namespaces_unless_told() -> None:
    assert Resource("things").namespaced is True
