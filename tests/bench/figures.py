"""What is measured, as it is printed and kept: one line a figure, bounded from above."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Figure", "more_than", "table", "times_as_long"]


@dataclass(frozen=True)
class Figure:
    """One line of the table; must and aim bound value from above, None where it is only told. ours and peer are what value was made of.

    value: None where it was not measured, which is never within its bound.
    """

    name: str
    value: float | None
    unit: str
    must: float | None = None
    aim: float | None = None
    ours: float | None = None
    peer: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the value is within its bound."""
        return self.value is not None and (self.must is None or self.value <= self.must)


def more_than(name: str, ours: Iterable[float], peer: Iterable[float], must: float | None = None, aim: float | None = None) -> Figure:
    """Return the difference of two medians in seconds."""
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return Figure(name, round(mine - theirs, 2), "s", must, aim, round(mine, 2), round(theirs, 2))


def times_as_long(name: str, ours: Iterable[float], peer: Iterable[float], must: float, aim: float) -> Figure:
    """Return the ratio of two medians in seconds."""
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return Figure(name, round(mine / theirs, 2), "x", must, aim, round(mine, 3), round(theirs, 3))


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a table for people."""

    def text(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    rows = [("what", "value", "unit", "must", "aim", "ours", "peer", "")]
    rows += [
        (
            f.name,
            "not measured" if f.value is None else text(f.value),
            f.unit,
            text(f.must),
            text(f.aim),
            text(f.ours),
            text(f.peer),
            "ok" if f.holds else "MISSING" if f.value is None else "ABOVE",
        )
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
