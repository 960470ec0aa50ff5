# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a ServiceAccount's token in a file that only its owner reads. The token is in no option, no result and no variable."""

from __future__ import annotations

import base64
import datetime as dt
import os
import stat
import tempfile
import time
import typing as t
from pathlib import Path

from .._core.errors import ConflictError, InputError, LmsError, UnknownStateError
from .._core.operation import Context, Operation
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .._k8s.resources import Ref
from .._k8s.token import expires as end_of
from .._k8s.token import lifetime

__all__ = ["ARGUMENT_SPEC", "OPERATION", "keep", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "namespace": {"type": "str", "required": True},
    "service_account": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["bound", "secret"], "default": "bound"},
    "duration": {"type": "int", "default": 7776000},
    "secret": {"type": "str", "default": "", "no_log": False},
    "path": {"type": "path", "required": True},
}

OWNER_ONLY = 0o600
MINIMUM_DURATION = 600
# A token of which less than this part of its own lifetime is left is made anew; the cluster may have given less than was asked for.
RENEW_BELOW = 1 / 3
FILL_SECONDS, POLL_SECONDS = 30.0, 0.25
SECRET_TYPE = "kubernetes.io/service-account-token"
ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Write the token to path unless a good one is there; return changed, path and expires (ISO 8601, UTC; empty: never)."""
    if params["duration"] < MINIMUM_DURATION:
        raise InputError(
            f"duration: {params['duration']} seconds is too short. Kubernetes gives tokens for {MINIMUM_DURATION} seconds or more."
        )
    if not Path(params["path"]).parent.is_dir():
        raise InputError(f"path: the folder of {params['path']} does not exist. Make it first, readable by you alone.")
    result = keep(connect(params), params, check_mode=context.check_mode, now=dt.datetime.now(dt.UTC))
    if result["changed"] and not context.check_mode:
        ends = result["expires"][:16].replace("T", " ")
        context.report(f"  token    in {result['path']}, " + (f"until {ends} UTC" if ends else "without an end"))
    return result


def keep(api: Api, params: t.Mapping[str, t.Any], *, check_mode: bool, now: dt.datetime) -> dict[str, t.Any]:
    """Do what run says, with an API that is connected."""
    path = Path(params["path"])
    token = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    is_good = _is_good(api, params, token, now)
    is_private = path.is_file() and stat.S_IMODE(path.stat().st_mode) == OWNER_ONLY
    if not (is_good and is_private) and not check_mode:
        token = token if is_good else _obtain(api, params)
        _write(path, token)
    expires = end_of(token)
    return {"changed": not (is_good and is_private), "path": str(path), "expires": expires.isoformat() if expires else ""}


def _is_good(api: Api, params: t.Mapping[str, t.Any], token: str, now: dt.datetime) -> bool:
    """Return whether the API takes the token for the ServiceAccount, and enough of its time is left."""
    expires = end_of(token)
    if not token or (expires is None) != (params["kind"] == "secret"):
        return False
    if expires is not None and (expires - now).total_seconds() < RENEW_BELOW * (lifetime(token) or params["duration"]):
        return False
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body=body).body.get("status") or {}
    account = f"system:serviceaccount:{params['namespace']}:{params['service_account']}"
    return bool(status.get("authenticated")) and (status.get("user") or {}).get("username") == account


def _obtain(api: Api, params: t.Mapping[str, t.Any]) -> str:
    account = Ref("v1", "ServiceAccount", params["service_account"], params["namespace"])
    if api.get(account, metadata_only=True) is None:
        raise LmsError(f"{account} does not exist, so it has no token.", hint="Make it first, or correct service_account.")
    return _from_secret(api, params) if params["kind"] == "secret" else _bound(api, params)


def _bound(api: Api, params: t.Mapping[str, t.Any]) -> str:
    """Return a new token of the asked duration; the server may shorten it."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": params["duration"]}}
    path = f"/api/v1/namespaces/{params['namespace']}/serviceaccounts/{params['service_account']}/token"
    return str(api.request("POST", path, body=body).body["status"]["token"])


def _from_secret(api: Api, params: t.Mapping[str, t.Any]) -> str:
    """Return the token that never ends, from its Secret; make the Secret where it is absent, and wait until Kubernetes fills it."""
    ref = Ref("v1", "Secret", params["secret"] or f"{params['service_account']}-token", params["namespace"])
    found = api.get(ref)
    if found is None:
        metadata = {"name": ref.name, "namespace": ref.namespace, "annotations": {ACCOUNT_ANNOTATION: params["service_account"]}}
        found = api.create({"apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE, "metadata": metadata})
    of_account = (found["metadata"].get("annotations") or {}).get(ACCOUNT_ANNOTATION)
    if found.get("type") != SECRET_TYPE or of_account != params["service_account"]:
        raise ConflictError(
            f"{ref} exists and is not a token of ServiceAccount {params['service_account']}.", hint="Give another name as secret."
        )
    deadline = time.monotonic() + FILL_SECONDS
    while "token" not in (found.get("data") or {}):
        if time.monotonic() > deadline:
            raise UnknownStateError(
                f"{ref} was not filled with a token within {FILL_SECONDS:.0f} seconds.", hint="Look at kube-controller-manager."
            )
        time.sleep(POLL_SECONDS)
        found = api.get(ref) or {}
    return base64.b64decode(found["data"]["token"]).decode("ascii")


def _write(path: Path, token: str) -> None:
    """Put the token in place at once and whole; nobody but the owner can ever read the file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token)
        Path(temporary).chmod(OWNER_ONLY)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise LmsError(f"path: {path} cannot be written: {error.strerror}.") from error


OPERATION = Operation(name="service_account_token", argument_spec=ARGUMENT_SPEC, run=run)
