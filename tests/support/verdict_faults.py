# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that fail for real, each in one way: objects for a lab, and the cause that has to be named."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

from .backend import BACKEND_SETTINGS

__all__ = [
    "CLICKHOUSE_IMAGE",
    "FAULTS",
    "NAMESPACE",
    "POSTGRES",
    "SERVERS",
    "SHELL_IMAGE",
    "SUPPORT",
    "Fault",
    "Obj",
    "backend",
    "container_of",
    "docker_login",
    "dsn",
    "environment",
    "fails",
    "head",
    "pod_of",
]

Obj = dict[str, t.Any]
NAMESPACE = "verdict"
POSTGRES = "postgres.lms-dev.example"
# Ports of further servers at the same address (`verdict_databases`), by what is wrong with them.
SERVERS = {"full": 5441, "standby": 5442, "small": 5443, "brief": 5444}
BACKEND_IMAGE = "registry.example/lms/backend:dev"
CLICKHOUSE_IMAGE = "registry.example/tools/clickhouse-client:1"
SHELL_IMAGE = "registry.example/tools/postgres-client:15"
# Runs until it is told to end, and needs nothing but bash.
STAYS = ["/bin/bash", "-c", "trap 'exit 0' TERM; echo serving; while :; do read -rt 1 <> <(:); done"]
CANARY = "canary-7Hq2pZ"


@dataclass(frozen=True)
class Fault:
    """One broken environment: what is laid over the container and the pod, and what must be told of it.

    early: it will not heal, so that the verdict comes before the wait is over. phase: `ready` where the cause is a note.
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
    phase: str = "failed"

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"


def fails(script: str) -> list[str]:
    """Return the command of a container that runs a script."""
    return ["/bin/bash", "-c", script]


def dsn(server: str = f"{POSTGRES}:5432", database: str = "postgres", password: str = "$(PASSWORD)") -> str:
    return f"postgres://postgres:{password}@{server}/{database}?sslmode=disable"


# The databases are the administrator's own.
WHOLE_SETTINGS = {
    **BACKEND_SETTINGS,
    "LMS_KEYS_SECRET_SEED": "0123456789abcdef" * 8,
    "LMS_NOTIFICATIONS_SMS4B_TOKEN": "good for nothing",
    "LMS_STORAGE_CLICKHOUSE_DSN": "clickhouse://default:$(CLICKHOUSE_PASSWORD)@clickhouse.lms-dev.example:9000/default",
    "LMS_STORAGE_POSTGRES_DSN": dsn(),
}


def backend(number: int, cause: str, changes: t.Mapping[str, str], **more: t.Any) -> Fault:
    """Return the fault of a whole back end with some variables changed."""
    secrets = {"PASSWORD": "postgres-admin", "CLICKHOUSE_PASSWORD": "clickhouse-admin"}
    env: list[Obj] = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}} for name, secret in secrets.items()
    ]
    env += [{"name": name, "value": value} for name, value in {"LMS_CLIENT_ID": f"C{number}", **WHOLE_SETTINGS, **changes}.items()]
    container = {"image": BACKEND_IMAGE, "command": None, "env": env, "volumeMounts": [{"name": "key", "mountPath": "/etc/lms"}]}
    container |= more.pop("container", {})
    pod = {"volumes": [{"name": "key", "secret": {"secretName": "backend-key"}}], **more.pop("pod", {})}
    return Fault(number, cause, container, pod, **more)


def _claim(name: str) -> Obj:
    """Return a pod's specification with a volume by a claim."""
    return {"volumes": [{"name": "static", "persistentVolumeClaim": {"claimName": name}}]}


