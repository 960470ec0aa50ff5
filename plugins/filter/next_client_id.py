# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells which id follows the highest of a list."""

from __future__ import annotations

DOCUMENTATION = r"""
name: next_client_id
short_description: The id after the highest of a list
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Returns V(C1) for an empty list, else the id after the highest one. Gaps are not filled, as an id is never given twice.
  - Claims nothing. M(rarus.lms.client) without an id does, and knows of ids that have left.
options:
  _input:
    description: Ids of clients.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the next id would be
  ansible.builtin.debug:
    msg: "{{ ['C7', 'C42'] | rarus.lms.next_client_id }}" # C43
"""

RETURN = r"""
_value:
  description: The id. A list with something else in it, and one with the last possible id, is an error.
  type: str
"""

import typing as t

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain


def next_client_id(value: t.Any) -> str:
    """Return the id after the highest; raises AnsibleError for what is no list of ids."""
    given = plain(value)
    if not isinstance(given, list):
        raise AnsibleError("next_client_id: expected a list of ids, such as [C7, C42].")
    try:
        highest = max((ClientId.parse(one, "next_client_id").number for one in given), default=0)
        return ClientId.parse(f"C{highest + 1}", "next_client_id").id
    except LmsError as error:
        raise AnsibleError(error.as_result()["msg"]) from None


class FilterModule:
    """The filter rarus.lms.next_client_id."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"next_client_id": next_client_id}
