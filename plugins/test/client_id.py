# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether a value is the id of a client."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_id
short_description: Whether a value is the id of a client
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Whether a value is an id as all options take it, C(C) and a number of up to nine digits without leading zeros.
options:
  _input:
    description: Any value.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Refuse what is no id before anything is done
  ansible.builtin.assert:
    that: client is rarus.lms.client_id
"""

RETURN = r"""
_value:
  description: Whether it is one.
  type: bool
"""

import typing as t

from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain


def client_id(value: t.Any) -> bool:
    """Return whether a value is the id of a client."""
    try:
        ClientId.parse(plain(value))
    except LmsError:
        return False
    return True


class TestModule:
    """The test rarus.lms.client_id."""

    def tests(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the test by its name."""
        return {"client_id": client_id}
