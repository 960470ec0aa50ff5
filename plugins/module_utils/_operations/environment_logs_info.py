# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the last lines of a client's logs, bounded and without secrets."""

from __future__ import annotations

import typing as t

from .._core.errors import InputError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .client_logs import Log, pods_of_client, read_logs, redactor_of

__all__ = ["ARGUMENT_SPEC", "MOST_LINES", "OPERATION", "run"]

MOST_LINES = 5000
ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "client": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "lines": {"type": "int", "default": 100},
    "previous": {"type": "bool", "default": False},
    "container": {"type": "str", "default": ""},
    "redact_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
}


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return the last lines of each container of the client's pods, and show them."""
    client = ClientId.parse(params["client"])
    if not 1 <= params["lines"] <= MOST_LINES:
        raise InputError(f"lines: is {params['lines']}. Expected a number of lines from 1 to {MOST_LINES}.")
    api, namespace = connect(params), params["namespace"]
    pods = pods_of_client(api, namespace, client)
    redact = redactor_of(api, namespace, client, pods, params["redact_secrets"])
    logs = read_logs(api, namespace, pods, redact, lines=params["lines"], previous=params["previous"], container=params["container"])
    screen = [line for log in logs for line in _shown(log)] or [f"{client} in {namespace} has no pod with a log."]
    for line in screen:
        context.report(line)
    return {"changed": False, "logs": [log.as_result() for log in logs], "screen": screen}


def _shown(log: Log) -> list[str]:
    """Return one log with its heading; lines of programs are not folded, so that they can be copied."""
    run_of = "its run before" if log.previous else "now"
    return [f"Pod {log.pod}, container {log.container}, {run_of}:", *(f"  {line}" for line in log.lines or [f"({log.problem})"])]


OPERATION = Operation(name="environment_logs_info", argument_spec=ARGUMENT_SPEC, run=run)
