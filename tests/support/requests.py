# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small requests of a client, as the lookup rarus.lms.requests returns them, and catalogues: for tests that are not about templates."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import DATABASES, compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import find_sources

from .tree import ROOT

__all__ = ["HOST", "requests_of", "settings_of_namespace", "setups_of", "write_catalogue"]

HOST = "backend.lms-dev.example"
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}

Object = dict[str, Any]


def requests_of(
    client: str, namespace: str, *, publish: str = "ingress", image: str = "registry.example/lms/backend:dev", command: str = "true"
) -> list[Object]:
    """Return the requests of one client: a Job that runs a shell command, a ConfigMap, a Service, a Deployment of no pods, a route."""
    name = client.lower()
    objects = [
        _object("batch/v1", "Job", f"postgres-setup-{name}", backoffLimit=0, template={"spec": _job_pod(command)}),
        _object("v1", "ConfigMap", f"lms-config-{name}", data={"LMS_CLIENT_ID": client}),
        _object("v1", "Service", f"lms-service-{name}", selector={"app": f"{client}-lms"}, ports=[{"port": 8080}]),
        _object("apps/v1", "Deployment", f"lms-deployment-{name}", **_deployment(client, image)),
        *_published(client, publish),
    ]
    return [_request(client, namespace, obj) for obj in objects]


def setups_of(*clients: str, namespace: str = "lms-dev") -> list[Object]:
    """Return the Jobs that set up the databases of clients, as the collection's own templates make them."""
    templates = compiled(find_sources(ROOT / "roles" / "requests" / "templates"))
    return render_requests(templates, [ClientId.parse(client) for client in clients], settings_of_namespace(namespace), stage=DATABASES)


def settings_of_namespace(namespace: str) -> Object:
    """Return the settings of a catalogue of that name that sets what has no default."""
    return read_settings({f"lms_{name}": value for name, value in _settings(namespace).items()}, catalogue=namespace)


def _object(api_version: str, kind: str, name: str, *, data: Object | None = None, **spec: Any) -> Object:
    content: Object = {"data": data} if data else {"spec": spec}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}


def _job_pod(command: str) -> Object:
    container = {
        "name": "work",
        "image": "registry.example/tools/postgres-client:15",
        "command": ["bash", "-c", command],
        "securityContext": RESTRICTED,
    }
    volume = {
        "name": "admin",
        "secret": {"secretName": "postgres-admin", "items": [{"key": "user", "path": "user"}, {"key": "password", "path": "password"}]},
    }
    pull = [{"name": "repository-token"}]
    return {"restartPolicy": "Never", "imagePullSecrets": pull, "securityContext": POD, "containers": [container], "volumes": [volume]}


def _deployment(client: str, image: str) -> Object:
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token"}}}
    container = {
        "name": client.lower(),
        "image": image,
        "env": [token],
        "resources": {"requests": {"cpu": "0.5"}},
        "securityContext": RESTRICTED,
    }
    static = {"name": "static", "persistentVolumeClaim": {"claimName": "lms-static"}}
    pod = {"imagePullSecrets": [{"name": "repository-token"}], "securityContext": POD, "containers": [container], "volumes": [static]}
    labels = {"app": f"{client}-lms"}
    return {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}


def _published(client: str, publish: str) -> list[Object]:
    service = f"lms-service-{client.lower()}"
    if publish == "ingress":
        backend = {"service": {"name": service, "port": {"number": 8080}}}
        path = {"path": f"/{client}(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": backend}
        rules: list[Object] = [{"host": HOST, "http": {"paths": [path]}}]
        tls = [{"hosts": [HOST], "secretName": "tls"}]
        return [
            _object(
                "networking.k8s.io/v1", "Ingress", f"client-lms-ingress-{client.lower()}", ingressClassName="nginx", tls=tls, rules=rules
            )
        ]
    if publish == "httproute":
        match = {"path": {"type": "PathPrefix", "value": f"/{client}"}}
        rules = [{"matches": [match], "backendRefs": [{"name": service, "port": 8080}]}]
        parents: list[Object] = [{"name": "public", "namespace": "gateway"}]
        name = f"client-lms-route-{client.lower()}"
        return [_object("gateway.networking.k8s.io/v1", "HTTPRoute", name, parentRefs=parents, hostnames=[HOST], rules=rules)]
    return []


def _request(client: str, namespace: str, obj: Object) -> Object:
    """Return the object labelled, hashed and, a Job, named by its hash."""
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client}
    digest = hashlib.sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest()[:16]
    stage, name = (
        ("databases", f"{obj['metadata']['name']}-{digest[:8]}") if obj["kind"] == "Job" else ("environment", obj["metadata"]["name"])
    )
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": {"rarus.lms/hash": digest}}
    return {"client": client, "stage": stage, "file": f"{obj['kind'].lower()}.yml.j2", "object": {**obj, "metadata": metadata}}


def _settings(namespace: str) -> Object:
    """Return the settings that have no default."""
    return {
        "namespace_id": namespace,
        "docker_image": "registry.example/lms/backend:dev",
        "postgres_client_image": "registry.example/tools/postgres-client:15",
        "clickhouse_client_image": "registry.example/tools/clickhouse-client:1",
        "postgres_host": "postgres.lms-dev.example",
        "clickhouse_host": "clickhouse.lms-dev.example",
        "public_dns": HOST,
        "sms4b_sender": "1C-RARUS",
    }


def write_catalogue(folder: Path, namespace: str, **more: Any) -> Path:
    """Write the inventory of one catalogue with the settings that have no default; return its folder."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    variables = {**host, **{f"lms_{name}": value for name, value in {**_settings(namespace), **more}.items()}}
    folder.mkdir(exist_ok=True)
    (folder / "hosts.yml").write_text(json.dumps({"lms_catalogues": {"hosts": {namespace: variables}}}))
    return folder
