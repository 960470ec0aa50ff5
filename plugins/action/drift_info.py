# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for anything to be done in the controller's process, where the request templates are."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import partial

from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.drift_info import OPERATION
from ansible_collections.rarus.lms.plugins.plugin_utils.in_process import InProcessAction
from ansible_collections.rarus.lms.plugins.plugin_utils.templates import rendered


class ActionModule(InProcessAction):
    """The action of rarus.lms.drift_info."""

    operation = OPERATION

    def _context(self, task_vars: t.Mapping[str, t.Any]) -> Context:
        """Return what the operation is run with, and how requests are rendered."""
        return replace(super()._context(task_vars), render=partial(rendered, task_vars))
