# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many environments on one screen: a line each, the worst first."""

from __future__ import annotations

import typing as t
from collections import Counter

from ..client_id import ClientId
from ..screen import WIDTH, fitted
from .model import Phase, Verdict
from .screens import headline

__all__ = ["WORST_FIRST", "overview"]

WORST_FIRST = (
    Phase.FAILED,
    Phase.UNKNOWN,
    Phase.DEGRADED,
    Phase.PROGRESSING,
    Phase.ABSENT,
    Phase.READY,
    Phase.SUSPENDED,
    Phase.RETIRED,
)
_RANKS = {phase: rank for rank, phase in enumerate(WORST_FIRST)}
_PHASE, _ORGANISATION = 11, 18

# A client, its verdict, its organisation's name, and what else is known of one that is absent or has left.
Row = tuple[ClientId, Verdict, str, str]


def overview(namespace: str, rows: t.Sequence[Row], seconds: float) -> list[str]:
    """Return the table: a headline with the counts, then one line a client, at most 100 columns each."""
    counts = Counter(verdict.phase for _client, verdict, _organisation, _why in rows)
    told = ", ".join(f"{counts[phase]} {phase.value}" for phase in WORST_FIRST if counts[phase]) or "nobody is on the list"
    lines = [f"{namespace}: {len(rows)} client{'' if len(rows) == 1 else 's'}: {told} ({seconds:.1f} s)"]
    widest = max((len(client.id) for client, *_more in rows), default=0)
    named = _ORGANISATION if any(organisation for _client, _verdict, organisation, _why in rows) else 0
    for client, verdict, organisation, why in sorted(rows, key=lambda row: (_RANKS[row[1].phase], row[0])):
        head = f"  {client.id:<{widest}}  {verdict.phase.value:<{_PHASE}}  " + (f"{fitted(organisation, named)}  " if named else "")
        lines.append(
            head + fitted(_detail(verdict, why), WIDTH - (len(f"  {'':<{widest}}  {'':<{_PHASE}}  ") + (named + 2 if named else 0)))
        )
    return [line.rstrip() for line in lines]


def _detail(verdict: Verdict, why: str) -> str:
    """Return the cause in a few words; of one that is well, the first note."""
    if verdict.phase in (Phase.READY, Phase.SUSPENDED):
        return next((one.message for one in verdict.findings), "")
    return why if why and not verdict.findings else headline(verdict)
