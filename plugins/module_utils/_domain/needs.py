# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of others, read from the very requests that it is about to send."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .client_id import ClientId
from .names import credentials_secret_name, rsa_secret_name

__all__ = ["Needs", "Path", "SecretNeed", "has_cors", "needs_of", "served_paths"]

Object = t.Mapping[str, t.Any]
T = t.TypeVar("T")

CERTIFICATE_KEYS = ("tls.crt", "tls.key")
PULL_KEY = ".dockerconfigjson"
# Volumes that Pod Security `restricted` lets in; `baseline` lets in all others but hostPath.
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}


@dataclass(frozen=True)
class SecretNeed:
    """A Secret that others provide: the keys that are used, what for, the hosts that its certificate must be for, the images it pulls."""

    name: str
    keys: tuple[str, ...]
    purpose: str
    hosts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    def with_more(self, other: SecretNeed) -> SecretNeed:
        """Return both needs of one Secret as one; the first purpose stays."""
        keys, hosts, images = (tuple(dict.fromkeys((*a, *b))) for a, b in zip(self._lists, other._lists, strict=True))
        return SecretNeed(self.name, keys, self.purpose, hosts, images)

    @property
    def _lists(self) -> tuple[tuple[str, ...], ...]:
        return (self.keys, self.hosts, self.images)


@dataclass(frozen=True)
class Path:
    """A public path: the first segment of it on a host, an empty host being every host."""

    host: str
    segment: str

    def __str__(self) -> str:
        """Return the path as people write it."""
        return f"/{self.segment}/ on {self.host or 'every host'}"


@dataclass
class Needs:
    """Everything that must be there before a run begins.

    Gateways are (namespace, name), cors those of them whose routes have the CORS filter; paths are by the client that they belong to.
    """

    secrets: dict[str, SecretNeed] = field(default_factory=dict)
    config_maps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    ingress_classes: list[str] = field(default_factory=list)
    gateways: list[tuple[str, str]] = field(default_factory=list)
    cors: list[tuple[str, str]] = field(default_factory=list)
    paths: dict[Path, str] = field(default_factory=dict)
    kinds: list[tuple[str, str]] = field(default_factory=list)
    pod_security: str = "restricted"

    def add_secret(self, need: SecretNeed) -> None:
        """Add a need of a Secret to what is needed of it already."""
        known = self.secrets.get(need.name)
        self.secrets[need.name] = known.with_more(need) if known else need


def needs_of(requests: t.Iterable[Object], namespace: str) -> Needs:
    """Return what the requests refer to and do not bring themselves. requests are as the lookup rarus.lms.requests returns them."""
    requests = list(requests)
    needs = Needs()
    brought: set[tuple[str, str]] = set()
    for request in requests:
        client, obj = str(request["client"]), request["object"]
        brought.add((obj["kind"], obj["metadata"]["name"]))
        _add_once(needs.kinds, (obj["apiVersion"], obj["kind"]))
        if "template" in (obj.get("spec") or {}):
            _add_pod(needs, obj)
        _add_published(needs, client, obj, namespace)
    for client in {str(request["client"]) for request in requests}:
        made = ClientId.parse(client)
        brought |= {("Secret", credentials_secret_name(made)), ("Secret", rsa_secret_name(made))}
    needs.secrets = {name: need for name, need in needs.secrets.items() if ("Secret", name) not in brought}
    needs.config_maps = {name: keys for name, keys in needs.config_maps.items() if ("ConfigMap", name) not in brought}
    needs.claims = [name for name in needs.claims if ("PersistentVolumeClaim", name) not in brought]
    return needs


def served_paths(obj: Object) -> list[Path]:
    """Return the public paths of an Ingress or HTTPRoute by their first segment, regular expressions cut off."""
    spec = obj.get("spec") or {}
    found: list[tuple[str, str]] = []
    if obj["kind"] == "Ingress":
        for rule in spec.get("rules") or []:
            found += [(rule.get("host") or "", str(path.get("path", ""))) for path in (rule.get("http") or {}).get("paths") or []]
    else:
        matches = [match for rule in spec.get("rules") or [] for match in rule.get("matches") or []]
        found = [(host, str((match.get("path") or {}).get("value", ""))) for host in spec.get("hostnames") or [""] for match in matches]
    segments = ((host, re.match(r"\^?/([A-Za-z0-9_-]+)", path)) for host, path in found)
    return list(dict.fromkeys(Path(host, segment[1]) for host, segment in segments if segment))


