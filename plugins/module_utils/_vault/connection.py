# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Vault is reached: where it is, by the settings; who asks, by the login of community.hashi_vault.

Nothing secret is an option: token, secret id and JWT come from where community.hashi_vault takes them on the controller (VAULT_TOKEN, a
token's file, ANSIBLE_HASHI_VAULT_*, variables ansible_hashi_vault_*). Its lookup `vault_login`, which is public, makes a token of them.
"""

from __future__ import annotations

import os
import typing as t

from .._core.deps import HVAC, REQUESTS, URLLIB3
from .._core.errors import InputError
from .._core.operation import Context
from .faults import fault, faults, strange
from .key_value import KeyValue

__all__ = ["STORE_OPTIONS", "connect"]

LOGIN = "community.hashi_vault.vault_login"
TIMEOUT_SECONDS = 30
# Reads are repeated where the server is busy or restarts, for some three seconds in all; a write is not, it is looked for instead.
REPEATS = 4
BACKOFF_SECONDS = 0.2
REPEATED_STATUSES = (429, 500, 502, 503, 504)

STORE_OPTIONS: dict[str, t.Any] = {
    "kind": {"type": "str", "choices": ["kubernetes", "vault"], "default": "kubernetes"},
    "url": {"type": "str", "default": ""},
    "mount": {"type": "str", "default": "secret"},
    "path": {"type": "str", "default": "lms"},
    "namespace": {"type": "str", "default": ""},
    "ca_file": {"type": "str", "default": ""},
    "auth_method": {"type": "str", "choices": ["token", "approle", "jwt"], "default": "token"},
    "auth_mount": {"type": "str", "default": ""},
    "role_id": {"type": "str", "default": ""},
}


def connect(options: t.Mapping[str, t.Any], context: Context) -> KeyValue:
    """Return the engine that the options name, after a login.

    Raises InputError where this process cannot log in, or no address is given, VaultFaultError where the login failed.
    """
    if context.lookup is None:
        raise InputError(
            "secret_store: values of Vault never leave the controller, and this task runs in a process of its own.",
            hint="Run it with a local connection and without become: credentials then works inside ansible-playbook.",
        )
    HVAC.require()
    root = (options["url"] or os.environ.get("VAULT_ADDR", "")).rstrip("/")
    if not root.startswith("https://"):
        raise InputError(f'secret_store.url: "{root}" is not the address of a Vault. Expected https://, here or in VAULT_ADDR.')
    place: dict[str, t.Any] = {
        "namespace": options["namespace"] or os.environ.get("VAULT_NAMESPACE") or None,
        "timeout": TIMEOUT_SECONDS,
    }
    ca_file = options["ca_file"] or os.environ.get("VAULT_CACERT", "")
    login = {
        "url": root,
        "validate_certs": True,
        "ca_cert": ca_file,
        "retries": REPEATS,
        "retry_action": "ignore",
        "auth_method": options["auth_method"],
        "mount_point": options["auth_mount"],
        "role_id": options["role_id"],
        "token_validate": False,
        **place,
    }
    given = {name: value for name, value in login.items() if value not in ("", None)}
    action = f"the login ({options['auth_method']})"
    try:
        token = context.lookup(LOGIN, given)["auth"]["client_token"]
    except faults() as error:
        raise fault(error, root, action) from None
    except (TypeError, KeyError):
        raise strange(root, action) from None
    client = HVAC.require().Client(url=root, token=token, session=_session(ca_file), allow_redirects=False, **place)
    return KeyValue(client, root, options["mount"].strip("/"))


def _session(ca_file: str) -> t.Any:
    """Return the connections: certificates are always checked, reads are repeated in bounded time."""
    again = URLLIB3.part("util").Retry(
        total=REPEATS,
        backoff_factor=BACKOFF_SECONDS,
        status_forcelist=REPEATED_STATUSES,
        allowed_methods=("GET",),
        raise_on_status=False,
    )
    session = REQUESTS.require().Session()
    session.verify = ca_file or True
    session.mount("https://", REQUESTS.part("adapters").HTTPAdapter(max_retries=again))
    return session
