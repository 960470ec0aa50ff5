# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments whose pods are ready, and whose Service or public path is broken, each in one way."""

from __future__ import annotations

from .verdict_faults import NAMESPACE, POSTGRES, SERVERS, Fault, Obj, backend, dsn, environment, head

__all__ = ["ANSWER_FAULTS", "GATEWAYS", "OLDER", "PATH_FAULTS", "unreachable"]

# Ready pods that nobody can reach: what is laid over the Service, and how the client is published (`path`).
PATH_FAULTS = (
    Fault(301, "path_missing", told="there is no client-lms-ingress-c301", object="Ingress"),
    Fault(302, "tls_secret_missing", told="Secret verdict/no-such-tls is missing", object="Ingress"),
    Fault(303, "no_endpoints", told="sends requests to no pod", object="Service", early=False),
    Fault(304, "service_missing", told="Service lms-service-c304 is missing", object="Service"),
    Fault(305, "path_taken", told="verdict.example/C305 is taken by Ingress older (of nobody of the collection's)", object="Ingress"),
    Fault(306, "path_shared", told="verdict.example/C306 is claimed by Ingress younger", object="Ingress", phase="ready"),
    Fault(311, "path_missing", told="there is no client-lms-route-c311", object="HTTPRoute"),
    Fault(312, "route_not_judged", told="no-such-gateway", object="HTTPRoute", early=False),
    Fault(314, "route_listener_unknown", told="no listener of that name", object="HTTPRoute"),
    Fault(315, "route_backend_missing", told="Service is not found", object="HTTPRoute", early=False),
    Fault(316, "route_reference_denied", told="no ReferenceGrant", object="HTTPRoute"),
    Fault(317, "route_not_allowed", told="Gateway gateway/closed does not admit routes of namespace verdict", object="HTTPRoute"),
    Fault(318, "route_host_unknown", told="Gateway gateway/narrow has no listener for the public name", object="HTTPRoute"),
)
_WITH_EXTENSIONS = dsn(f"{POSTGRES}:{SERVERS['small']}")
# Ready pods whose public path answers wrongly to somebody outside: `told` is the public name that is asked.
ANSWER_FAULTS = (
    Fault(321, "public_path_silent", told="silent.example", object="Ingress"),
    Fault(322, "public_path_not_found", told="rancher.example", object="Ingress"),
    Fault(323, "public_path_closed", told="postgres.lms-dev.example", object="Ingress"),
    Fault(324, "public_name_unknown", told="nowhere.example", object="Ingress"),
    Fault(325, "public_path_error", told="backend.lms-dev.example", object="Ingress"),
    Fault(326, "certificate_expired", told="backend.lms-prod.example", object="Ingress"),
    Fault(327, "certificate_untrusted", told="backend.lms-dev.example", object="Ingress"),
    # It is asked for another status than the back end has.
    backend(
        328, "public_path_unexpected", {"LMS_STORAGE_POSTGRES_DSN": _WITH_EXTENSIONS}, told="backend.lms-dev.example", object="Ingress"
    ),
)
# Gateways that do not take every route, by what they are open for.
_LISTENERS: dict[str, Obj] = {
    "closed": {"allowedRoutes": {"namespaces": {"from": "Same"}}},
    "narrow": {"allowedRoutes": {"namespaces": {"from": "All"}}, "hostname": "only.example"},
}
GATEWAYS: tuple[Obj, ...] = tuple(
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": "gateway"},
        "spec": {"gatewayClassName": "traefik", "listeners": [{"name": "web", "protocol": "HTTP", "port": 80, **listener}]},
    }
    for name, listener in _LISTENERS.items()
)
_GATEWAY_OF = {"route_not_judged": "no-such-gateway", "route_not_allowed": "closed", "route_host_unknown": "narrow"}


def unreachable(fault: Fault) -> list[Obj]:
    """Return an environment whose pods are ready, and whose Service or public path is broken as the fault's cause says."""
    serving = environment(Fault(fault.number, "", {"readinessProbe": None, **fault.container}, fault.pod))
    if fault.cause == "service_missing":
        serving = serving[:1]
    if fault.cause == "no_endpoints":
        serving[1]["spec"]["selector"] = {"app": "nobody"}
    if fault.cause == "path_missing":
        return serving
    neighbours = [_rival("younger", fault)] if fault.cause == "path_shared" else []
    return [*serving, _route(fault) if fault.object == "HTTPRoute" else _ingress(fault), *neighbours]


def _rival(name: str, fault: Fault) -> Obj:
    """Return an Ingress of somebody else that claims a client's host and path."""
    backend = {"service": {"name": f"lms-service-{fault.client.lower()}", "port": {"number": 8080}}}
    path = {"path": f"/{fault.client}/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "verdict.example", "http": {"paths": [path]}}]},
    }


# It is there before the client whose path it takes.
OLDER = _rival("older", next(fault for fault in PATH_FAULTS if fault.cause == "path_taken"))


def _ingress(fault: Fault) -> Obj:
    name = fault.client.lower()
    backend = {"service": {"name": f"lms-service-{name}", "port": {"number": 8080}}}
    path = {"path": f"/{fault.client}", "pathType": "Prefix", "backend": backend}
    secrets = {"tls_secret_missing": "no-such-tls", "certificate_expired": "expired-tls"}
    host = fault.told if fault in ANSWER_FAULTS else "verdict.example"
    served_by = "nobody" if fault.cause == "ingress_class_missing" else "nginx"
    tls = {"hosts": [host], "secretName": secrets.get(fault.cause, "repository-token")}
    return {
        **head("networking.k8s.io/v1", "Ingress", f"client-lms-ingress-{name}", fault.client),
        "spec": {"ingressClassName": served_by, "tls": [tls], "rules": [{"host": host, "http": {"paths": [path]}}]},
    }


def _route(fault: Fault) -> Obj:
    name = fault.client.lower()
    parent = {"name": _GATEWAY_OF.get(fault.cause, "public"), "namespace": "gateway"}
    if fault.cause == "route_listener_unknown":
        parent["sectionName"] = "no-such-listener"
    backend: Obj = {"name": "no-such-service" if fault.cause == "route_backend_missing" else f"lms-service-{name}", "port": 8080}
    if fault.cause == "route_reference_denied":
        backend = {"name": "kubernetes", "namespace": "default", "port": 443}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": f"/verdict-{name}"}}], "backendRefs": [backend]}
    return {
        **head("gateway.networking.k8s.io/v1", "HTTPRoute", f"client-lms-route-{name}", fault.client),
        "spec": {"parentRefs": [parent], "hostnames": ["verdict.example"], "rules": [rule]},
    }
