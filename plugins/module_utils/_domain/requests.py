# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of clients: every template rendered, every object labelled, hashed and in its place of the order. No API, no secret."""

from __future__ import annotations

import functools
import hashlib
import json
import typing as t

from .._core.errors import InputError
from .client_id import ClientId
from .macros import macros_of
from .names import CHECKSUM, HASH, labels
from .template_rules import faults_of, pod_template_of, texts_of
from .templates import Source, Template, TemplateError

__all__ = ["DATABASES", "ENVIRONMENT", "compiled", "render_requests"]

DATABASES, ENVIRONMENT = "databases", "environment"

# What others refer to comes first. A kind that is not listed stands before those that run pods.
ORDER = ("ServiceAccount", "ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "Service", "Ingress", "HTTPRoute")
RUNS_PODS = ("StatefulSet", "DaemonSet", "Deployment", "CronJob", "Job")

# Templates that are used where the setting `publish` has their name.
PUBLISHING = ("ingress", "httproute")

JOB_NAME_DIGITS = 8

Object = dict[str, t.Any]


def compiled(sources: t.Iterable[Source]) -> list[Template]:
    """Return the templates, each compiled once in a process. Raises InputError with the faults of all of them."""
    templates: list[Template] = []
    faults: list[str] = []
    for source in sources:
        try:
            templates.append(_template(source))
        except TemplateError as error:
            faults += [_fault(source.label, line, sentence) for line, sentence in error.faults]
    _raise(faults)
    return templates


# A task that renders for one client after the other would compile anew for each: 40 ms of the 50 that it takes.
_template = functools.cache(Template)


def render_requests(
    templates: t.Sequence[Template],
    clients: t.Iterable[ClientId],
    settings: t.Mapping[str, t.Any],
    *,
    fingerprints: t.Mapping[str, str] | None = None,
    stage: str = "",
) -> list[dict[str, t.Any]]:
    """Return the requests of the clients as {"client", "stage", "file", "object"}, in the order in which they are sent.

    settings: the catalogue's, as read_settings returns them. fingerprints: by client id, what its credentials are; "" before they
    are made. stage: databases or environment, or "" for both. Raises InputError with the faults of all templates.
    """
    result = []
    for client in clients:
        faults: list[str] = []
        rendered = _rendered(templates, client, settings, faults)
        _raise(faults)
        configs = {obj["metadata"]["name"]: obj for _label, obj in rendered if obj["kind"] == "ConfigMap"}
        for label, obj in sorted(rendered, key=_position):
            of_stage = DATABASES if obj["kind"] == "Job" else ENVIRONMENT
            if stage in ("", of_stage):
                finished = _finished(obj, client, str((fingerprints or {}).get(client.id, "")), configs)
                result.append({"client": client.id, "stage": of_stage, "file": label, "object": finished})
    return result


def _rendered(
    templates: t.Iterable[Template], client: ClientId, settings: t.Mapping[str, t.Any], faults: list[str]
) -> list[tuple[str, Object]]:
    """Return (file, object) of one client for each template that it uses; what is wrong goes into faults."""
    macros = macros_of(settings, client)
    found: list[tuple[str, Object]] = []
    names: dict[tuple[str, str], str] = {}
    for template in templates:
        label = template.source.label
        if template.source.stem in PUBLISHING and template.source.stem != macros["publish"]:
            continue
        try:
            obj = template.render(macros)
        except TemplateError as error:
            faults += [_fault(label, line, sentence) for line, sentence in error.faults]
            continue
        wrong = faults_of(obj, client, macros["namespace_id"])
        if wrong:
            faults += [_fault(label, template.line_of(macros, place), sentence) for place, sentence in wrong]
            continue
        identity = (obj["kind"], obj["metadata"]["name"])
        if identity in names:
            faults.append(
                _fault(label, template.line_of(macros, ("metadata", "name")), f"{' '.join(identity)} is made by {names[identity]} too.")
            )
        names[identity] = label
        obj["metadata"]["namespace"] = macros["namespace_id"]
        found.append((label, obj))
    return found


def _finished(obj: Object, client: ClientId, fingerprint: str, configs: t.Mapping[str, Object]) -> Object:
    """Return the object with its owner's labels, the checksum of what its pods depend on, and its hash; a Job named by that."""
    metadata = obj["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels(client)}
    pods = pod_template_of(obj)
    if pods is not None:
        pod = pods.setdefault("metadata", {})
        pod["labels"] = {**(pod.get("labels") or {}), **labels(client)}
        # A Job's pods can compare what they find mounted with what the Job was made for; others are replaced when it changes.
        checksum = fingerprint if obj["kind"] == "Job" else _checksum(pods, fingerprint, configs)
        if checksum:
            pod["annotations"] = {**(pod.get("annotations") or {}), CHECKSUM: checksum}
    digest = _digest([obj, fingerprint] if obj["kind"] == "Job" else obj)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), HASH: digest}
    if obj["kind"] == "Job":
        metadata["name"] = f"{metadata['name']}-{digest[:JOB_NAME_DIGITS]}"
    return obj


def _checksum(pods: Object, fingerprint: str, configs: t.Mapping[str, Object]) -> str:
    """Return a digest of the credentials' fingerprint and of those of the client's ConfigMaps that the pods name."""
    named = sorted({value for _place, value in texts_of(pods["spec"]) if value in configs})
    return _digest([fingerprint, *([name, configs[name].get("data"), configs[name].get("binaryData")] for name in named)])


def _digest(content: t.Any) -> str:
    """Return the SHA-256 of the content as JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _position(rendered: tuple[str, Object]) -> tuple[int, str]:
    """Return where an object stands among its client's: Jobs first, then what others refer to, then what runs pods."""
    label, obj = rendered
    kind = obj["kind"]
    if kind == "Job":
        return (-1, label)
    if kind in ORDER:
        return (ORDER.index(kind), label)
    return (len(ORDER) + 1 + (RUNS_PODS.index(kind) if kind in RUNS_PODS else -1), label)


def _fault(label: str, line: int, sentence: str) -> str:
    """Return one fault as people read it."""
    if not label:
        return sentence
    return f"{label} line {line}: {sentence}" if line else f"{label}: {sentence}"


def _raise(faults: list[str]) -> None:
    """Raise all faults as one message; nothing when there are none."""
    if len(faults) == 1:
        raise InputError(faults[0], data={"problems": faults})
    if faults:
        raise InputError(
            "\n  ".join([f"{len(faults)} faults in the request templates, nothing was sent:", *faults]), data={"problems": faults}
        )
