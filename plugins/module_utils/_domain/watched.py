# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of a client depend on and others provide: the Secrets and ConfigMaps that its requests refer to, by any template."""

from __future__ import annotations

import typing as t

from .client_id import ClientId
from .names import credentials_secret_name, rsa_secret_name
from .template_rules import pod_template_of

__all__ = ["EVERY_KEY", "Watched", "watched_of"]

# Where a pod refers to a value: in env, in envFrom, and in volumes, projected ones included. Pull secrets are no part of what runs.
_KINDS = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "secret": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
}
EVERY_KEY = ""

# By (kind, name), the keys that are used, EVERY_KEY for all of them, and whether pods start without.
Watched = dict[tuple[str, str], dict[str, bool]]


def watched_of(requests: t.Iterable[t.Mapping[str, t.Any]], client: ClientId) -> Watched:
    """Return what the client's pods refer to, but its own Secrets and what the requests bring themselves.

    requests: as the lookup rarus.lms.requests returns them. Jobs are passed over: they are done once.
    """
    objects = [request["object"] for request in requests if request["client"] == client.id]
    own = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    own |= {("Secret", credentials_secret_name(client)), ("Secret", rsa_secret_name(client))}
    found: Watched = {}
    for obj in objects:
        template = pod_template_of(obj)
        if template is not None and obj["kind"] != "Job":
            for kind, source in _sources(template["spec"]):
                _add(found, kind, source, own)
    return found


def _sources(node: t.Any) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """Yield kind and reference of each place in a pod that refers to a Secret or ConfigMap by its name."""
    if isinstance(node, list):
        for part in node:
            yield from _sources(part)
    elif isinstance(node, dict):
        for key, part in node.items():
            if key in _KINDS and isinstance(part, dict):
                yield _KINDS[key], part
            yield from _sources(part)


def _add(found: Watched, kind: str, source: t.Mapping[str, t.Any], own: t.Container[tuple[str, str]]) -> None:
    """Add the keys of one reference; what one place can do without, another may need."""
    name = source.get("secretName") or source.get("name")
    if not isinstance(name, str) or (kind, name) in own:
        return
    keys = [source["key"]] if "key" in source else [item["key"] for item in source.get("items") or []]
    known = found.setdefault((kind, name), {})
    for key in keys or [EVERY_KEY]:
        known[key] = known.get(key, True) and bool(source.get("optional"))
