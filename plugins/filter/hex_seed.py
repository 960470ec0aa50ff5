# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a fresh seed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hex_seed
short_description: A fresh seed in hexadecimal
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Random bytes of the operating system, written as lower-case hexadecimal digits, two a byte.
  - It is another one at every evaluation, and a secret. M(rarus.lms.credentials) makes a client's own seed and keeps it in the cluster;
    this is for those who keep seeds elsewhere.
options:
  _input:
    description: Number of bytes, from 16 to 1024. The service takes V(64).
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Keep a seed in a vault of your own
  community.hashi_vault.vault_kv2_write:
    path: lms/c42
    data:
      seed: "{{ 64 | rarus.lms.hex_seed }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The seed.
  type: str
"""

import secrets
import typing as t

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain

LEAST = 16
MOST = 1024


def hex_seed(value: t.Any) -> str:
    """Return a fresh seed; raises AnsibleError for a length that is none."""
    length = plain(value)
    if isinstance(length, bool) or not isinstance(length, int) or not LEAST <= length <= MOST:
        raise AnsibleError(f"hex_seed: expected a number of bytes from {LEAST} to {MOST}, such as 64.")
    return secrets.token_hex(length)


class FilterModule:
    """The filter rarus.lms.hex_seed."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"hex_seed": hex_seed}
