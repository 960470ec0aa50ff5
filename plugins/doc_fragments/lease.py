# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules that wait while their run holds Leases; LEASE_OPTIONS of _operations/client_lease.py is the same."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment rarus.lms.lease."""

    DOCUMENTATION = r"""
options:
  lease:
    description:
      - The Leases to renew while waiting, as RV(rarus.lms.client_lease#module:lease). Left out where none are held.
      - Where another run has taken one of them, the wait fails.
    type: dict
    suboptions:
      token:
        description: RV(rarus.lms.client_lease#module:token) of this run.
        type: str
        required: true
      clients:
        description: Ids of the clients whose Leases they are.
        type: list
        elements: str
        required: true
      registry_namespace:
        description: Namespace that the Leases lie in.
        type: str
        required: true
      duration:
        description: Seconds within which the Leases are to be renewed.
        type: int
        default: 20
      actor:
        description: Who acts, as the Leases name it. Empty means user@host, with the number of the job where this runs in AWX.
        type: str
        default: ""
"""
