# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a namespace in the controller's process."""

from __future__ import annotations

from ansible_collections.rarus.lms.plugins.module_utils._operations.namespace_info import OPERATION
from ansible_collections.rarus.lms.plugins.plugin_utils.in_process import InProcessAction
from ansible_collections.rarus.lms.plugins.plugin_utils.templates import compiled_templates

# Ansible imports an action before it forks a process for each task. So the templates are compiled once here, and not in each process anew.
compiled_templates()


class ActionModule(InProcessAction):
    """The action of rarus.lms.namespace_info."""

    operation = OPERATION
