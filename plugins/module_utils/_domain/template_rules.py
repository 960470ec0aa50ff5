# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rendered request must be: one object of one client, in the catalogue's namespace, without a secret and without another's name."""

from __future__ import annotations

import re
import typing as t

from .client_id import ClientId
from .names import APP_LABEL, CLIENT_LABEL
from .templates import Place, Tree

__all__ = ["Fault", "containers_of", "faults_of", "is_name", "pod_template_of", "shown_place", "texts_of"]

Fault = tuple[Place, str]

# Kinds without a namespace, which a client's token may not touch, and lists, which are several objects.
CLUSTER_KINDS = frozenset({
    "APIService", "ClusterRole", "ClusterRoleBinding", "CSIDriver", "CSINode", "CustomResourceDefinition", "GatewayClass", "IngressClass",
    "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass",
    "ValidatingWebhookConfiguration", "VolumeAttachment",
})  # fmt: skip

NAME_KEYS = frozenset(
    {"name", "generateName", "secretName", "claimName", "volumeName", "serviceName", "serviceAccountName", "priorityClassName"}
)
# Lists whose entries have a `name` that is no Kubernetes object's.
FREE_NAMES = frozenset({"env", "httpHeaders", "set", "add", "headers", "queryParams", "sysctls", "options"})

OWN_NAME: Place = ("metadata", "name")

# A client's name within an object's name, such as c42 in lms-config-c42.
_CLIENT_IN_NAME = re.compile(r"(?<![A-Za-z0-9])[Cc]([1-9][0-9]{0,8})(?![A-Za-z0-9])")
# Names that only this collection gives (names.py), and what selects or holds one client's things.
_OURS = re.compile(
    r"(?:lms-(?:client|credentials|config|service|deployment)|rsa-secret|client-lms-(?:ingress|route)|(?:postgres|clickhouse)-setup)-c([1-9][0-9]{0,8})"
)
_APP = re.compile(r"C([1-9][0-9]{0,8})-lms")
_ID = re.compile(r"C([1-9][0-9]{0,8})")
_REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\(([-._a-zA-Z0-9]+)\)")


def faults_of(obj: Tree, client: ClientId, namespace: str) -> list[Fault]:
    """Return what is wrong with a rendered document, each with its place; nothing when it is a request of this client."""
    if not isinstance(obj, dict):
        what = "is empty" if obj is None else f"is a {type(obj).__name__}"
        return [((), f"{what}. Expected one Kubernetes object with apiVersion, kind and metadata.")]
    metadata = obj.get("metadata")
    faults: list[Fault] = [
        ((key,), f"{key} is missing. Expected one Kubernetes object with apiVersion, kind and metadata.")
        for key in ("apiVersion", "kind")
        if not isinstance(obj.get(key), str) or not obj[key]
    ]
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        faults.append((("metadata",), "metadata.name is missing. Expected a name that ends with {{ client-name }}."))
    else:
        faults += [
            (("metadata", key), f"metadata.{key} is not a dictionary.")
            for key in ("labels", "annotations")
            if not isinstance(metadata.get(key, {}), dict)
        ]
    if faults:
        return faults
    return [*_wrong_kind(obj), *_wrong_place(obj, client, namespace), *_wrong_leaves(obj, client, namespace), *_wrong_references(obj)]


def pod_template_of(obj: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the pod template of a workload (Deployment, StatefulSet, DaemonSet, Job, CronJob); None for all else."""
    spec = obj.get("spec")
    if obj.get("kind") == "CronJob" and isinstance(spec, dict):
        spec = (spec.get("jobTemplate") or {}).get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    return template if isinstance(template, dict) and isinstance(template.get("spec"), dict) else None


def containers_of(pod_template: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the containers of a pod template, those that run before the others first."""
    spec = pod_template["spec"]
    return [part for part in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])] if isinstance(part, dict)]