def container_of(name: str, image: str, command: list[str]) -> Obj:
    """Return a container by Pod Security `restricted`."""
    return {
        "name": name,
        "image": image,
        "command": command,
        "imagePullPolicy": "Always",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _until_dark() -> Obj:
    """Return an init container that ends once it finds no host by its name any more."""
    container = container_of("until-dark", SHELL_IMAGE, fails(f"while getent hosts {POSTGRES}; do read -rt 0.2 <> <(:); done"))
    return {**container, "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "1m"}}}


_MOUNTED: Obj = {"volumeMounts": [{"name": "static", "mountPath": "/mnt/image/static"}]}
FAULTS = (
    Fault(101, "image_not_found", {"image": "registry.example/lms/backend:no-such-tag"}, told="no-such-tag not found in its registry"),
    Fault(
        102, "pull_secret_wrong", pod={"imagePullSecrets": [{"name": "wrong-token"}]}, told="refused the login of pull secret wrong-token"
    ),
    Fault(103, "pull_secret_missing", pod={"imagePullSecrets": [{"name": "no-such-token"}]}, told="pull secret no-such-token is missing"),
    Fault(104, "pull_secret_unset", pod={"imagePullSecrets": []}, told="it asks for a login"),
    Fault(105, "registry_unknown_host", {"image": "no-such-registry.example/lms/backend:dev"}, early=False),
    Fault(
        106,
        "crash",
        {"command": fails(f"echo the settings are {CANARY} >&2; echo ends now >&2; exit 3")},
        log="ends now",
        told="exit code 3",
    ),
    Fault(107, "variable_missing", {"image": "registry.example/lms/backend:dev", "command": None}, log="LMS_"),
    Fault(108, "out_of_memory", {"command": fails("a=xxxxxxxx; while :; do a=$a$a; done"), "memory": "24Mi"}, told="24Mi"),
    Fault(
        109,
        "liveness",
        {"livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}},
        pod={"terminationGracePeriodSeconds": 5},
        told="Liveness probe failed",
    ),
    Fault(110, "readiness", told="readiness probe fails", log="serving", early=False),
    Fault(111, "no_node_with_label", pod={"nodeSelector": {"rarus": "nowhere"}}, told="rarus=nowhere", early=False),
    Fault(112, "not_enough_room", {"cpu": "900"}, told="cpu", early=False),
    Fault(113, "quota", {"memory": "40Gi"}, told="quota limits", object="ReplicaSet"),
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
    Fault(123, "program_ended", {"command": fails("exit 0")}, told="exit code 0"),
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
        pod={"volumes": [{"name": "static", "persistentVolumeClaim": {"claimName": "unbound-c129"}}]},
        told="claim verdict/unbound-c129 is bound to no volume yet",
        object="PersistentVolumeClaim",
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
    Fault(
        135, "pull_secret_wrong", pod={"imagePullSecrets": [{"name": "format-token"}]}, told="refused the login of pull secret format-token"
    ),
    Fault(136, "image_platform", {"image": "registry.example/verdict/other-processor:1"}, told="no build for the processor"),
    backend(137, "variable_unresolved", {"LMS_STORAGE_POSTGRES_DSN": dsn(password="$(NO_SUCH)")}, log="$(NO_SUCH)", told="$(NO_SUCH)"),
    backend(
        138,
        "client_password",
        {"LMS_STORAGE_POSTGRES_DSN": dsn(password="wrong")},
        log="password authentication failed",
        told="PostgreSQL refused the client's own password",
    ),
    backend(
        139,
        "database_missing",
        {"LMS_STORAGE_POSTGRES_DSN": dsn(database="nonesuch")},
        log="does not exist",
        told="PostgreSQL has no database of the client's",
    ),
    backend(140, "variable_wrong", {"LMS_KEYS_TOKEN_TTL_HOURS": "eight"}, log="eight", told="refuses LMS_KEYS_TOKEN_TTL_HOURS"),
    backend(
        141,
        "client_rights",
        {"LMS_STORAGE_POSTGRES_DSN": dsn(f"{POSTGRES}:{SERVERS['small']}", database="template1")},
        log="function digest",
        told="PostgreSQL denies the client a right",
    ),
    # Its server goes once it serves.
    backend(
        142,
        "database_closed",
        {"LMS_STORAGE_POSTGRES_DSN": dsn(f"{POSTGRES}:{SERVERS['brief']}")},
        container={"livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}},
        log="connection refused",
        told="PostgreSQL accepts no connection",
        early=False,
    ),
    Fault(
        143,
        "rollout_deadline",
        {"readinessProbe": None},
        {"readinessGates": [{"conditionType": "example.com/never"}]},
        spec={"progressDeadlineSeconds": 3},
        told="no progress for 3 s",
        object="Deployment",
    ),
    Fault(144, "class_missing", pod={"priorityClassName": "no-such-class"}, told="PriorityClass no-such-class", object="ReplicaSet"),
    Fault(145, "policy_denied", told="clients of number 145 are refused", object="ReplicaSet"),
    Fault(146, "webhook_down", told="admission webhook down.verdict.example does not answer", object="ReplicaSet", early=False),
    Fault(147, "webhook_denied", told="admission webhook denies.verdict.example refuses the pod: not today", object="ReplicaSet"),
    Fault(
        148,
        "runs_as_root",
        {"image": "registry.example/verdict/root:1"},
        {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
        told="wants to run as root",
    ),
    Fault(149, "registry_certificate", {"image": "rancher.example/lms/backend:dev"}, told="does not trust the certificate"),
    Fault(150, "nfs_helper_missing", _MOUNTED, _claim("nfs"), told="it has no NFS client"),
    Fault(151, "host_path_missing", _MOUNTED, _claim("no-folder"), told="lacks the folder of volume verdict-no-folder"),
    Fault(152, "volume_elsewhere", _MOUNTED, _claim("elsewhere"), told="tied to other nodes", early=False),
    Fault(
        153,
        "unresolved_reference",
        {"env": [{"name": "DSN", "value": "postgres://c153:$(NO_SUCH)@host/c153"}], "command": fails("exit 1")},
        told="DSN: $(NO_SUCH)",
    ),
    Fault(
        154,
        "restarted",
        {
            "command": fails(f"[ -e /work/begun ] || {{ >/work/begun; exit 3; }}; {STAYS[2]}"),
            "volumeMounts": [{"name": "work", "mountPath": "/work"}],
            "readinessProbe": None,
        },
        {"volumes": [{"name": "work", "emptyDir": {}}]},
        told="it ended with exit code 3",
        phase="ready",
    ),
    # A NetworkPolicy leaves it everything but the DNS (`verdict_jobs.WALLS`), once that is known to the node.
    backend(
        155,
        "cluster_dns",
        {},
        pod={"initContainers": [_until_dark()]},
        log=POSTGRES,
        told="DNS gave no answer for the host of PostgreSQL",
        early=False,
    ),
)


def _bound(name: str, **volume: t.Any) -> list[Obj]:
    """Return a claim and the volume that is its own."""
    common: Obj = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    claim = {**common, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": f"verdict-{name}"}
    owner = {"namespace": NAMESPACE, "name": name}
    spec = {**common, "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain", "claimRef": owner, **volume}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": claim},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"verdict-{name}"}, "spec": spec},
    ]


_NOWHERE = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["nowhere"]}
# Objects that some of the above rest on.
SUPPORT: tuple[Obj, ...] = (
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "unbound-c129", "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}},
    },
    *_bound("nfs", nfs={"server": "silent.example", "path": "/mnt/nfs"}),
    *_bound("no-folder", hostPath={"path": "/no/such/folder", "type": "Directory"}),
    *_bound(
        "elsewhere",
        hostPath={"path": "/tmp"},
        nodeAffinity={"required": {"nodeSelectorTerms": [{"matchExpressions": [_NOWHERE]}]}},
    ),
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "no-program", "namespace": NAMESPACE},
        "data": {"program": "no program\n"},
    },
    # What the log of C106 shows, and nobody may read.
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "lms-credentials-c106", "namespace": NAMESPACE},
        "stringData": {"seed": CANARY},
    },
    # A pull secret in a format that no kubelet reads.
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "format-token", "namespace": NAMESPACE},
        "stringData": {"username": "lab", "password": "not read"},
    },
)


