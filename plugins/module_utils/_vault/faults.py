# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what can go wrong between here and Vault into one sentence each, without a value or a token."""

from __future__ import annotations

import re
import typing as t

from .._core.deps import HVAC
from .._core.errors import UnknownStateError
from .._k8s.faults import fault_of, network_errors

__all__ = ["VaultFaultError", "fault", "faults", "strange"]

_SHOWN = 300
_AGAIN = "Run the same again; what was written is found by it."
_BY_WORD = {
    "tls": ("its certificate is not accepted", "Set secret_store.ca_file (VAULT_CACERT) to the PEM file of the CA that signed it."),
    "name": ("its name cannot be resolved", "Check secret_store.url (VAULT_ADDR) and this machine's DNS."),
    "refused": ("nothing listens there", "Check secret_store.url (VAULT_ADDR)."),
    "proxy": ("the proxy did not connect", "Check HTTPS_PROXY."),
    "no-way": ("there is no route to it", "Check this machine's network."),
    "connect-timeout": ("it did not answer the attempt to connect", "Is this machine allowed to reach it?"),
    "silence": ("it accepted the connection and then stayed silent", _AGAIN),
    "broken": ("the connection broke", _AGAIN),
}
# hvac's exceptions by name: the status that each stands for, and what to do.
_BY_EXCEPTION = {
    "InvalidRequest": ("400", "Correct what it names, in secret_store."),
    "Unauthorized": ("401", "Is there a login page before it?"),
    "Forbidden": ("403", "Renew the token, or have its policy allow create, read and update there (docs/vault.md)."),
    "InvalidPath": ("404", "Check secret_store.mount: it must be the path of a KV engine of version 2."),
    "RateLimitExceeded": ("429", "Run the same again later."),
    "InternalServerError": ("500", _AGAIN),
    "VaultNotInitialized": ("501", "It is not initialised: ask its owners."),
    "BadGateway": ("502", _AGAIN),
    "VaultDown": ("503", "It is sealed or in maintenance: ask its owners to unseal it, then run the same again."),
}


class VaultFaultError(UnknownStateError):
    """Vault did not answer, or with neither the thing asked for nor a proof of its absence.

    doubtful: whether a write may have been carried out all the same.
    """

    def __init__(self, message: str, *, hint: str, doubtful: bool) -> None:
        super().__init__(message, hint=hint)
        self.doubtful = doubtful


def faults() -> tuple[type[BaseException], ...]:
    """Return the exceptions that a request to Vault ends with when it is not carried out, or when nobody knows."""
    return (HVAC.part("exceptions").VaultError, *network_errors())


def fault(error: BaseException, root: str, action: str) -> VaultFaultError:
    """Return what is told of such an exception; action names the request ("reading secret/lms/C42")."""
    if not isinstance(error, HVAC.part("exceptions").VaultError):
        why, hint = _BY_WORD[fault_of(error)]
        return VaultFaultError(f"{root} did not answer to {action}: {why}.", hint=hint, doubtful=True)
    status, hint = _BY_EXCEPTION.get(type(error).__name__, ("an error", "Ask its owners, with this sentence."))
    return VaultFaultError(f"{root} answered {status} to {action}: {_words(error)}.", hint=hint, doubtful=status.startswith("5"))


def strange(root: str, action: str) -> VaultFaultError:
    """Return what is told of an answer that is not what was asked for; its content is not repeated."""
    return VaultFaultError(
        f"{root} answered to {action}, but not with Vault's words.",
        hint="Check secret_store.url (VAULT_ADDR): is there a proxy or a login page before it?",
        doubtful=True,
    )


def _words(error: t.Any) -> str:
    """Return what Vault itself says, on one line, without the markup of a page that is not Vault's."""
    said = "; ".join(str(line) for line in error.errors or []) or re.sub(r"(?s)<head.*?</head>|<[^>]*>", " ", str(error.text or ""))
    return re.sub(r"\s+", " ", said).strip()[:_SHOWN].rstrip(".") or "nothing more"
