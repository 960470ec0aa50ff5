# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the catalogue, validated and complete."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.plugin_utils.variables import catalogue_of, settings_given

DOCUMENTATION = r"""
name: settings
short_description: The settings of the catalogue, validated and complete
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads the catalogue's variables C(lms_*), checks every one of them, and fails with all problems at once, a sentence each.
  - Returns a dictionary with the settings under their names without C(lms_), typed, with defaults for what is left out.
  - No secret is among them, only references to Secrets.
options: {}
"""

EXAMPLES = r"""
- name: Show where the environments live
  ansible.builtin.debug:
    msg: "{{ lookup('rarus.lms.settings').namespace_id }}"
"""

RETURN = r"""
_raw:
  description: The settings by name, as docs/settings.md lists them.
  type: list
  elements: dict
"""


class LookupModule(LookupBase):
    """The lookup rarus.lms.settings."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return one dictionary."""
        self.set_options(var_options=variables, direct=kwargs)
        variables = variables or {}
        try:
            return [read_settings(settings_given(self._templar, variables), catalogue=catalogue_of(variables))]
        except LmsError as error:
            raise AnsibleError(error.as_result()["msg"]) from None
