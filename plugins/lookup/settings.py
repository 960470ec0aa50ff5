# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the catalogue, validated and complete."""

from __future__ import annotations

DOCUMENTATION = r"""
name: settings
short_description: The settings of the catalogue, validated and complete
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads the catalogue's variables C(lms_*), checks every one of them, and fails with all problems at once, a sentence each.
  - Returns a dictionary with the settings under their names without C(lms_), typed, with defaults for what is left out.
  - No secret is among them, only references to Secrets.
options:
  _terms:
    description: Id of one client, such as V(C42), for the settings that hold for it; without it, those of the catalogue.
    type: list
    elements: str
  settings:
    description: Settings that were read before, by this lookup; without them the catalogue's variables are read.
    type: dict
  records:
    description:
      - Records of clients by their ids, as M(rarus.lms.client) returns them. What they hold under C(settings) lies over the catalogue's
        C(lms_client_settings), and a suspended client has no pods.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show where the environments live
  ansible.builtin.debug:
    msg: "{{ lookup('rarus.lms.settings').namespace_id }}"

- name: Read the settings that hold once the clients' records are known
  ansible.builtin.set_fact:
    all_settings: "{{ lookup('rarus.lms.settings', records={'C42': client_found.record}) }}"

- name: Show the image of client C42
  ansible.builtin.debug:
    msg: "{{ lookup('rarus.lms.settings', 'C42').docker_image }}"
"""

RETURN = r"""
_raw:
  description: The settings by name, as docs/settings.md lists them.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings, settings_of, with_records
from ansible_collections.rarus.lms.plugins.plugin_utils.variables import catalogue_of, settings_given


class LookupModule(LookupBase):
    """The lookup rarus.lms.settings."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return one dictionary, or one for each client."""
        self.set_options(var_options=variables, direct=kwargs)
        variables = variables or {}
        try:
            clients = [ClientId.parse(plain(term)) for term in terms]
            given = self.get_option("settings")
            settings = plain(given) if given else read_settings(settings_given(self._templar, variables), catalogue=catalogue_of(variables))
            settings = with_records(settings, plain(self.get_option("records")))
            return [settings_of(settings, client) for client in clients] or [settings]
        except LmsError as error:
            raise AnsibleError(error.as_result()["msg"]) from None
