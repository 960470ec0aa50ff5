# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an image's registry whether its tag stands for something newer than what runs: a few requests, in bounded time, never a failure."""

from __future__ import annotations

import http.client
import json
import re
import typing as t
from dataclasses import replace
from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from .._domain.client_id import ClientId
from .._domain.diagnosis.model import Seen
from .._domain.image import ImageName, Login, Running, login_of, running_image
from .api import Api, ApiError
from .public_path import trusting
from .resources import Ref

__all__ = ["with_newer_images"]

TIMEOUT_SECONDS = 5.0
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (*INDEXES, "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
DIGEST = "Docker-Content-Digest"
# A list of manifests or a token is short; more than this is none.
MOST_BYTES = 1_048_576
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')

Headers = t.Mapping[str, str]


class _RefusedError(Exception):
    """The registry did not tell; the text says why."""


class _NoRedirection(HTTPRedirectHandler):
    """Takes a redirection for what it is: an answer that nobody asked for, at a place that the login is not for."""

    def redirect_request(self, *_arguments: t.Any, **_more: t.Any) -> None:
        """Follow none."""


def with_newer_images(api: Api, found: t.Mapping[ClientId, Seen], *, ca_file: str = "") -> dict[ClientId, Seen]:
    """Return what was seen with the image that each client's tag stands for by now, where its pods run another one.

    Each image is asked for once, with the login of the pods' pull secret. What cannot be found out is noted in not_seen.
    ca_file: PEM of who signs the registry's certificate, else this machine's list.
    """
    opener = build_opener(HTTPSHandler(context=trusting(ca_file, "image_ca_file")), _NoRedirection)
    told: dict[tuple[str, tuple[str, ...]], tuple[str, ...] | str] = {}
    result = dict(found)
    for client, seen in found.items():
        running = running_image(seen)
        name = ImageName.parse(running.image) if running else None
        if running is None or name is None:
            continue
        key = (running.image, running.pull_secrets)
        if key not in told:
            told[key] = _digests(api, seen.namespace, name, running, opener)
        digests = told[key]
        if isinstance(digests, str):
            result[client] = replace(seen, not_seen={**seen.not_seen, "image registry": f"image registry {name.registry}: {digests}"})
        elif not running.digests & set(digests):
            result[client] = replace(seen, newer_image=f"{running.image}@{digests[0]}")
    return result


def _digests(api: Api, namespace: str, name: ImageName, running: Running, opener: OpenerDirector) -> tuple[str, ...] | str:
    """Return the digest that a tag stands for, after it those of its parts where it is for several platforms; or why that is not known."""
    try:
        login = _login(api, namespace, name.registry, running.pull_secrets)
        headers, _body = _asked(opener, "HEAD", name, login)
        digest = headers.get(DIGEST, "")
        if not digest:
            return "it tells no digest"
        if digest in running.digests or headers.get("Content-Type", "") not in INDEXES:
            return (digest,)
        _headers, body = _asked(opener, "GET", name, login)
        return (digest, *(str(one.get("digest")) for one in json.loads(body).get("manifests", [])))
    except (ApiError, _RefusedError) as error:
        return str(error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return " ".join(str(error.reason if isinstance(error, URLError) else error).split())


def _login(api: Api, namespace: str, registry: str, pull_secrets: t.Iterable[str]) -> Login | None:
    """Return the login for a registry in the first pull secret that has one; None where the image is everybody's."""
    for secret in pull_secrets:
        login = login_of(api.get(Ref("v1", "Secret", secret, namespace)), registry)
        if login:
            return login
    return None


def _asked(opener: OpenerDirector, method: str, name: ImageName, login: Login | None) -> tuple[Headers, bytes]:
    """Return headers and body of the registry's answer; where it sends for a token first, with that."""
    headers = {"Accept": ", ".join(MANIFESTS), **({"Authorization": login.header} if login else {})}
    status, answer, body = _sent(opener, Request(name.url, headers=headers, method=method))
    challenge = answer.get("WWW-Authenticate", "")
    if status == HTTPStatus.UNAUTHORIZED and challenge.lower().startswith("bearer "):
        bearer = {**headers, "Authorization": f"Bearer {_token(opener, challenge, login)}"}
        status, answer, body = _sent(opener, Request(name.url, headers=bearer, method=method))
    if status != HTTPStatus.OK:
        raise _RefusedError(f"it answered {status} to {method} {name.url}")
    return answer, body


def _token(opener: OpenerDirector, challenge: str, login: Login | None) -> str:
    """Return the token of the place that a challenge names; the login is sent there through TLS only."""
    parts = dict(_CHALLENGE.findall(challenge))
    realm = parts.pop("realm", "")
    if urlsplit(realm).scheme != "https":
        raise _RefusedError("it sends for a token to a place without TLS")
    headers = {"Authorization": login.header} if login else {}
    status, _answer, body = _sent(opener, Request(f"{realm}?{urlencode(parts)}", headers=headers))
    if status != HTTPStatus.OK:
        raise _RefusedError(f"it refuses a token ({status})")
    told = json.loads(body)
    return str(told.get("token") or told.get("access_token") or "")


def _sent(opener: OpenerDirector, request: Request) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of an answer, whatever its status."""
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.headers, answer.read(MOST_BYTES)
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers.items()), b""
