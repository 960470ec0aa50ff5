# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an operation in the controller's own process, where a module would cost a process and its imports."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.utils.display import Display
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError, UnknownStateError
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
            result.update(self.operation.run(params, self._context(task_vars or {})))
        except LmsError as error:
            result.update(error.as_result(), **_outcome(error))
        return t.cast("dict[str, t.Any]", remove_values(result, secret_values(spec, params)))

    def _context(self, task_vars: t.Mapping[str, t.Any]) -> Context:
        """Return what the operation is run with."""
        return Context(check_mode=self._task.check_mode, report=show, lookup=partial(self._looked_up, task_vars))

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

    def _looked_up(self, task_vars: t.Mapping[str, t.Any], name: str, options: t.Mapping[str, t.Any]) -> t.Any:
        """Return the first answer of another collection's lookup plugin, which may take options from that collection's variables too."""
        collection = name.rpartition(".")[0]
        prefix = f"ansible_{collection.rpartition('.')[2]}_"
        variables = {key: self._templar.template(value) for key, value in task_vars.items() if key.startswith(prefix)}
        try:
            plugin = lookup_loader.get(name, loader=self._loader, templar=self._templar)
            if plugin is None:
                raise InputError(
                    f"The lookup plugin {name} is not installed on the controller.", hint=f"ansible-galaxy collection install {collection}"
                )
            return plugin.run([], variables=variables, **options)[0]
        except AnsibleError as error:
            raise InputError(f"{name}: {error.message}") from None


def _outcome(error: LmsError) -> dict[str, bool]:
    """Return how Ansible marks a task that ended so: unreachable (exit code 4) where the state could not be found out, else failed (2)."""
    return {"unreachable": True} if isinstance(error, UnknownStateError) else {"failed": True}


def show(line: str) -> None:
    """Show one progress line at once: on standard output for people, on standard error where a program reads the output."""
    Display().display(line, stderr=C.DEFAULT_STDOUT_CALLBACK not in CALLBACKS_FOR_PEOPLE)
