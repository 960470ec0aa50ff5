# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection that a catalogue sets, for module_defaults."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connection
short_description: The connection that a catalogue sets, for module_defaults
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Returns the options C(host), C(api_key), C(ca_cert) and C(validate_certs) that the catalogue's variables C(lms_api_*) set.
  - What they leave out is left out, so that C(K8S_AUTH_*) variables, such as AWX injects them, are not overridden by empty texts.
options: {}
"""

EXAMPLES = r"""
- name: Work with the cluster of the catalogue
  hosts: lms_catalogues
  gather_facts: false
  module_defaults:
    group/kubernetes.core.k8s: "{{ lookup('rarus.lms.connection') }}"
    group/rarus.lms.kubernetes: "{{ lookup('rarus.lms.connection') }}"
"""

RETURN = r"""
_raw:
  description: The options of the connection. It may hold the token; never show it.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import connection_of
from ansible_collections.rarus.lms.plugins.plugin_utils.variables import settings_given


class LookupModule(LookupBase):
    """The lookup rarus.lms.connection."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return one dictionary."""
        self.set_options(var_options=variables, direct=kwargs)
        if terms:
            raise AnsibleError("rarus.lms.connection: takes no terms; the connection is the catalogue's.")
        try:
            return [connection_of(settings_given(self._templar, variables or {}, "lms_api_"))]
        except LmsError as error:
            raise AnsibleError(error.as_result()["msg"]) from None
