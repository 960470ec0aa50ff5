# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict where there is none: the state could not be found out, and why."""

from __future__ import annotations

from ..._core.errors import LmsError
from .model import Finding, Phase, Severity, Verdict

__all__ = ["CAUSE", "unknown"]

CAUSE = "not_found_out"


def unknown(error: LmsError, reference: str) -> Verdict:
    """Return the verdict on an environment whose state could not be found out; reference names what could not be read."""
    finding = Finding(
        cause=CAUSE,
        severity=Severity.FATAL,
        object=reference,
        container="",
        reason=str(error.data.get("reason") or "Unknown"),
        message=error.message.rstrip("."),
        since="",
        evidence=(),
        log=(),
        next=error.hint.rstrip(".") or "run the same command again",
    )
    return Verdict(Phase.UNKNOWN, (finding,))
