# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run that ends before its verdict: who asks for a report gets one, whatever happens."""

from __future__ import annotations

DOCUMENTATION = """
name: report
type: notification
short_description: Write the report of a run that ends before its verdict
version_added: 0.1.0
author: The rarus.lms authors (@rarus-lms)
description:
  - With C(-e report=FILE) the module M(rarus.lms.environment_info) writes what it finds. Where a run ends before that (wrong settings,
    missing rights, a failed database Job), this writes a report that says why, of the same form.
  - Without C(-e report=FILE) it does nothing.
requirements:
  - enabled in configuration (C(callbacks_enabled = rarus.lms.report))
"""

import contextlib
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase
from ansible_collections.rarus.lms.plugins.module_utils._core.clock import utc_now
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._core.version import VERSION
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.report import Report, not_judged
from ansible_collections.rarus.lms.plugins.module_utils._operations.report_file import write_report
from ansible_collections.rarus.lms.plugins.plugin_utils.sentences import sentence_of

__all__ = ["CallbackModule"]

NAMESPACE = "lms_namespace_id"


class CallbackModule(CallbackBase):
    """Keeps the last failure until the end, and forgets it once environments were judged."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "rarus.lms.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._started = time.time()
        self._variables: t.Any = None
        self._failed: t.Any = None
        self._item: t.Any = None
        self._judged = False

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Remember where variables are."""
        self._variables = play.get_variable_manager()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Note a verdict."""
        self._judged = self._judged or "environments" in result._result

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Note a failure, which may be a verdict."""
        self.v2_runner_on_ok(result)
        if not ignore_errors:
            self._failed = self._item if "results" in result._result and self._item else result

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """Note a loop's failed item: that of the whole says no more than that there was one."""
        self._item = result

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Note that something could not be found out."""
        self.v2_runner_on_failed(result, ignore_errors=bool(result._task.ignore_unreachable))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Write the report, where one is asked for and the run has ended before a verdict."""
        given = self._variables.extra_vars if self._variables else {}
        if self._failed is None or self._judged or not given.get("report") or not (stats.failures or stats.dark):
            return
        path = Path(str(given["report"])).expanduser()
        try:
            write_report(str(path), self._report(given))
        except LmsError as error:
            self._display.warning(error.message)

    def _report(self, given: t.Mapping[str, t.Any]) -> Report:
        """Return the report: why the run ended, for each client that it was about."""
        facts, task = self._failed._result, self._failed._task
        why = sentence_of(task.get_name(), str(task.action), facts)
        namespace = str(self._variables.get_vars(host=self._failed._host).get(NAMESPACE) or "")
        environments = [not_judged(client, namespace, task.get_name(), why, _findings(facts, client)) for client in _clients(given)]
        return Report(namespace, utc_now(), VERSION, round(time.time() - self._started, 1), environments, why)


def _clients(given: t.Mapping[str, t.Any]) -> list[ClientId]:
    """Return the clients that extra variables name, those that are no ids left out: the reason is that, then."""
    found = []
    for text in (str(given.get("clients") or "") + "," + str(given.get("client") or "")).split(","):
        with contextlib.suppress(InputError):
            found.append(ClientId.parse(text.strip()))
    return sorted(set(found))


def _findings(facts: t.Mapping[str, t.Any], client: ClientId) -> list[dict[str, t.Any]]:
    """Return what failed Jobs of a client say, by the result of rarus.lms.jobs_info."""
    return [finding for job in facts.get("jobs") or [] if job.get("client") == client.id for finding in job["findings"]]
