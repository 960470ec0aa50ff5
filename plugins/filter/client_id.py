# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an id of a client as somebody typed it into its one form."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_id
short_description: The one form of a client's id
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Takes away blanks around an id and writes its letter in upper case, so that what a person typed becomes the id.
  - The options of the modules never do that, so that one client is never written in two ways. This is for input from elsewhere.
options:
  _input:
    description: An id as somebody typed it, such as C( c42 ).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the id of what a form gave
  ansible.builtin.debug:
    msg: "{{ ' c42 ' | rarus.lms.client_id }}" # C42
"""

RETURN = r"""
_value:
  description: The id, such as V(C42). What is none is an error.
  type: str
"""

import typing as t

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain


def client_id(value: t.Any) -> str:
    """Return the id; raises AnsibleError for what is none."""
    given = plain(value)
    try:
        return ClientId.parse(given.strip().upper() if isinstance(given, str) else given, "client_id").id
    except LmsError as error:
        raise AnsibleError(error.as_result()["msg"]) from None


class FilterModule:
    """The filter rarus.lms.client_id."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"client_id": client_id}
