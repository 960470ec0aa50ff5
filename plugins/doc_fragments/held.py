# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that hold a client's Lease while they write; HELD_OPTIONS of _operations/client_lease.py are the same."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment rarus.lms.held."""

    DOCUMENTATION = r"""
options:
  lease_seconds:
    description: Seconds without a sign of life after which other runs may pass over this one, once it has the client's Lease.
    type: int
    default: 20
  lease_wait_seconds:
    description: Seconds to wait where another run has that Lease; V(0) gives up at once.
    type: int
    default: 120
"""
