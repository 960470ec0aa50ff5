# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a client: `C42` for people, labels and paths; `c42` for objects, databases and roles."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._core.errors import InputError

__all__ = ["ClientId"]

_FORM = re.compile(r"C([1-9][0-9]{0,8})")
_SHOWN = 40


@dataclass(frozen=True, order=True)
class ClientId:
    """number: 1 to 999999999, the whole of an id; ids sort by it."""

    number: int

    @classmethod
    def parse(cls, value: t.Any, field: str = "client") -> ClientId:
        """Return the id that a text such as `C42` is; field is the option's name for the message.

        Nothing is corrected (no upper-casing, no stripping), so that one client is never written in two ways.
        Raises InputError.
        """
        match = _FORM.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise InputError(
                f"{field}: {_shown(value)} is not a client id. Expected C and a number without leading zeros, such as C42.",
                hint="" if not _is_long(value) else "It has at most nine digits.",
            )
        return cls(int(match.group(1)))

    @property
    def id(self) -> str:
        """Return the form that people, labels and public paths bear: `C42`."""
        return f"C{self.number}"

    @property
    def name(self) -> str:
        """Return the form that objects, databases and roles bear: `c42`."""
        return f"c{self.number}"

    def __str__(self) -> str:
        """Return the id as people write it."""
        return self.id


def _shown(value: t.Any) -> str:
    """Return what was given, on one line and cut where it is long, in double quotes where it is a text."""
    if not isinstance(value, str):
        return f"{value!r:.{_SHOWN}} ({type(value).__name__})"
    text = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def _is_long(value: t.Any) -> bool:
    """Return whether the only fault is the number's length."""
    return isinstance(value, str) and re.fullmatch(r"C[1-9][0-9]{9,}", value) is not None
