# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a text fit for labels and names of objects."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_slug
short_description: A text as labels and names can hold it
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Of an id the form that objects and databases bear, C(c42) of V(C42).
  - Of any other text lower-case ASCII letters, digits and hyphens, 63 at most. Blanks become hyphens. Where more was lost a hash follows,
    so that names in other scripts differ too. The label C(rarus.lms/organisation) of a record is made this way.
  - Names that differ in upper and lower case alone, or in the way that an accent is written, have the same.
options:
  _input:
    description: An id, or any text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Name an object after a client
  ansible.builtin.debug:
    msg: "note-{{ 'C42' | rarus.lms.client_slug }}" # note-c42

- name: Select the clients of an organisation
  ansible.builtin.debug:
    msg: "kubectl get configmap -l rarus.lms/organisation={{ 'Brot & Söhne' | rarus.lms.client_slug }}"
"""

RETURN = r"""
_value:
  description: The text, empty for an empty one.
  type: str
"""

import typing as t

from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain
from ansible_collections.rarus.lms.plugins.module_utils._domain.organisation import slug


def client_slug(value: t.Any) -> str:
    """Return the text as labels and names can hold it."""
    return slug(str(plain(value)))


class FilterModule:
    """The filter rarus.lms.client_slug."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"client_slug": client_slug}
