# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that fail for real, each in one way: objects for a lab, and the cause that has to be named."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

__all__ = ["FAULTS", "JOB_FAULTS", "Fault", "JobFault", "docker_login", "environment", "job"]

Obj = dict[str, t.Any]
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
)


@dataclass(frozen=True)
class JobFault:
    """One Job that fails: what its container runs, and what must be told of it."""

    number: int
    cause: str
    script: str
    told: str
    pod: Obj = field(default_factory=dict)
    early: bool = True

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"


def _psql(host: str, password: str = "wrong") -> str:
    return f"export PGPASSWORD={password} PGCONNECT_TIMEOUT=3; psql --host={host} --username=postgres --command='SELECT 1'"


JOB_FAULTS = (
    JobFault(201, "administrator_password", _psql("postgres.lms-dev.example"), "PostgreSQL refused the administrator's password"),
    JobFault(202, "database_host_unknown", _psql("no-such-host.verdict.svc.cluster.local"), "its host name cannot be resolved"),
    # The lab's DNS has nobody to ask about other domains, and says so.
    JobFault(206, "cluster_dns", _psql("no-such-host.example"), "DNS gave no answer", early=False),
    JobFault(203, "crash", "echo something; exit 5", "exit code 5"),
    JobFault(204, "setup_refused", "echo 'refused: not today.' >&2; exit 78", "the setup refused: not today."),
    JobFault(205, "database_closed", _psql("registry.example"), "its port is closed"),
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
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client, "app": f"{client}-lms"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"lms-deployment-{name}", "namespace": "verdict", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": f"{client}-lms"}},
            "template": {"metadata": {"labels": {"app": f"{client}-lms"}}, "spec": {**_pod(container), **fault.pod}},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"lms-service-{name}", "namespace": "verdict", "labels": labels},
        "spec": {"selector": {"app": f"{client}-lms"}, "ports": [{"port": 8080}]},
    }
    return [deployment, service]


def job(fault: JobFault) -> Obj:
    """Return a database Job that fails."""
    container = _container("postgres-client", SHELL_IMAGE, _fails(fault.script))
    container["resources"] = {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "1m"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"postgres-setup-{fault.client.lower()}-0badc0de",
            "namespace": "verdict",
            "labels": {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": fault.client},
        },
        "spec": {
            "backoffLimit": 1,
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onExitCodes": {"containerName": "postgres-client", "operator": "In", "values": [78]}}]
            },
            "template": {"spec": {**_pod(container), "restartPolicy": "Never", **fault.pod}},
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
