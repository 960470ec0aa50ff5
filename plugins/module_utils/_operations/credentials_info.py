# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what may be known of clients' credentials, by one list: fingerprints, dates, logins in use, a rotation under way; no value.

With a probe, also whether the databases let the Secrets' logins in.
"""

from __future__ import annotations

import typing as t

from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.names import credentials_secret_name, rsa_secret_name
from .._domain.rotation import PARTS, remaining
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .client_secrets import Secrets, facts_of, listed_of
from .credentials_probe import probed, refuse_bad

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "clients": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str", "required": True},
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": []},
    "probe": {"type": "bool", "default": False},
    "requests": {"type": "list", "elements": "dict", "default": []},
    "wait_timeout": {"type": "int", "default": 60},
}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return one entry for each client: those named, or all that have Secrets in the namespace.

    With probe, raises UnknownStateError where no login is known to be refused and one could not be tried.
    """
    named = [ClientId.parse(client, "clients") for client in params["clients"]]
    api = connect(params)
    found = listed_of(api, params["namespace"], named)
    clients = {client: _shown(client, found.get(client, {}), params["namespace"]) for client in named or sorted(found)}
    left, done = remaining(list(clients.values()), params.get("parts") or ())
    result = {"changed": False, "clients": list(clients.values()), "remaining": left}
    if done:
        context.report(f"  rotation  goes on where a run was ended; rotated since that began, and not again: {', '.join(done)}")
    if params["probe"]:
        answers = probed(api, [client for client, shown in clients.items() if not shown["missing"]], params, context)
        for client, databases in answers.items():
            clients[client]["probe"] = {database: answer.as_dict() for database, answer in databases.items()}
        refuse_bad(answers, result)
    return result


def _shown(client: ClientId, found: Secrets, namespace: str) -> dict[str, t.Any]:
    """Return what may be known of one client's credentials."""
    names = (credentials_secret_name(client), rsa_secret_name(client))
    missing = [name for name in names if name not in found]
    facts = {} if missing else facts_of(found, names, namespace)
    return {"client": client.id, "secrets": list(names), "missing": missing, **facts}


OPERATION = Operation(name="credentials_info", argument_spec=ARGUMENT_SPEC, run=run)
