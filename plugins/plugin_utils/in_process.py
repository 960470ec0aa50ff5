# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an operation in the controller's own process, where a module would cost a process and its imports."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation

__all__ = ["InProcessAction"]

# Callbacks whose output is meant for people; the others (json, junit) have readers that a stray line would break.
CALLBACKS_FOR_PEOPLE = {"rarus.lms.operator", "default", "ansible.builtin.default", "awx_display", "minimal", "ansible.posix.debug"}


def secret_values(spec: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any]) -> set[str]:
    """Return the values of all options typed with no_log, sub-options included."""
    found: set[str] = set()
    for name, option in spec.items():
        value = params.get(name)
        if value is None:
            continue
        if option.get("no_log"):
            found |= {str(leaf) for leaf in (value.values() if isinstance(value, dict) else [value]) if leaf}
        elif "options" in option:
            for part in value if isinstance(value, list) else [value]:
                found |= secret_values(option["options"], part)
    return found


class InProcessAction(ActionBase):
    """The action plugin of an operation: in-process on a local connection, the module of the same name on any other."""

    operation: t.ClassVar[Operation]
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the operation here, or hand the task to its module."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        if not self._is_local():
            result.update(self._execute_module(f"rarus.lms.{self.operation.name}", self._task.args, task_vars=task_vars))
            for line in result.get("screen", []):
                show(line)
            return result
        spec = dict(self.operation.argument_spec)
        _validation, params = self.validate_argument_spec(spec, **self.operation.constraints)
        params = self._with_play_environment(spec, params)
        try:
            result.update(self.operation.run(params, Context(check_mode=self._task.check_mode, report=show)))
        except LmsError as error:
            result.update(error.as_result(), failed=True)
        return t.cast("dict[str, t.Any]", remove_values(result, secret_values(spec, params)))

    def _is_local(self) -> bool:
        """Return whether this process stands where the module would run, with the same rights."""
        return self._connection.transport == "local" and not self._task.become

    def _with_play_environment(self, spec: t.Mapping[str, t.Any], params: dict[str, t.Any]) -> dict[str, t.Any]:
        """Fill options that fall back to a variable of the environment from the play's `environment:`, which a module would see."""
        environment: dict[str, t.Any] = {}
        for block in self._task.environment or []:
            environment.update(self._templar.template(block) or {})
        for name, option in spec.items():
            _fallback, variables = option.get("fallback", (None, []))
            if name not in self._task.args and variables:
                params[name] = next((environment[variable] for variable in variables if variable in environment), params[name])
        return params


def show(line: str) -> None:
    """Show one progress line at once: on standard output for people, on standard error where a program reads the output."""
    Display().display(line, stderr=C.DEFAULT_STDOUT_CALLBACK not in CALLBACKS_FOR_PEOPLE)
