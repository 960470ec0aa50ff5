# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable as it was given, with nothing in it read as a template."""

from __future__ import annotations

DOCUMENTATION = r"""
name: given
short_description: A variable as it was given, never templated
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Returns the value of a variable as it stands, even where it looks like a template. An extra variable is a template to Ansible, so that
    an organisation whose name has braces could not be typed on the command line.
  - An empty text stands for a variable that is not there.
  - Fails where Ansible has cut a value at a blank, as it does without a word to C(-e organisation=Acme Ltd).
options:
  _terms:
    description: Names of variables.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Register an organisation under the name that was typed
  rarus.lms.client:
    organisation: "{{ lookup('rarus.lms.given', 'organisation') }}"
    namespace: lms-dev
    catalogue: lms-dev
"""

RETURN = r"""
_raw:
  description: The values.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain

# Where Ansible leaves words of the command line that belong to no variable.
LEFT_OVER = "_raw_params"


class LookupModule(LookupBase):
    """The lookup rarus.lms.given."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return the value of each variable, or an empty text."""
        self.set_options(var_options=variables, direct=kwargs)
        if LEFT_OVER in (variables or {}):
            raise AnsibleError(
                "extra variables: words after a blank belong to none, so a value was cut off. "
                """Put quotes inside, as in -e "organisation='Acme Ltd'", or give JSON or a file."""
            )
        return [plain((variables or {}).get(term, "")) for term in terms]
