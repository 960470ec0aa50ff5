# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of clients, rendered."""

from __future__ import annotations

DOCUMENTATION = r"""
name: requests
short_description: The requests of clients, rendered from the request templates
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Renders every request template for every client, and labels and hashes the objects. It asks no API and holds no secret.
  - The collection's own templates lie in C(roles/requests/templates). A file with the same name without suffixes in the folder that the
    setting C(templates_dir) names takes the place of one; any other joins.
  - Fails with all faults of all templates at once, each with file, line and what to write instead.
options:
  _terms:
    description: Ids of the clients, such as V(C42); a list or one by one.
    type: list
    elements: raw
    required: true
  settings:
    description: The catalogue's settings as the lookup P(rarus.lms.settings#lookup) returns them.
    type: dict
    required: true
  fingerprints:
    description: By client id, what the client's credentials are, as M(rarus.lms.credentials) returns it.
    type: dict
    default: {}
  stage:
    description: Only the requests of one stage; all where it is left out.
    type: str
    choices: [databases, environment]
"""

EXAMPLES = r"""
- name: Show what would be sent for C42
  ansible.builtin.debug:
    msg: "{{ lookup('rarus.lms.requests', 'C42', settings=lookup('rarus.lms.settings')) | map(attribute='object') }}"
"""

RETURN = r"""
_raw:
  description: One entry for each request, in the order in which they are sent, with C(client), C(stage), C(file) and C(object).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain
from ansible_collections.rarus.lms.plugins.plugin_utils.templates import rendered


class LookupModule(LookupBase):
    """The lookup rarus.lms.requests."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return the requests as one list."""
        self.set_options(var_options=variables, direct=kwargs)
        # Ansible's own containers look for templates at each access: 50 ms a request instead of a fraction of one.
        settings, fingerprints = plain(self.get_option("settings")), plain(self.get_option("fingerprints"))
        given = [client for term in terms for client in (term if isinstance(term, list) else [term])]
        try:
            clients = [ClientId.parse(plain(client)) for client in given]
            return [rendered(variables or {}, clients, settings, fingerprints, self.get_option("stage") or "")]
        except LmsError as error:
            raise AnsibleError(error.as_result()["msg"]) from None
