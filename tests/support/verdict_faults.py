# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that fail for real, each in one way: objects for a lab, and the cause that has to be named."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

__all__ = ["FAULTS", "JOB_FAULTS", "PATH_FAULTS", "SUPPORT", "Fault", "JobFault", "docker_login", "environment", "job", "unreachable"]

Obj = dict[str, t.Any]
POSTGRES = "postgres.lms-dev.example"
CLICKHOUSE_IMAGE = "registry.example/tools/clickhouse-client:1"
SHELL_IMAGE = "registry.example/tools/postgres-client:15"
# Runs until it is told to end, and needs nothing but bash.
STAYS = ["/bin/bash", "-c", "trap 'exit 0' TERM; echo serving; while :; do read -rt 1 <> <(:); done"]
CANARY = "canary-7Hq2pZ"


@dataclass(frozen=True)
class Fault:
    """One broken environment: what is laid over the container and the pod, and what must be told of it.

    early: it will not heal, so that the verdict comes before the wait is over.
    """

    number: int
    cause: str
    container: Obj = field(default_factory=dict)
    pod: Obj = field(default_factory=dict)
    log: str = ""
    told: str = ""
    object: str = "Pod"
    early: bool = True
    spec: Obj = field(default_factory=dict)

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"


def _fails(script: str) -> list[str]:
    return ["/bin/bash", "-c", script]


