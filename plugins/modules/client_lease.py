#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes, keeps and gives back the Leases of clients."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_lease
short_description: Keep two runs from working on one client at once
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Takes a Lease for each client before a run writes anything, waits where another run holds it, and says who does since when.
  - Taking a Lease begins an epoch in the client's record. A run that comes back with an older epoch was overtaken, and fails
    before its next write, naming the run that took over. This holds also where a Lease was lost.
  - A Lease that was not renewed within its duration is passed over, so a run that was killed blocks nobody for longer.
    Times are taken from the API's answers, so the controllers' own clocks do not matter.
  - In check mode nothing is taken.
  - Needs the verbs C(get), C(create) and C(update) on C(leases) (coordination.k8s.io), and C(get) and C(update) on C(configmaps), in
    the registry's namespace.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes
options:
  clients:
    description: Ids of the clients, such as V(C42). Leases are taken in the order of ids, so that two runs never wait for each other.
    type: list
    elements: str
    required: true
  state:
    description: V(present) takes the Leases, or renews those in O(epochs); V(absent) gives back those that are this run's.
    type: str
    choices: [present, absent]
    default: present
  registry_namespace:
    description: Namespace that the records lie in; the Leases lie beside them.
    type: str
    required: true
  token:
    description: RV(token) of an earlier task of the same run. Empty begins a run.
    type: str
    default: ""
  epochs:
    description: RV(epochs) of an earlier task of the same run. Their Leases are renewed, and must still be this run's.
    type: dict
    default: {}
  records:
    description:
      - Records of clients as this run has read them, by id, as RV(rarus.lms.client#module:record). Where a client's settings or phase
        have been changed since, its Lease is not taken, because the run would go by what does not hold any more.
    type: dict
    default: {}
  duration:
    description: Seconds within which this run means to renew its Leases, and after which others may pass over them.
    type: int
    default: 20
  wait_timeout:
    description: Seconds to wait for a Lease that another run holds; V(0) gives up at once.
    type: int
    default: 120
  before:
    description: A line to show first where this begins a run, O(token) being empty, such as what a preflight says of itself.
    type: str
    default: ""
  actor:
    description: Who acts, for the Lease and the record. Empty means user@host, with the number of the job where this runs in AWX.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Begin to work on C42
  rarus.lms.client_lease:
    clients: [C42]
    registry_namespace: lms-dev
  register: lease

- name: Is it still ours?
  rarus.lms.client_lease:
    clients: [C42]
    registry_namespace: lms-dev
    token: "{{ lease.token }}"
    epochs: "{{ lease.epochs }}"

- name: Let others work on C42
  rarus.lms.client_lease:
    clients: [C42]
    state: absent
    registry_namespace: lms-dev
    token: "{{ lease.token }}"
"""

RETURN = r"""
token:
  description: What names this run among others, for its next tasks. It opens nothing.
  returned: success
  type: str
epochs:
  description: The epoch of each client that this run holds, by its id.
  returned: success
  type: dict
lease:
  description: What tasks that wait take as O(rarus.lms.jobs_info#module:lease), to renew these Leases. Empty where none are held.
  returned: success
  type: dict
waited:
  description: Whether another run held one of the Leases before. What was read earlier may be out of date then.
  returned: success
  type: bool
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_lease import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