def has_cors(route: Object) -> bool:
    """Return whether an HTTPRoute has the standard CORS filter."""
    rules = (route.get("spec") or {}).get("rules") or []
    return any(one.get("type") == "CORS" for rule in rules for one in rule.get("filters") or [])


def _add_published(needs: Needs, client: str, obj: Object, namespace: str) -> None:
    """Add what an Ingress or HTTPRoute refers to, and the paths that it serves."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "Ingress":
        for tls in spec.get("tls") or []:
            if tls.get("secretName"):
                hosts = tuple(tls.get("hosts") or ())
                needs.add_secret(SecretNeed(tls["secretName"], CERTIFICATE_KEYS, "certificate of the public name", hosts=hosts))
        if spec.get("ingressClassName"):
            _add_once(needs.ingress_classes, spec["ingressClassName"])
    elif obj["kind"] == "HTTPRoute":
        for parent in spec.get("parentRefs") or []:
            if parent.get("kind", "Gateway") == "Gateway":
                gateway = (parent.get("namespace") or namespace, parent["name"])
                _add_once(needs.gateways, gateway)
                if has_cors(obj):
                    _add_once(needs.cors, gateway)
    else:
        return
    for path in served_paths(obj):
        needs.paths.setdefault(path, client)


def _add_pod(needs: Needs, obj: Object) -> None:
    """Add what the pods of a Job or Deployment refer to."""
    spec = obj["spec"]["template"].get("spec") or {}
    user = f"used by {obj['kind']} {obj['metadata']['name']}"
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    images = tuple(str(container.get("image", "")) for container in containers) if obj["kind"] == "Deployment" else ()
    for pull in spec.get("imagePullSecrets") or []:
        needs.add_secret(SecretNeed(pull["name"], (PULL_KEY,), "pull secret", images=images))
    for container in containers:
        _add_environment(needs, container, user)
    for volume in spec.get("volumes") or []:
        _add_volume(needs, volume, user)


def _add_environment(needs: Needs, container: Object, user: str) -> None:
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        _add_keys(needs, user, source.get("secretKeyRef"), source.get("configMapKeyRef"))
    for source in container.get("envFrom") or []:
        _add_keys(needs, user, source.get("secretRef"), source.get("configMapRef"))


def _add_volume(needs: Needs, volume: Object, user: str) -> None:
    _add_keys(needs, user, volume.get("secret"), volume.get("configMap"))
    for source in (volume.get("projected") or {}).get("sources") or []:
        _add_keys(needs, user, source.get("secret"), source.get("configMap"))
    claim = volume.get("persistentVolumeClaim")
    if claim:
        _add_once(needs.claims, claim["claimName"])
    if "hostPath" in volume:
        needs.pod_security = "privileged"
    elif needs.pod_security == "restricted" and set(volume) - {"name"} - RESTRICTED_VOLUMES:
        needs.pod_security = "baseline"


def _add_keys(needs: Needs, user: str, secret: Object | None, config_map: Object | None) -> None:
    """Add the keys of a Secret and of a ConfigMap that a container or volume names, unless it can do without."""
    for source, is_secret in ((secret, True), (config_map, False)):
        name = (source or {}).get("secretName") or (source or {}).get("name")
        if not source or not name or source.get("optional"):
            continue
        keys = (source["key"],) if "key" in source else tuple(item["key"] for item in source.get("items") or [])
        if is_secret:
            needs.add_secret(SecretNeed(name, keys, user))
        else:
            needs.config_maps[name] = tuple(dict.fromkeys((*needs.config_maps.get(name, ()), *keys)))


def _add_once(things: list[T], thing: T) -> None:
    if thing not in things:
        things.append(thing)
