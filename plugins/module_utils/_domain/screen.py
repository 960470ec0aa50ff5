# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads: lines of at most 100 columns, the cause first, numbers with units (the forms stand in docs/verdict.md)."""

from __future__ import annotations

import textwrap
import typing as t
import unicodedata

__all__ = ["WIDTH", "failure", "fitted", "progress", "ready", "short_image", "stage"]

WIDTH = 100
# Columns of the left part of a line while something runs ("  rollout      "), and of a fact below a headline ("  object   ").
_STAGE = 15
_LABEL = 11
_STAGE_TEXT = 54
_SECONDS = 7
_DIGEST_SHOWN = 8


def stage(name: str, text: str, seconds: float) -> str:
    """Return the line of a finished stage: its name, what it did, and the seconds it took."""
    return f"  {name:<{_STAGE - 2}}{text:<{_STAGE_TEXT}}{seconds:>6.1f} s"


def progress(name: str, seconds: float, text: str) -> str:
    """Return a line of something that is waited for; the name stands in the first line of a stage only, and is empty after it."""
    taken = f"{seconds:.1f} s"
    head = f"  {name:<{_STAGE - 2}}{taken:<{_SECONDS}}"
    return head + textwrap.shorten(text, WIDTH - len(head), placeholder="...")


def ready(client: str, address: str, seconds: float, *, image: str = "", changed: bool = True) -> list[str]:
    """Return the screen of an environment that serves; image is shown where something changed."""
    how = f"is ready after {seconds:.1f} s" if changed else f"is ready, nothing changed ({seconds:.1f} s)"
    lines = [f"{client} {how}   {address}".rstrip()]
    if changed and image:
        lines.append(" " * 13 + f"image {short_image(image)}")
    return lines


def failure(headline: str, facts: t.Iterable[tuple[str, t.Sequence[str]]]) -> list[str]:
    """Return a screen: a headline, then labelled facts (`object`, `log`, `state`, `next`); facts without lines are left out."""
    lines = textwrap.wrap(headline, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    for label, texts in facts:
        lead = f"  {label:<{_LABEL - 2}}"
        for text in texts:
            folded = textwrap.wrap(
                text, WIDTH - _LABEL, break_on_hyphens=False, break_long_words=True, drop_whitespace=True, replace_whitespace=True
            )
            for line in folded:
                lines.append(lead + line)
                lead = " " * _LABEL
    return lines


def short_image(image: str) -> str:
    """Return an image's name with its digest cut to eight digits: `registry.example/lms/backend:dev@sha256:1f2e90c4`."""
    name, mark, digest = image.partition("@sha256:")
    return name + mark + digest[:_DIGEST_SHOWN]


def fitted(text: str, width: int) -> str:
    """Return a text on one line that takes exactly width columns of a terminal: filled with blanks, or cut with "..." at its end."""
    line = " ".join(text.split())
    if _columns(line) > width:
        kept = ""
        for char in line:
            if _columns(kept + char) > width - 3:
                break
            kept += char
        line = kept + "..."
    return line + " " * (width - _columns(line))


def _columns(text: str) -> int:
    """Return how many columns a terminal gives a text: two for wide characters, none for those that join the one before."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
