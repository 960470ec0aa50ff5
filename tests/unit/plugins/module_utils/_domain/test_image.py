# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images as registries read them, and the logins that pull secrets have for them."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.image import ImageName, Login, login_of

LOGIN = base64.b64encode(b"lms:pass:word").decode()
NAMES = [
    ("registry.example/lms/backend:dev", "https://registry.example/v2/lms/backend/manifests/dev"),
    ("registry.example:5000/backend", "https://registry.example:5000/v2/backend/manifests/latest"),
    ("localhost/backend:1", "https://localhost/v2/backend/manifests/1"),
    ("lms/backend:dev", "https://registry-1.docker.io/v2/lms/backend/manifests/dev"),
    ("postgres:15", "https://registry-1.docker.io/v2/library/postgres/manifests/15"),
    ("docker.io/library/postgres:15", "https://registry-1.docker.io/v2/library/postgres/manifests/15"),
]
LOGINS = [
    ("registry.example", {"registry.example": {"username": "lms", "password": "pass:word"}}),
    ("registry.example", {"other.example": {"auth": "eDp5"}, "https://registry.example/v1/": {"auth": LOGIN}}),
    ("docker.io", {"https://index.docker.io/v1/": {"auth": LOGIN}}),
]
NO_LOGINS: list[t.Any] = [
    {},
    {"registry.example.org": {"auth": LOGIN}},
    {"registry.example": {"auth": "no base64!"}},
    {"registry.example": {}},
]


def secret(auths: t.Any) -> dict[str, t.Any]:
    """Return a pull secret as the API gives it."""
    return {"data": {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}}


@pytest.mark.parametrize(("image", "url"), NAMES)
def test_where_a_tag_is_asked_for(image: str, url: str) -> None:
    name = ImageName.parse(image)
    assert name is not None
    assert name.url == url


def test_an_image_named_by_its_digest_never_moves() -> None:
    assert ImageName.parse(f"registry.example/lms/backend:dev@sha256:{'0' * 64}") is None


@pytest.mark.parametrize(("registry", "auths"), LOGINS)
def test_logins(registry: str, auths: dict[str, t.Any]) -> None:
    assert login_of(secret(auths), registry) == Login("lms", "pass:word")


@pytest.mark.parametrize("auths", NO_LOGINS)
def test_no_login_for_anybody_else(auths: t.Any) -> None:
    assert login_of(secret(auths), "registry.example") is None


@pytest.mark.parametrize("broken", [None, {}, {"data": {".dockerconfigjson": "e30="}}, {"data": {".dockerconfigjson": "AAAA"}}])
def test_a_secret_without_logins(broken: t.Any) -> None:
    assert login_of(broken, "registry.example") is None


def test_a_password_is_not_shown() -> None:
    assert "word" not in repr(Login("lms", "pass:word"))
