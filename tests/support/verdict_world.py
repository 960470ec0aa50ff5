# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What broken environments need of the world around them: admission, images, nodes, rights beyond a deployer's."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from images import MANIFEST_TYPE, Image, Registry, RootFolder, compact, digest_of

from .certificates import Authority
from .diagnosis_cases import laid_over
from .lab import Lab
from .verdict_faults import NAMESPACE, Fault, Obj

__all__ = [
    "BLOCKED_FAULT",
    "CLUSTER_FAULTS",
    "CLUSTER_RIGHTS",
    "GOING_FAULT",
    "NODES",
    "SILENT_FAULT",
    "SILENT_NODE",
    "SINGLE_FAULTS",
    "UNSEEN_FAULT",
    "admission",
    "node_status",
    "odd_images",
    "refusing_webhook",
]

DENIAL = "not today"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
# Faults that are told where a token may read what belongs to the cluster.
CLUSTER_FAULTS = (
    Fault(401, "node_not_ready", pod={"nodeName": "verdict-away"}, told="verdict-away", early=False),
    Fault(403, "ingress_class_missing", told="Ingress class nobody", object="Ingress"),
    Fault(404, "taint", pod={"nodeSelector": {"verdict": "tainted"}}, told="example.com/verdict=yes", early=False),
)
# The same, where no node is left but one that is not ready.
SILENT_FAULT = Fault(405, "nodes_not_ready", pod={"nodeSelector": {"verdict": "silent"}}, told="node.kubernetes.io/", early=False)
# Nodes that have the label have a taint, others have neither, and the token may not see which is which.
UNSEEN_FAULT = Fault(407, "no_node_open", pod={"nodeSelector": {"verdict": "tainted"}}, told="verdict=tainted", early=False)
# Faults that a test of its own makes: a deletion that a finalizer blocks, and a namespace that is being deleted.
BLOCKED_FAULT = Fault(402, "deletion_blocked", {"readinessProbe": None}, told="example.com/verdict", object="Deployment")
GOING_FAULT = Fault(406, "namespace_terminating", told="namespace verdict-going is being deleted", object="Namespace")
SINGLE_FAULTS = (BLOCKED_FAULT, GOING_FAULT)
_NAMES = {"name": "verdict-cluster"}
_RBAC = "rbac.authorization.k8s.io"
CLUSTER_RIGHTS: tuple[Obj, ...] = (
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": _NAMES,
        "rules": [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingressclasses"], "verbs": ["get", "list"]},
        ],
    },
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _NAMES,
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": NAMESPACE}],
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", **_NAMES},
    },
)


def _node(name: str, *taints: Obj) -> Obj:
    spec = {"taints": [{**taint, "effect": "NoSchedule"} for taint in taints]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"verdict-{name}", "labels": {"verdict": name}}, "spec": spec}


# Nodes that run nothing: of the first Kubernetes knows nothing, the other says that it is ready. Both have a taint from the beginning.
NODES: tuple[Obj, ...] = (_node("away", {"key": "example.com/away"}), _node("tainted", {"key": "example.com/verdict", "value": "yes"}))
# It has no taint but what Kubernetes itself puts on a node that is not ready.
SILENT_NODE = _node("silent")
# What is asked of whom before a pod of these clients is made.
_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
_HERE = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}


def _of(number: int) -> Obj:
    return {"matchLabels": {"app": f"C{number}-lms"}}


def admission(url: str, authority: str) -> list[Obj]:
    """Return a policy that refuses the pods of C145, a webhook that is down for C146, and one at `url` that is asked for C147."""
    group, name = "admissionregistration.k8s.io/v1", {"name": "refused-clients"}
    rule = {"expression": "false", "message": "clients of number 145 are refused"}
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": name,
        "spec": {
            "matchConstraints": {"namespaceSelector": _HERE, "objectSelector": _of(145), "resourceRules": [_PODS]},
            "validations": [rule],
        },
    }
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": name,
        "spec": {"policyName": "refused-clients", "validationActions": ["Deny"]},
    }
    webhooks = [
        {
            "name": f"{word}.verdict.example",
            "clientConfig": config,
            "rules": [_PODS],
            "namespaceSelector": _HERE,
            "objectSelector": _of(number),
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
        for word, number, config in (("down", 146, {"url": "https://127.0.0.1:9/"}), ("denies", 147, {"url": url, "caBundle": authority}))
    ]
    hooks = {"apiVersion": group, "kind": "ValidatingWebhookConfiguration", "metadata": name, "webhooks": webhooks}
    return [policy, binding, hooks]


class _Refusal(BaseHTTPRequestHandler):
    """Refuses whatever it is asked for."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": DENIAL}}
        answer = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def refusing_webhook(lab: Lab, folder: Path) -> Iterator[str]:
    """Run a webhook that refuses everything, at the host's end of the lab's wire; give its URL."""
    host = f"{lab.facts['names']['rancher.example'].rpartition('.')[0]}.1"
    pki = lab.state / "pki"
    pem = Authority.read(Path(lab.facts["api"]["ca_file"]), pki / "ca.key").issue(folder / "webhook.pem", address=host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer((host, 0), _Refusal) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://{host}:{server.server_address[1]}/"
        finally:
            server.shutdown()


@dataclass(frozen=True)
class OddImage(Image):
    """An image whose configuration differs from what the lab's images have."""

    changes: Obj = field(default_factory=dict)

    @cached_property
    def config(self) -> bytes:
        """The configuration with the changes laid over it."""
        return compact(laid_over(json.loads(super().config), self.changes))


def odd_images(lab: Lab) -> None:
    """Push an image for another processor alone, and one that runs as root."""
    facts = lab.facts["registry"]
    registry = Registry(facts["push_url"], facts["user"], Path(facts["password_file"]))
    layer = RootFolder().layer()
    registry.push(OddImage("verdict/root", "1", layer, ("/program",), changes={"config": {"User": "0"}}))
    other = OddImage("verdict/other-processor", "arm64", layer, ("/program",), changes={"architecture": "arm64"})
    registry.push(other)
    platform = {"os": "linux", "architecture": "arm64"}
    manifest = {"mediaType": MANIFEST_TYPE, "digest": digest_of(other.manifest), "size": len(other.manifest), "platform": platform}
    index = compact({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [manifest]})
    login = base64.b64encode(f"{facts['user']}:{lab.secret(facts['password_file'])}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": INDEX_TYPE}
    url = f"{facts['push_url'].rstrip('/')}/v2/{other.repository}/manifests/1"
    with urllib.request.urlopen(urllib.request.Request(url, data=index, method="PUT", headers=headers)) as answer:
        assert answer.status == HTTPStatus.CREATED


def node_status(*, ready: bool) -> str:
    """Return the status of a node that has just said whether it is ready, as JSON; until then its reason depends on its age."""
    now = dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    word = {"status": "True", "reason": "KubeletReady"}
    if not ready:
        word = {
            "status": "False",
            "reason": "KubeletNotReady",
            "message": "container runtime network not ready: cni plugin not initialized",
        }
    condition = {"type": "Ready", **word, "lastHeartbeatTime": now, "lastTransitionTime": now}
    room = {"cpu": "1", "memory": "1Gi", "pods": "10"}
    return json.dumps({"status": {"conditions": [condition], "allocatable": room, "capacity": room}})
