# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of objects and the paths that the API serves them under."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["KNOWN", "Ref", "Resource", "group_path", "resource_path"]


@dataclass(frozen=True)
class Ref:
    """Names one object; namespace is empty for what stands outside namespaces."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, obj: t.Mapping[str, t.Any]) -> Ref:
        """Return the reference of an object that has apiVersion, kind and metadata."""
        metadata = obj.get("metadata") or {}
        return cls(
            str(obj.get("apiVersion", "")), str(obj.get("kind", "")), str(metadata.get("name", "")), str(metadata.get("namespace") or "")
        )

    def __str__(self) -> str:
        """Return what people read: `Deployment lms-dev/lms-deployment-c42`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Resource:
    """How the API spells a kind: its plural, and whether its objects live in namespaces."""

    plural: str
    namespaced: bool = True


# Kinds that need no discovery: what the collection makes, reads or diagnoses. Others are asked for, once each.
KNOWN: dict[tuple[str, str], Resource] = {
    ("v1", "ConfigMap"): Resource("configmaps"),
    ("v1", "Event"): Resource("events"),
    ("v1", "LimitRange"): Resource("limitranges"),
    ("v1", "Namespace"): Resource("namespaces", namespaced=False),
    ("v1", "Node"): Resource("nodes", namespaced=False),
    ("v1", "PersistentVolume"): Resource("persistentvolumes", namespaced=False),
    ("v1", "PersistentVolumeClaim"): Resource("persistentvolumeclaims"),
    ("v1", "Pod"): Resource("pods"),
    ("v1", "ResourceQuota"): Resource("resourcequotas"),
    ("v1", "Secret"): Resource("secrets"),
    ("v1", "Service"): Resource("services"),
    ("v1", "ServiceAccount"): Resource("serviceaccounts"),
    ("apps/v1", "Deployment"): Resource("deployments"),
    ("apps/v1", "ReplicaSet"): Resource("replicasets"),
    ("apps/v1", "StatefulSet"): Resource("statefulsets"),
    ("batch/v1", "Job"): Resource("jobs"),
    ("batch/v1", "CronJob"): Resource("cronjobs"),
    ("coordination.k8s.io/v1", "Lease"): Resource("leases"),
    ("discovery.k8s.io/v1", "EndpointSlice"): Resource("endpointslices"),
    ("gateway.networking.k8s.io/v1", "Gateway"): Resource("gateways"),
    ("gateway.networking.k8s.io/v1", "GatewayClass"): Resource("gatewayclasses", namespaced=False),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): Resource("httproutes"),
    ("networking.k8s.io/v1", "Ingress"): Resource("ingresses"),
    ("networking.k8s.io/v1", "IngressClass"): Resource("ingressclasses", namespaced=False),
    ("networking.k8s.io/v1", "NetworkPolicy"): Resource("networkpolicies"),
    ("policy/v1", "PodDisruptionBudget"): Resource("poddisruptionbudgets"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): Resource("horizontalpodautoscalers"),
    ("rbac.authorization.k8s.io/v1", "Role"): Resource("roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): Resource("rolebindings"),
}


def group_path(api_version: str) -> str:
    """Return where the API serves a group and version: `/api/v1`, `/apis/apps/v1`."""
    return f"/apis/{quote(api_version)}" if "/" in api_version else f"/api/{quote(api_version)}"


def resource_path(api_version: str, resource: Resource, namespace: str = "", name: str = "") -> str:
    """Return the path of one object, or of a list where name is empty (of all namespaces where namespace is empty too)."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if resource.namespaced and namespace else ""
    last = f"/{quote(name, safe='')}" if name else ""
    return f"{group_path(api_version)}{scope}/{resource.plural}{last}"