FAULTS = (
    Fault(101, "image_not_found", {"image": "registry.example/lms/backend:no-such-tag"}, told="no-such-tag not found in its registry"),
    Fault(
        102, "pull_secret_wrong", pod={"imagePullSecrets": [{"name": "wrong-token"}]}, told="refused the login of pull secret wrong-token"
    ),
    Fault(103, "pull_secret_missing", pod={"imagePullSecrets": [{"name": "no-such-token"}]}, told="pull secret no-such-token is missing"),
    Fault(104, "pull_secret_unset", pod={"imagePullSecrets": []}, told="it asks for a login"),
    Fault(105, "registry_unknown_host", {"image": "no-such-registry.example/lms/backend:dev"}, early=False),
    Fault(
        106, "crash", {"command": _fails(f"echo the settings are {CANARY}; echo ends now >&2; exit 3")}, log="ends now", told="exit code 3"
    ),
    Fault(107, "variable_missing", {"image": "registry.example/lms/backend:dev", "command": None}, log="LMS_"),
    Fault(108, "out_of_memory", {"command": _fails("a=xxxxxxxx; while :; do a=$a$a; done"), "memory": "24Mi"}, told="24Mi"),
    Fault(
        109,
        "liveness",
        {"livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}},
        pod={"terminationGracePeriodSeconds": 0},
        told="Liveness probe failed",
    ),
    Fault(110, "readiness", told="readiness probe fails", log="serving", early=False),
    Fault(111, "no_node_with_label", pod={"nodeSelector": {"rarus": "nowhere"}}, told="rarus=nowhere", early=False),
    Fault(112, "not_enough_room", {"cpu": "900"}, told="cpu", early=False),
    Fault(113, "quota", {"memory": "40Gi"}, told="quota verdict", object="ReplicaSet"),
    Fault(114, "pod_security", pod={"hostNetwork": True}, told="Pod Security restricted", object="ReplicaSet"),
    Fault(
        115,
        "reference_missing",
        {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "no-such-secret", "key": "x"}}}]},
        told="Secret verdict/no-such-secret is missing",
    ),
    Fault(
        116,
        "key_missing",
        {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "repository-token", "key": "no-such-key"}}}]},
        told="has no key `no-such-key`",
    ),
    Fault(117, "reference_missing", {"envFrom": [{"configMapRef": {"name": "no-such-config"}}]}, told="ConfigMap verdict/no-such-config"),
    Fault(
        118,
        "reference_missing",
        {"volumeMounts": [{"name": "key", "mountPath": "/etc/lms"}]},
        {"volumes": [{"name": "key", "secret": {"secretName": "no-such-key-secret"}}]},
        told="Secret verdict/no-such-key-secret is missing",
    ),
    Fault(
        119,
        "claim_missing",
        pod={"volumes": [{"name": "static", "persistentVolumeClaim": {"claimName": "no-such-claim"}}]},
        told="claim verdict/no-such-claim is missing",
    ),
    Fault(120, "program_missing", {"command": ["/no/such/program"]}, told="lacks the program"),
    Fault(121, "program_forbidden", {"command": ["/etc/passwd"]}, told="permission denied"),
    Fault(122, "limit_range", {"cpu": "1001"}, told="cpu usage per Container", object="ReplicaSet"),
    Fault(123, "program_ended", {"command": _fails("exit 0")}, told="exit code 0"),
    Fault(124, "service_account_missing", pod={"serviceAccountName": "no-such-account"}, told="no-such-account", object="ReplicaSet"),
    Fault(125, "image_name_invalid", {"image": "registry.example/LMS/backend:dev"}, told="is not the name of an image"),
    Fault(
        126, "image_never_pulled", {"image": "registry.example/lms/backend:never", "imagePullPolicy": "Never"}, told="forbids pulling it"
    ),
    Fault(
        127,
        "key_missing_in_volume",
        {"volumeMounts": [{"name": "key", "mountPath": "/etc/lms"}]},
        {"volumes": [{"name": "key", "secret": {"secretName": "repository-token", "items": [{"key": "no-such-key", "path": "x"}]}}]},
        told="`no-such-key`",
    ),
    Fault(128, "registry_down", {"image": "127.0.0.1:9/lms/backend:dev"}, told="connection refused", early=False),
    Fault(
        129,
        "claim_unbound",
        pod={"volumes": [{"name": "static", "persistentVolumeClaim": {"claimName": "unbound"}}]},
        told="bound to no volume yet",
        early=False,
    ),
    Fault(
        130,
        "mount_impossible",
        {"volumeMounts": [{"name": "work", "mountPath": "/etc/passwd"}]},
        {"volumes": [{"name": "work", "emptyDir": {}}]},
        told="cannot be mounted where the template puts it",
    ),
    Fault(131, "rollout_paused", spec={"paused": True}, told="is paused", object="Deployment"),
    Fault(132, "quota_wants_resources", {"resources": {}}, told="limits.memory", object="ReplicaSet"),
    Fault(
        133,
        "not_executable",
        {"command": ["/opt/program"], "volumeMounts": [{"name": "program", "mountPath": "/opt"}]},
        {"volumes": [{"name": "program", "configMap": {"name": "no-program", "defaultMode": 0o555}}]},
        told="exec format error",
    ),
    Fault(
        134,
        "startup",
        {"startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 300}},
        told="startup probe fails",
        log="serving",
        early=False,
    ),
)
# Ready pods that nobody can reach: what is laid over the Service, and how the client is published (`path`).
PATH_FAULTS = (
    Fault(301, "path_missing", told="there is no client-lms-ingress-c301", object="Ingress"),
    Fault(302, "tls_secret_missing", told="Secret verdict/no-such-tls is missing", object="Ingress"),
    Fault(303, "no_endpoints", told="sends requests to no pod", object="Service", early=False),
    Fault(304, "service_missing", told="Service lms-service-c304 is missing", object="Service"),
    Fault(311, "path_missing", told="there is no client-lms-route-c311", object="HTTPRoute"),
    Fault(312, "route_not_judged", told="no-such-gateway", object="HTTPRoute", early=False),
    Fault(314, "route_listener_unknown", told="no listener of that name", object="HTTPRoute"),
    Fault(315, "route_backend_missing", told="Service is not found", object="HTTPRoute", early=False),
    Fault(316, "route_reference_denied", told="no ReferenceGrant", object="HTTPRoute"),
)
# Objects that some of the above rest on.
SUPPORT: tuple[Obj, ...] = (
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "unbound", "namespace": "verdict"},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "no-program", "namespace": "verdict"},
        "data": {"program": "no program\n"},
    },
)