def shown_place(place: Place) -> str:
    """Return a place as people write it: spec.template.spec.containers[0].name."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def is_name(place: Place) -> bool:
    """Return whether a text at this place names a Kubernetes object, a container or a volume."""
    if not place or place[-1] not in NAME_KEYS or "annotations" in place or "labels" in place:
        return False
    return not (len(place) > 2 and isinstance(place[-2], int) and place[-3] in FREE_NAMES)


def _wrong_kind(obj: Tree) -> list[Fault]:
    kind = obj["kind"]
    if kind == "Secret":
        return [
            (
                ("kind",),
                "a Secret is not made from a template: its values would pass through the run. Refer to an existing one by name and key.",
            )
        ]
    if kind in CLUSTER_KINDS:
        return [(("kind",), f"a {kind} belongs to the whole cluster. Expected an object of the catalogue's namespace.")]
    if kind == "List" or (kind.endswith("List") and "items" in obj):
        return [(("kind",), f"a {kind} is several objects. Expected one object a file.")]
    return []


def _wrong_place(obj: Tree, client: ClientId, namespace: str) -> list[Fault]:
    """Return faults of the object's own namespace and name."""
    metadata = obj["metadata"]
    faults: list[Fault] = []
    found = metadata.get("namespace", namespace)
    if found != namespace:
        sentence = f"metadata.namespace is {found}, and the catalogue's is {namespace}. Leave it out, or write {{{{ namespace-id }}}}."
        faults.append((("metadata", "namespace"), sentence))
    numbers = {int(number) for number in _CLIENT_IN_NAME.findall(metadata["name"])}
    if numbers - {client.number}:
        sentence = f"metadata.name is {metadata['name']}, which is client C{min(numbers - {client.number})}'s. Write {{{{ client-name }}}}."
        faults.append((OWN_NAME, sentence))
    elif not numbers:
        faults.append((OWN_NAME, f"metadata.name is {metadata['name']} for every client. Write {metadata['name']}-{{{{ client-name }}}}."))
    return faults


def _wrong_leaves(obj: Tree, client: ClientId, namespace: str) -> list[Fault]:
    """Return faults of single texts, wherever they stand."""
    faults: list[Fault] = []
    for place, value in texts_of(obj):
        fault = _wrong_leaf(place, value, client, namespace)
        if fault:
            faults.append((place, f"{shown_place(place)} is {value}{fault}"))
    return faults


def texts_of(node: Tree, place: Place = ()) -> t.Iterator[tuple[Place, str]]:
    """Yield every text of the document with its place; other leaves that JSON does not have are not in a document."""
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, part in node.items():
            yield from texts_of(part, (*place, key))
    elif isinstance(node, list):
        for index, part in enumerate(node):
            yield from texts_of(part, (*place, index))


def _wrong_leaf(place: Place, value: str, client: ClientId, namespace: str) -> str:
    """Return how the sentence about a wrong text goes on; empty when it is right."""
    key = place[-1] if place else ""
    if client.id in value and is_name(place):
        return ": a Kubernetes name has no capital letters. Write {{ client-name }} instead of {{ client-id }}."
    if key == "namespace" and "backendRefs" in place and value != namespace:
        return f", and the catalogue's namespace is {namespace}. Leave it out."
    form = {APP_LABEL: _APP, CLIENT_LABEL: _ID, "subPath": _ID, "LMS_CLIENT_ID": _ID}.get(str(key), _OURS)
    foreign = form.fullmatch(value)
    if foreign and int(foreign[1]) != client.number and place != OWN_NAME:
        return f", which is client C{foreign[1]}'s. Write {{{{ client-id }}}} or {{{{ client-name }}}}."
    return ""


def _wrong_references(obj: Tree) -> list[Fault]:
    """Return a fault for each $(NAME) in a container's env that no entry above it defines: the kubelet would leave it as text."""
    template = pod_template_of(obj)
    faults: list[Fault] = []
    for container in containers_of(template) if template else []:
        above: set[str] = set()
        for entry in container.get("env") or []:
            if not isinstance(entry, dict):
                continue
            for name in _REFERENCE.findall(str(entry.get("value") or "")):
                if name not in above:
                    sentence = f"env {entry.get('name')} refers to $({name}), which no entry above it defines; the kubelet would leave it."
                    faults.append((_place_of_entry(obj, container, entry), sentence))
            above.add(str(entry.get("name")))
    return faults


def _place_of_entry(node: Tree, container: Tree, entry: Tree, place: Place = ()) -> Place:
    """Return the place of a container's env entry."""
    if node is container:
        return (*place, "env", next(number for number, part in enumerate(container["env"]) if part is entry), "value")
    steps: t.Iterable[tuple[str | int, Tree]] = (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    )
    for step, part in steps:
        found = _place_of_entry(part, container, entry, (*place, step))
        if found:
            return found
    return ()
