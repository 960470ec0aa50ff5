# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error base of the collection: what code below an entry point raises, and an entry point turns into a failed task."""

from __future__ import annotations

import typing as t

__all__ = ["ConflictError", "InputError", "LmsError", "UnknownStateError"]


class LmsError(Exception):
    """A failure that an operator can read.

    message: one sentence that names the object or field, what was found (never a secret) and what is expected.
    hint: what to do next, as a command or a setting; empty where the message says it.
    data: facts for machines, merged into the task's result; never a secret.
    """

    def __init__(self, message: str, *, hint: str = "", data: t.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = dict(data or {})

    def as_result(self) -> dict[str, t.Any]:
        """Return what a failed task shows: msg with the hint after it, and data."""
        return {**self.data, "msg": f"{self.message} {self.hint}".strip()}


class InputError(LmsError):
    """What the operator gave cannot be right; nothing was touched."""


class ConflictError(LmsError):
    """Somebody else wrote, created or owns what this run was about to write."""


class UnknownStateError(LmsError):
    """The state could not be found out (unreachable, forbidden, no answer of Kubernetes'); it is never taken for absence."""
