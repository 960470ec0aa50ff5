# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says about check mode, diff mode and repeated runs."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments `rarus.lms.attributes` (modules that write) and `rarus.lms.attributes.info` (modules that only read)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without writing anything.
    support: full
  diff_mode:
    description: Shows differences in diff mode. Results carry names, dates and fingerprints instead, because contents may be secret.
    support: none
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Only reads, so that check mode makes no difference.
    support: full
  diff_mode:
    description: Only reads, so that there are no differences to show.
    support: N/A
  idempotent:
    description: Only reads, and changes nothing however often it runs.
    support: full
"""
