# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the records of one client, of some or of all."""

from __future__ import annotations

import typing as t

from .._core.operation import Context, Operation
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .client_list import FILTER_OPTIONS, Filters, read_list

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {**KUBERNETES_OPTIONS, **PLACE_OPTIONS, **FILTER_OPTIONS}


def run(params: t.Mapping[str, t.Any], _context: Context) -> dict[str, t.Any]:
    """Return the records of the clients that the filters take, by their numbers."""
    filters = Filters.read(params)
    registry = params["registry_namespace"] or params["namespace"]
    entries = read_list(connect(params), registry, filters, contacts=params["contacts"])
    return {"changed": False, "clients": [entry.as_dict() for entry in entries]}


OPERATION = Operation(name="client_info", argument_spec=ARGUMENT_SPEC, run=run)
