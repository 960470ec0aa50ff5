# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a fresh private RSA key."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rsa_private_key
short_description: A fresh private RSA key as PEM
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - A private RSA key, PEM (PKCS#1), not encrypted.
  - It is another one at every evaluation, and a secret. M(rarus.lms.credentials) makes a client's own key and keeps it in the cluster; this
    is for those who keep keys elsewhere.
options:
  _input:
    description: Length in bits.
    type: int
    choices: [2048, 3072, 4096]
    required: true
"""

EXAMPLES = r"""
- name: Keep a key in a vault of your own
  community.hashi_vault.vault_kv2_write:
    path: lms/c42
    data:
      rsa_key: "{{ 2048 | rarus.lms.rsa_private_key }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The key.
  type: str
"""

import typing as t

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import generate_rsa_key
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain

LENGTHS = (2048, 3072, 4096)


def rsa_private_key(value: t.Any) -> str:
    """Return a fresh key; raises AnsibleError for a length that is none."""
    bits = plain(value)
    if bits not in LENGTHS:
        raise AnsibleError("rsa_private_key: expected a length of 2048, 3072 or 4096 bits.")
    try:
        return generate_rsa_key(bits).decode("ascii")
    except LmsError as error:
        raise AnsibleError(error.as_result()["msg"]) from None


class FilterModule:
    """The filter rarus.lms.rsa_private_key."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"rsa_private_key": rsa_private_key}
