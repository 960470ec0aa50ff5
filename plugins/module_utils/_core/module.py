# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an operation as a module process: the only place below modules that ends one."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .errors import LmsError
from .operation import Context, Operation

__all__ = ["run_module"]


def run_module(operation: Operation) -> None:
    """Validate the options, run the operation once, and end the process with its result."""
    module = AnsibleModule(argument_spec=dict(operation.argument_spec), supports_check_mode=True, **operation.constraints)
    lines: list[str] = []
    try:
        result = operation.run(module.params, Context(check_mode=module.check_mode, report=lines.append))
    except LmsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)
