# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image's name as a registry reads it, what of it runs, and whose login is for that registry."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
from dataclasses import dataclass, field

from .diagnosis.model import Obj, Seen, dig
from .diagnosis.symptoms_pods import is_ready
from .diagnosis.symptoms_rollout import new_pods

__all__ = ["IMAGE_CHECKS", "ImageName", "Login", "Running", "image_registry", "login_of", "running_image"]

IMAGE_CHECKS = ("controller", "none")
# What stands for the registry that a name without one means, and where that one is asked.
_DEFAULT, _DEFAULT_HOST, _DEFAULT_PROJECT = "docker.io", "registry-1.docker.io", "library/"
_DEFAULT_LOGINS = {_DEFAULT, "index.docker.io", _DEFAULT_HOST}


def image_registry(image: str) -> str:
    """Return the host (and port) that an image is pulled from: docker.io where its name has none."""
    first, slash, _rest = image.partition("/")
    named = bool(slash) and (any(char in first for char in ".:") or first == "localhost")
    return first if named else _DEFAULT


@dataclass(frozen=True)
class ImageName:
    """registry: as the name has it, docker.io where it has none; repository: its path there; tag: never a digest."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, image: str) -> ImageName | None:
        """Return the parts of `registry.example/lms/backend:dev`; None for an image that is named by its digest, which never moves."""
        if "@" in image:
            return None
        registry = image_registry(image)
        repository, _colon, tag = image.removeprefix(f"{registry}/").partition(":")
        official = registry == _DEFAULT and "/" not in repository
        return cls(registry, (_DEFAULT_PROJECT if official else "") + repository, tag or "latest")

    @property
    def url(self) -> str:
        """Return where the registry tells of the tag (OCI distribution, version 2)."""
        host = _DEFAULT_HOST if self.registry == _DEFAULT else self.registry
        return f"https://{host}/v2/{self.repository}/manifests/{self.tag}"


@dataclass(frozen=True)
class Login:
    """A registry's user and password."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """Return it as a header's value (basic authentication)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Running:
    """What the newest pods run: the image's name, the digests that it has there, and the pull secrets that it was pulled by."""

    image: str
    digests: frozenset[str]
    pull_secrets: tuple[str, ...]


def running_image(seen: Seen) -> Running | None:
    """Return what the ready pods of the newest revision run in their first container; None where nothing runs yet."""
    pods = [pod for pod in new_pods(seen) if is_ready(pod)]
    digests = frozenset(digest for pod in pods for digest in _digests(pod))
    if not digests:
        return None
    named = dig(pods[0], "spec", "imagePullSecrets", default=[])
    return Running(str(dig(pods[0], "spec", "containers", 0, "image")), digests, tuple(str(one.get("name")) for one in named))


def _digests(pod: Obj) -> list[str]:
    first = dig(pod, "spec", "containers", 0, "name")
    statuses = [one for one in dig(pod, "status", "containerStatuses", default=[]) if one.get("name") == first]
    return re.findall(r"sha256:[0-9a-f]{64}", " ".join(str(one.get("imageID")) for one in statuses))


def login_of(secret: Obj | None, registry: str) -> Login | None:
    """Return the login that a Secret of type kubernetes.io/dockerconfigjson has for a registry; None where it has none."""
    try:
        config = json.loads(base64.b64decode(dig(secret, "data", ".dockerconfigjson", default="")))
    except ValueError:
        return None
    hosts = _DEFAULT_LOGINS if registry == _DEFAULT else {registry}
    logins = dig(config, "auths", default={})
    found = next((one for place, one in logins.items() if _host(place) in hosts and isinstance(one, dict)), None)
    return None if found is None else _login(found)


def _host(place: str) -> str:
    return re.sub(r"^https?://", "", place).partition("/")[0]


def _login(entry: t.Mapping[str, t.Any]) -> Login | None:
    """Return a login that is written in two fields, or in one as kubectl and docker do."""
    if entry.get("username") and entry.get("password"):
        return Login(str(entry["username"]), str(entry["password"]))
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password) if colon else None