@dataclass(frozen=True)
class JobFault:
    """One Job that fails: what its container runs, and what must be told of it."""

    number: int
    cause: str
    script: str
    told: str
    spec: Obj = field(default_factory=dict)
    clickhouse: bool = False

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"


def _psql(host: str, password: str = "wrong") -> str:
    return f"export PGPASSWORD={password} PGCONNECT_TIMEOUT=3; psql --host={host} --username=postgres --command='SELECT 1'"


def _as_superuser(*statements: str) -> str:
    """Return a script that logs in with the lab's own password, and sends the statements in one transaction."""
    commands = " ".join(f"--command='{statement}'" for statement in ("BEGIN", *statements))
    return f"set -e; export PGPASSWORD=$SUPERUSER; psql --set=ON_ERROR_STOP=1 --host={POSTGRES} --username=postgres {commands}"


JOB_FAULTS = (
    JobFault(201, "administrator_password", _psql(POSTGRES), "PostgreSQL refused the administrator's password"),
    JobFault(202, "database_host_unknown", _psql("no-such-host.verdict.svc.cluster.local"), "its host name cannot be resolved"),
    # The lab's DNS has nobody to ask about other domains, and says so.
    JobFault(206, "cluster_dns", _psql("no-such-host.example"), "DNS gave no answer"),
    JobFault(203, "crash", "echo something; exit 5", "exit code 5"),
    JobFault(204, "setup_refused", "echo 'refused: not today.' >&2; exit 78", "the setup refused: not today."),
    JobFault(205, "database_closed", _psql("registry.example"), "its port is closed"),
    JobFault(208, "job_deadline", "read -rt 60 <> <(:)", "within its deadline of 2 s", spec={"activeDeadlineSeconds": 2}),
    JobFault(209, "database_tls", f"export PGSSLMODE=require; {_psql(POSTGRES)}", "server does not support SSL"),
    JobFault(210, "extension_absent", _as_superuser("CREATE EXTENSION nonesuch"), "lacks the extension nonesuch"),
    JobFault(211, "database_read_only", _as_superuser("SET transaction_read_only = on", "CREATE ROLE nobody"), "is a read-only standby"),
    JobFault(212, "administrator_rights", _as_superuser("SET ROLE pg_monitor", "CREATE ROLE nobody"), "permission denied to create role"),
    JobFault(
        213,
        "administrator_password",
        "clickhouse-client --host clickhouse.lms-dev.example --user default --password wrong --query 'SELECT 1'",
        "ClickHouse refused the administrator's password",
        clickhouse=True,
    ),
)


def environment(fault: Fault) -> list[Obj]:
    """Return the Deployment and the Service of a broken environment, labelled as the collection does it."""
    client, name = fault.client, fault.client.lower()
    changes = dict(fault.container)
    limits = {"cpu": changes.pop("cpu", "100m"), "memory": changes.pop("memory", "64Mi")}
    container = _container(name, SHELL_IMAGE, STAYS)
    container["resources"] = {
        "limits": limits,
        "requests": limits if "cpu" in fault.container or "memory" in fault.container else {"cpu": "1m"},
    }
    container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    container = {key: value for key, value in {**container, **changes}.items() if value is not None}
    deployment = {
        **_head("apps/v1", "Deployment", f"lms-deployment-{name}", client),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": f"{client}-lms"}},
            "template": {"metadata": {"labels": {"app": f"{client}-lms"}}, "spec": {**_pod(container), **fault.pod}},
            **fault.spec,
        },
    }
    return [deployment, _service(client)]


