# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that provisioning needs, for those who write the Role."""

from __future__ import annotations

DOCUMENTATION = r"""
name: access
short_description: The rules of the least Role that suffices to provision clients
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Returns what belongs under C(rules) of a Role of C(rbac.authorization.k8s.io/v1).
  - The same rules are what M(rarus.lms.namespace_info) asks the cluster for.
options:
  _terms:
    description: V(namespace) for the namespace of the environments, V(registry) for the namespace of the records where it is another one.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what an administrator must grant
  ansible.builtin.debug:
    msg: "{{ lookup('rarus.lms.access', 'namespace') }}"
"""

RETURN = r"""
_raw:
  description: The rules, with C(apiGroups), C(resources) and C(verbs).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, REGISTRY_RULES, role_rules

RULES = {"namespace": NAMESPACE_RULES, "registry": REGISTRY_RULES}


class LookupModule(LookupBase):
    """The lookup rarus.lms.access."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return one list of rules for each term."""
        self.set_options(var_options=variables, direct=kwargs)
        for term in terms:
            if term not in RULES:
                raise AnsibleError(f'rarus.lms.access: "{term}" is neither namespace nor registry.')
        return [role_rules(RULES[term]) for term in terms]
