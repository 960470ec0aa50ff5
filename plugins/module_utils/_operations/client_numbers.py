# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms the ids of clients: a counter beside the records, moved by compare-and-swap, so that the cost does not grow with the list."""

from __future__ import annotations

import random
import time
import typing as t

from .._core.errors import ConflictError, InputError, LmsError
from .._domain.client_id import ClientId
from .._domain.names import CLIENT_LABEL, COUNTER_NAME, MANAGED_BY, MANAGER, RECORD_LABEL, RECORD_OF_CLIENT
from .._k8s.api import Api
from .._k8s.resources import Ref

__all__ = ["form_id", "last_number", "move_beyond", "next_id"]

HIGHEST = 999_999_999
# Seconds within which a run must have moved the counter, and the longest pause after losing to another run; it grows with each loss.
MOVE_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0

KEY = "last"


def form_id(api: Api, registry: str) -> ClientId:
    """Return an id that the counter has given to nobody else, and never will. Somebody may have claimed it by hand."""
    return ClientId(_move(api, registry, _following))


def move_beyond(api: Api, registry: str, number: int) -> bool:
    """Have the counter go on after a number at least; return whether it had to be moved."""
    moved: list[int] = []

    def wanted(last: int) -> int:
        moved[:] = [last] if last < number else []
        return max(last, number)

    _move(api, registry, wanted)
    return bool(moved)


def last_number(api: Api, registry: str) -> int:
    """Return the number that the counter gave last; where there is no counter yet, the highest of the list, 0 for an empty one."""
    found = api.get(_ref(registry))
    return _highest(api, registry) if found is None else _last(found)


def next_id(last: int) -> ClientId:
    """Return the id after a number."""
    return ClientId(_following(last))


def _move(api: Api, registry: str, wanted: t.Callable[[int], int]) -> int:
    """Move the counter from where it stands to where `wanted` says, and return that; nothing is written where it stands there."""
    ends, pause = time.monotonic() + MOVE_SECONDS, FIRST_PAUSE_SECONDS
    while time.monotonic() < ends:
        found = api.get(_ref(registry))
        last = _highest(api, registry) if found is None else _last(found)
        number = wanted(last)
        try:
            if found is None:
                api.create(_counter(registry, number))
            elif number != last:
                api.replace({**found, "data": {**found["data"], KEY: str(number)}})
            return number
        except ConflictError:
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    raise ConflictError(
        f"ConfigMap {registry}/{COUNTER_NAME} was moved by other runs for {MOVE_SECONDS:.0f} s on end.", hint="Run the same again later."
    )


def _following(last: int) -> int:
    if last >= HIGHEST:
        raise InputError(
            f"client: no id is left to form: the last one was C{last}, and an id has at most nine digits.",
            hint="Claim a free one by its name: -e client=C<number>.",
        )
    return last + 1


def _last(counter: t.Mapping[str, t.Any]) -> int:
    """Return the number that a counter holds; raises LmsError where it is not ours or damaged."""
    text = str((counter.get("data") or {}).get(KEY, ""))
    where = f"ConfigMap {counter['metadata'].get('namespace', '')}/{COUNTER_NAME}"
    if (counter["metadata"].get("labels") or {}).get(MANAGED_BY) != MANAGER:
        raise LmsError(f"{where} exists and is not this collection's counter: its labels do not say so.", hint="Rename or remove it.")
    if not (text.isascii() and text.isdigit() and int(text) <= HIGHEST):
        raise LmsError(
            f"{where} is damaged: {KEY} must be the number of the id that was formed last.",
            hint="Remove it: the next run begins after the highest id on the list.",
        )
    return int(text)


def _highest(api: Api, registry: str) -> int:
    """Return the highest number on the list, by metadata alone."""
    records = api.list("v1", "ConfigMap", registry, label_selector=f"{RECORD_LABEL}={RECORD_OF_CLIENT}", metadata_only=True)
    ids = [(record["metadata"].get("labels") or {}).get(CLIENT_LABEL) for record in records]
    return max((ClientId.parse(one, f"label {CLIENT_LABEL}").number for one in ids), default=0)


def _counter(registry: str, number: int) -> dict[str, t.Any]:
    metadata = {"name": COUNTER_NAME, "namespace": registry, "labels": {MANAGED_BY: MANAGER}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: str(number)}}


def _ref(registry: str) -> Ref:
    return Ref("v1", "ConfigMap", COUNTER_NAME, registry)
