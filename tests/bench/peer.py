"""The same objects by kubectl apply, for a client of another id: what ours is compared with."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from measure import Run, measure
from support.lab import Lab, Prepared

__all__ = ["apply_by_kubectl"]

KINDS = "secrets,configmaps,services,ingresses,deployments,jobs"
WAIT_SECONDS = 120
FIRST = {"Secret", "Job"}
MADE_BY_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "ownerReferences")
SCRIPT = """
set -e
kubectl="kubectl --kubeconfig=/dev/null --namespace=$1"
kubectl="$kubectl --server=$K8S_AUTH_HOST --token=$K8S_AUTH_API_KEY --certificate-authority=$K8S_AUTH_SSL_CA_CERT"
$kubectl apply -f "$2"
$kubectl wait jobs -l rarus.lms/client="$4" --for=condition=Complete --timeout="$5s"
$kubectl apply -f "$3"
$kubectl rollout status deployments -l rarus.lms/client="$4" --timeout="$5s"
"""


def apply_by_kubectl(lab: Lab, prepared: Prepared, source: str, client: str, folder: Path) -> Run:
    """Apply what the source client has, with the other client's id in its place: Secrets and Jobs, then, once these are done, the rest."""
    live = lab.get(KINDS, namespace=prepared.namespace, selector=f"rarus.lms/client={source}")["items"]
    objects = [renamed(obj, source, client) for obj in live if not obj["metadata"]["name"].startswith("lms-client-")]
    files = folder / "first.json", folder / "then.json"
    for path, kinds in zip(files, (FIRST, {obj["kind"] for obj in objects} - FIRST), strict=True):
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [obj for obj in objects if obj["kind"] in kinds]}))
    words = [prepared.namespace, *map(str, files), client, str(WAIT_SECONDS)]
    return measure(lab.command("sh", "-c", SCRIPT, "peer", *words), env=prepared.env)


def renamed(obj: dict[str, Any], source: str, client: str) -> dict[str, Any]:
    """Return an object as somebody would have written it for another client."""
    if obj["kind"] == "Secret":
        obj["data"] = {key: secret_value(value, source, client) for key, value in obj["data"].items()}
    text = replaced(json.dumps(obj), source, client)
    found: dict[str, Any] = json.loads(text)
    found.pop("status", None)
    for name in MADE_BY_THE_SERVER:
        found["metadata"].pop(name, None)
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        found.get("spec", {}).pop(name, None)
    if found["kind"] == "Job":
        del found["spec"]["selector"]
        found["spec"]["template"]["metadata"]["labels"] = found["metadata"]["labels"]
    return found


def replaced(text: str, source: str, client: str) -> str:
    """Return a text with one client's id and name where the other's were."""
    return text.replace(source, client).replace(source.lower(), client.lower())


def secret_value(value: str, source: str, client: str) -> str:
    """Return a value of a Secret, base64 as it stands there, for the other client."""
    content = base64.b64decode(value).decode("latin-1")  # any byte is a character there
    return base64.b64encode(replaced(content, source, client).encode("latin-1")).decode()
