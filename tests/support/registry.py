# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients on the list of the fake API, made by the operations themselves."""

from __future__ import annotations

import typing as t

from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context, Operation
from ansible_collections.rarus.lms.plugins.module_utils._operations import client

from .fake_api import FakeApi

__all__ = ["operate", "register"]

SPACE = "lms-dev"


def operate(
    fake_api: FakeApi, operation: Operation, lines: list[str] | None = None, *, check_mode: bool = False, **given: t.Any
) -> dict[str, t.Any]:
    """Run an operation with the defaults of its options; what it reports goes into lines."""
    defaults = {name: option.get("default") for name, option in operation.argument_spec.items()}
    report = (lines if lines is not None else []).append
    params = {**defaults, **fake_api.params, "namespace": SPACE, **given}
    return operation.run(params, Context(check_mode=check_mode, report=report))


def register(fake_api: FakeApi, **given: t.Any) -> str:
    """Put a client on the list; return its id."""
    made = operate(fake_api, client.OPERATION, **{"catalogue": "lms-dev", "actor": "anna@desk", **given})
    return str(made["record"]["client"])
