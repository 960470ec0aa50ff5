# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for anything to be done in the controller's process, where the request templates are."""

from __future__ import annotations

from ansible_collections.rarus.lms.plugins.module_utils._operations.drift_info import OPERATION
from ansible_collections.rarus.lms.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """The action of rarus.lms.drift_info."""

    operation = OPERATION
