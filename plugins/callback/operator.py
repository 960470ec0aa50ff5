# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen for operators: what the entry points report, and the reasons of failures; the tasks' own banners only with -v."""

from __future__ import annotations

DOCUMENTATION = """
name: operator
type: stdout
short_description: Only what an operator reads
version_added: 0.1.0
author: The rarus.lms authors (@rarus-lms)
description:
  - Shows the lines that the collection's entry points report, differences asked for with C(--diff), and one message a failure.
  - With C(-v) and more, everything that P(ansible.builtin.default#callback) shows.
  - Each line is written at once, into a pipe or a file too.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import io
import sys
import typing as t

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.rarus.lms.plugins.plugin_utils.sentences import sentence_of

__all__ = ["CallbackModule"]

# What the default callback shows and an operator does not need while all goes well.
QUIET = (
    "v2_playbook_on_play_start",
    "v2_playbook_on_task_start",
    "v2_playbook_on_handler_task_start",
    "v2_playbook_on_include",
    "v2_playbook_on_stats",
    "v2_runner_on_skipped",
    "v2_runner_item_on_ok",
    "v2_runner_item_on_skipped",
)


def _only_when_verbose(name: str) -> t.Callable[..., None]:
    """Return a method that shows what the default callback's method of that name shows, with -v only."""

    def method(self: DefaultCallback, *args: t.Any, **kwargs: t.Any) -> None:
        if self._display.verbosity:
            getattr(DefaultCallback, name)(self, *args, **kwargs)

    method.__name__ = name
    return method


class CallbackModule(DefaultCallback):
    """The default callback without its noise."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rarus.lms.operator"

    def __init__(self) -> None:
        """Have lines leave at once: Ansible leaves that to Python, which keeps them back where the output is no terminal."""
        super().__init__()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Show what a task says on purpose (ansible.builtin.debug); everything else with -v only."""
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
        elif result._task.action in C._ACTION_DEBUG and "msg" in result._result:
            self._display.display(str(result._result["msg"]))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Show the message alone; a loop's failed items have shown theirs."""
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        elif not ignore_errors:
            self._show(result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """Show one item's message."""
        if self._display.verbosity:
            super().v2_runner_item_on_failed(result)
        else:
            self._show(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Show the message alone."""
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        elif not result._task.ignore_unreachable:
            self._show(result)

    def _show(self, result: t.Any) -> None:
        """Show why a task failed: its message, or its name where no_log hides the result; a loop's items have shown theirs."""
        facts = result._result
        if not facts.get("screen") and "results" not in facts:
            sentence = sentence_of(result._task.get_name(), str(result._task.action), facts)
            self._display.display(sentence, color=C.COLOR_ERROR)


for _name in QUIET:
    setattr(CallbackModule, _name, _only_when_verbose(_name))
