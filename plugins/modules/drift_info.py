#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether anything is to be done for clients."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drift_info
short_description: Tell whether anything is to be done for clients
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Asks what the stages of a provisioning ask, in one process and over one connection - the records, the Secrets, what the pods refer to,
    the Jobs and the objects. It ends at the first answer that leaves something to do, so that a run with nothing to do can end there too.
  - Values that are at home in a store outside the cluster, and copies in escrow, are not looked at. Where the catalogue has them, there is
    always something to do.
  - It writes nothing, and no value of a Secret is in its result.
  - The request templates lie on the controller, so it takes a local connection without C(become).
  - Needs the verbs C(get) and C(list) on C(configmaps) in the registry's namespace, and in O(namespace) on C(secrets), C(configmaps) and
    the kinds of the requests.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes.info
options:
  clients:
    description: Ids of the clients, such as V(C42).
    type: list
    elements: str
    required: true
  settings:
    description: The catalogue's settings as the lookup P(rarus.lms.settings#lookup) returns them.
    type: dict
    required: true
  redo:
    description: Stages that are to be repeated although they are done, so that there is something to do.
    type: list
    elements: str
    choices: [databases]
    default: []
"""

EXAMPLES = r"""
- name: Find out whether anything is to be done
  rarus.lms.drift_info:
    clients: [C42]
    settings: "{{ lookup('rarus.lms.settings') }}"
    namespace: lms-dev
  register: drift
"""

RETURN = r"""
drifted:
  description: Whether anything is to be done.
  returned: success
  type: bool
reason:
  description: The first of it that was found, as a few words. Empty where nothing is to be done.
  returned: success
  type: str
  sample: "Deployment lms-dev/lms-deployment-c42: setting changed"
calls:
  description: Number of requests that the API was sent.
  returned: success
  type: int
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.drift_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
