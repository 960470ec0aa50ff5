# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key that the operator brings: as text, in a file or in a Secret; checked by whoever asks for it, a preflight first."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from .._core.errors import InputError, LmsError
from .._domain.client_id import ClientId
from .._domain.credentials import validate_rsa_key, values_of
from .._domain.names import rsa_secret_name, selector
from .._domain.prerequisites import Findings
from .._domain.settings import settings_of
from .._k8s.api import Api, ApiError
from .._k8s.resources import Ref

__all__ = ["BROUGHT_OPTIONS", "BroughtKey", "brought_key", "given_key", "judge_keys"]

BROUGHT_OPTIONS: dict[str, t.Any] = {
    "rsa_key": {"type": "str", "default": "", "no_log": True},
    "rsa_key_file": {"type": "path", "default": "", "no_log": False},
}


@dataclass(frozen=True)
class BroughtKey:
    """A private key that is fit for use (PEM), and how messages begin that are about it: "option: what"."""

    where: str
    pem: bytes

    @classmethod
    def checked(cls, where: str, pem: bytes) -> BroughtKey:
        """Return the key; raises InputError where it is unfit."""
        validate_rsa_key(pem, where)
        return cls(where, pem)


def given_key(params: t.Mapping[str, t.Any]) -> BroughtKey | None:
    """Return the key that was given with the run, as rsa_key or rsa_key_file, checked; None without one. Raises InputError."""
    text, file = params.get("rsa_key") or "", params.get("rsa_key_file") or ""
    if text and file:
        raise InputError("rsa_key, rsa_key_file: both are given. Expected one of them.")
    if text:
        return BroughtKey.checked("rsa_key: the text", text.encode())
    if not file:
        return None
    try:
        return BroughtKey.checked(f"rsa_key_file: {file}", Path(file).read_bytes())
    except OSError as error:
        raise InputError(f"rsa_key_file: {file} cannot be read: {os.strerror(error.errno or 0)}. Expected a file with the key.") from None


def brought_key(api: Api, namespace: str, params: t.Mapping[str, t.Any]) -> BroughtKey | None:
    """Return the key that was given with the run, or else the one in the Secret rsa_key_secret; None without either. Raises InputError."""
    given, secret = given_key(params), params.get("rsa_key_secret")
    if given or not secret:
        return given
    ref, key = Ref("v1", "Secret", secret["name"], namespace), secret["key"]
    found, fix = api.get(ref), f"Create it with the key {key}, or correct the setting."
    if found is None:
        raise InputError(f"rsa_key_secret: there is no {ref}.", hint=fix)
    return BroughtKey.checked(f"rsa_key_secret: key {key} of {ref}", values_of(found, [key], fix)[key])


def judge_keys(api: Api, found: Findings, params: t.Mapping[str, t.Any]) -> None:
    """Judge what is brought for clients that have no key yet, or for all of them where new ones are to be put in use (new_key).

    A key that a client has is its own by now, and the operator's Secret may be gone. A missing right is told by the review of rights.
    """
    clients = [ClientId.parse(client) for client in params["clients"]]
    if any(params[option] for option in BROUGHT_OPTIONS):
        if len(clients) > 1:
            found.problem("key", f"one private key is given, and {len(clients)} clients", "name one client: each has a key of its own")
        sources = [params]
    else:
        own = {client: settings_of(params["settings"], client).get("rsa_key_secret") for client in clients}
        secrets = {client: secret for client, secret in own.items() if secret}
        bringing = list(secrets) if params["new_key"] else _without_key(api, params["namespace"], list(secrets))
        distinct = {tuple(sorted(secrets[client].items())): secrets[client] for client in bringing}
        sources = [{"rsa_key_secret": secret} for secret in distinct.values()]
    for source in sources:
        try:
            brought_key(api, params["namespace"], source)
        except ApiError as error:
            _expect_forbidden(error)
        except LmsError as error:
            found.problem("key", error.message.rstrip("."), error.hint.rstrip("."))


def _without_key(api: Api, namespace: str, clients: t.Sequence[ClientId]) -> list[ClientId]:
    """Return those of the clients that have no private key yet, by one list."""
    if not clients:
        return []
    ours = selector(clients[0] if len(clients) == 1 else None)
    try:
        names = {secret["metadata"]["name"] for secret in api.list("v1", "Secret", namespace, label_selector=ours, metadata_only=True)}
    except ApiError as error:
        _expect_forbidden(error)
        return []
    return [client for client in clients if rsa_secret_name(client) not in names]


def _expect_forbidden(error: ApiError) -> None:
    """Raise any refusal again but that of a missing right."""
    if error.status != HTTPStatus.FORBIDDEN:
        raise error