def unreachable(fault: Fault) -> list[Obj]:
    """Return an environment whose pods are ready, and whose Service or public path is broken as the fault's cause says."""
    serving = environment(Fault(fault.number, "", {"readinessProbe": None}))
    if fault.cause == "service_missing":
        serving = serving[:1]
    if fault.cause == "no_endpoints":
        serving[1]["spec"]["selector"] = {"app": "nobody"}
    if fault.cause == "path_missing":
        return serving
    return [*serving, _route(fault) if fault.object == "HTTPRoute" else _ingress(fault)]


def _ingress(fault: Fault) -> Obj:
    name = fault.client.lower()
    backend = {"service": {"name": f"lms-service-{name}", "port": {"number": 8080}}}
    path = {"path": f"/{fault.client}", "pathType": "Prefix", "backend": backend}
    tls = {"hosts": ["verdict.example"], "secretName": "no-such-tls" if fault.cause == "tls_secret_missing" else "repository-token"}
    return {
        **_head("networking.k8s.io/v1", "Ingress", f"client-lms-ingress-{name}", fault.client),
        "spec": {"ingressClassName": "nginx", "tls": [tls], "rules": [{"host": "verdict.example", "http": {"paths": [path]}}]},
    }


def _route(fault: Fault) -> Obj:
    name = fault.client.lower()
    parent = {"name": "no-such-gateway" if fault.cause == "route_not_judged" else "public", "namespace": "gateway"}
    if fault.cause == "route_listener_unknown":
        parent["sectionName"] = "no-such-listener"
    backend: Obj = {"name": "no-such-service" if fault.cause == "route_backend_missing" else f"lms-service-{name}", "port": 8080}
    if fault.cause == "route_reference_denied":
        backend = {"name": "kubernetes", "namespace": "default", "port": 443}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": f"/verdict-{name}"}}], "backendRefs": [backend]}
    return {
        **_head("gateway.networking.k8s.io/v1", "HTTPRoute", f"client-lms-route-{name}", fault.client),
        "spec": {"parentRefs": [parent], "hostnames": ["verdict.example"], "rules": [rule]},
    }


def _service(client: str) -> Obj:
    return {
        **_head("v1", "Service", f"lms-service-{client.lower()}", client),
        "spec": {"selector": {"app": f"{client}-lms"}, "ports": [{"port": 8080}]},
    }


def _head(api_version: str, kind: str, name: str, client: str) -> Obj:
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client, "app": f"{client}-lms"}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "verdict", "labels": labels}}


def job(fault: JobFault) -> Obj:
    """Return a database Job that fails."""
    names = ("clickhouse-setup", CLICKHOUSE_IMAGE) if fault.clickhouse else ("postgres-client", SHELL_IMAGE)
    container = _container(*names, _fails(fault.script))
    container["resources"] = {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "1m"}}
    container["env"] = [{"name": "SUPERUSER", "valueFrom": {"secretKeyRef": {"name": "postgres-superuser", "key": "password"}}}]
    refusals = {"action": "FailJob", "onExitCodes": {"containerName": names[0], "operator": "In", "values": [78]}}
    return {
        **_head("batch/v1", "Job", f"postgres-setup-{fault.client.lower()}-0badc0de", fault.client),
        "spec": {
            "backoffLimit": 1,
            "podFailurePolicy": {"rules": [refusals]},
            "template": {"spec": {**_pod(container), "restartPolicy": "Never"}},
            **fault.spec,
        },
    }


def _pod(container: Obj) -> Obj:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "imagePullSecrets": [{"name": "repository-token"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }


def _container(name: str, image: str, command: list[str]) -> Obj:
    return {
        "name": name,
        "image": image,
        "command": command,
        "imagePullPolicy": "Always",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def docker_login(name: str, user: str, password: str) -> Obj:
    """Return a pull secret of the lab's registry."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    config = json.dumps({"auths": {"registry.example": {"username": user, "password": password, "auth": login}}})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": "verdict"},
        "stringData": {".dockerconfigjson": config},
    }