def environment(fault: Fault) -> list[Obj]:
    """Return the Deployment and the Service of a broken environment, labelled as the collection does it."""
    client, name = fault.client, fault.client.lower()
    changes = dict(fault.container)
    limits = {"cpu": changes.pop("cpu", "100m"), "memory": changes.pop("memory", "64Mi")}
    container = container_of(name, SHELL_IMAGE, STAYS)
    container["resources"] = {
        "limits": limits,
        "requests": limits if "cpu" in fault.container or "memory" in fault.container else {"cpu": "1m"},
    }
    container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    container = {key: value for key, value in {**container, **changes}.items() if value is not None}
    deployment = {
        **head("apps/v1", "Deployment", f"lms-deployment-{name}", client),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": f"{client}-lms"}},
            "template": {"metadata": {"labels": {"app": f"{client}-lms"}}, "spec": {**pod_of(container), **fault.pod}},
            **fault.spec,
        },
    }
    return [deployment, _service(client)]


def _service(client: str) -> Obj:
    return {
        **head("v1", "Service", f"lms-service-{client.lower()}", client),
        "spec": {"selector": {"app": f"{client}-lms"}, "ports": [{"port": 8080}]},
    }


def head(api_version: str, kind: str, name: str, client: str) -> Obj:
    """Return what a client's object begins with, labelled as the collection does it."""
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": client, "app": f"{client}-lms"}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}


def pod_of(container: Obj) -> Obj:
    """Return a pod's specification with one container."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "imagePullSecrets": [{"name": "repository-token"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }


def docker_login(name: str, user: str, password: str) -> Obj:
    """Return a pull secret of the lab's registry."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    config = json.dumps({"auths": {"registry.example": {"username": user, "password": password, "auth": login}}})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {".dockerconfigjson": config},
    }
