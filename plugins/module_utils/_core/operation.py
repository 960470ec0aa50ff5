# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry point runs: one operation, the same for its module and for its action plugin in the controller's process."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

__all__ = ["Context", "Lookup", "Operation", "Render"]


def _silent(line: str) -> None:
    """Take a progress line and show it nowhere."""


# A lookup plugin's name and its options, and what it answers first; raises InputError where it cannot be run.
Lookup = t.Callable[[str, t.Mapping[str, t.Any]], t.Any]
# Clients' ids, the catalogue's settings, the clients' fingerprints and a stage; returns its requests, raises InputError with all faults.
Render = t.Callable[[t.Sequence[t.Any], t.Mapping[str, t.Any], t.Mapping[str, str], str], list[dict[str, t.Any]]]


@dataclass(frozen=True)
class Context:
    """How an operation is run: check_mode writes nothing; report shows the operator one line at once.

    lookup: runs a lookup plugin of the controller; None in a module's process, which has none.
    render: renders the request templates, which lie there too; None but for an operation that asks for it by its action.
    """

    check_mode: bool = False
    report: t.Callable[[str], None] = _silent
    lookup: Lookup | None = None
    render: Render | None = None


@dataclass(frozen=True)
class Operation:
    """One entry point's work.

    name: the module's name without the collection.
    argument_spec: options as Ansible takes them; secrets are typed with no_log.
    run: takes the validated options and the context, returns the task's result ("changed" included), raises LmsError.
    constraints: required_if, mutually_exclusive and the like, by Ansible's names.
    """

    name: str
    argument_spec: t.Mapping[str, t.Any]
    run: t.Callable[[t.Mapping[str, t.Any], Context], dict[str, t.Any]]
    constraints: t.Mapping[str, t.Any] = field(default_factory=dict)
