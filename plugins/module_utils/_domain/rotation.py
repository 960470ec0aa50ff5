# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of a client's credentials: what each of its steps makes of the values, and how far it has come.

The Secret is the truth, and the databases follow it. `open` adds the next logins, so that both databases let in the old and the new;
`switch` puts the new in the place of the old, which the running pods still use; `close` takes the old away; `done` ends it. Each step
is one write. The two logins of a client, `c42` and `c42_b`, take turns.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from .._core.errors import ConflictError, InputError, LmsError
from .client_id import ClientId
from .credentials import IN_USE, LOGIN_FIELDS, NEXT, PASSWORD, PREVIOUS, SEED, fresh_login, fresh_seed
from .names import ROTATED, ROTATION

__all__ = [
    "CLOSE",
    "DONE",
    "OPEN",
    "PARTS",
    "RSA_PART",
    "SECOND_LOGIN",
    "SEED_PART",
    "STEPS",
    "SWITCH",
    "Rotation",
    "advanced",
    "annotated",
    "begun_or_next",
    "dated",
    "remaining",
    "rotated_dates",
]

SEED_PART, RSA_PART = "seed", "rsa"
PARTS = (*LOGIN_FIELDS, SEED_PART, RSA_PART)
OPEN, SWITCH, CLOSE, DONE = "open", "switch", "close", "done"
STEPS = (OPEN, SWITCH, CLOSE, DONE)

# The second login, which takes turns with the first.
SECOND_LOGIN = "_b"

Values = dict[str, bytes]
Annotations = t.Mapping[str, str]


@dataclass(frozen=True)
class Rotation:
    """A rotation that is under way: of which parts, the last step that was written, when it began (ISO 8601, UTC) and by whom."""

    parts: tuple[str, ...]
    step: str
    began: str
    by: str

    @classmethod
    def of(cls, annotations: Annotations, where: str) -> Rotation | None:
        """Return what a Secret's annotations say, None where none is under way; LmsError where that cannot be read."""
        text = annotations.get(ROTATION)
        if not text:
            return None
        try:
            found = json.loads(text)
            rotation = cls(tuple(found["parts"]), str(found["step"]), str(found["began"]), str(found["by"]))
        except (ValueError, TypeError, KeyError):
            rotation = None
        if rotation is None or rotation.step not in STEPS or not set(rotation.parts) <= set(PARTS):
            raise LmsError(
                f"{where}: annotation {ROTATION} is damaged; it must say parts, step, began and by, as JSON.",
                hint="Put it back as it was, or remove it and rotate again: the databases follow what the Secret names.",
            )
        return rotation

    def to_text(self) -> str:
        """Return the annotation."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as a task's result shows it."""
        return {"parts": list(self.parts), "step": self.step, "began": self.began, "by": self.by}

    def has_done(self, step: str) -> bool:
        """Return whether this step was written."""
        return STEPS.index(step) <= STEPS.index(self.step)

    def expect(self, client: ClientId, parts: t.Collection[str]) -> None:
        """Raise ConflictError where it is another rotation than one of these parts."""
        if set(self.parts) != set(parts):
            raise ConflictError(
                f"client: a rotation of {', '.join(self.parts)} of {client} is unfinished:"
                f" begun {self.began} by {self.by}, step {self.step}.",
                hint=f"Finish it first: rotate_credentials.yml -e client={client} -e credentials={','.join(self.parts)}.",
            )


def advanced(rotation: Rotation, values: Values, owner: str) -> Values:
    """Return the values of the Secret after the rotation's step was taken. values: all that it holds; owner: the client's first login."""
    act = {OPEN: _opened, SWITCH: _switched, CLOSE: _closed, DONE: _closed}[rotation.step]
    return act(dict(values), rotation.parts, owner)


def rotated_dates(annotations: Annotations) -> dict[str, str]:
    """Return when each part was last rotated (when that began), by part; empty where none was, or where somebody spoilt the note."""
    try:
        found = json.loads(annotations.get(ROTATED) or "{}")
    except ValueError:
        found = {}
    return {str(part): str(date) for part, date in found.items()} if isinstance(found, dict) else {}


def dated(annotations: Annotations, parts: t.Iterable[str], began: str) -> dict[str, str]:
    """Return a Secret's annotations with the date of a rotation that has made these parts anew."""
    dates = {**rotated_dates(annotations), **dict.fromkeys(parts, began)}
    return {**annotations, ROTATED: json.dumps(dates, sort_keys=True)}


def annotated(annotations: Annotations, rotation: Rotation) -> dict[str, str]:
    """Return the annotations after a step of the Secret that all parts but the RSA key lie in."""
    found = {key: value for key, value in annotations.items() if key != ROTATION}
    if rotation.step == SWITCH:
        found = dated(found, [part for part in rotation.parts if part != RSA_PART], rotation.began)
    return found if rotation.step == DONE else {**found, ROTATION: rotation.to_text()}


def begun_or_next(rotation: Rotation | None, step: str, parts: t.Sequence[str], *, began: str, by: str) -> Rotation:
    """Return the rotation after one more step; InputError where the step before was not taken."""
    if rotation is None and step == OPEN:
        return Rotation(tuple(part for part in PARTS if part in parts), OPEN, began, by)
    if rotation is None:
        raise InputError(f"step: {step} needs a rotation that is under way, and there is none.", hint="Begin with step=open.")
    before = STEPS[STEPS.index(step) - 1]
    if rotation.step != before:
        raise InputError(f"step: {step} comes after {before}, and the rotation has only come to {rotation.step}.")
    return replace(rotation, step=step)


def remaining(found: t.Sequence[t.Mapping[str, t.Any]], parts: t.Collection[str]) -> tuple[list[str], list[str]]:
    """Return the ids of clients that are still to be rotated, and of those that a run has rotated which was killed before it was through.

    found: of each client its id, its rotation under way and the dates of its parts, as rarus.lms.credentials_info tells them. A rotation
    of these parts that is under way is of such a run. What was rotated since it began is not rotated again. It ends its clients in the
    opposite order, so the one that began first is under way until all is done; it comes first again.
    """
    under_way = [one for one in found if parts and set(one.get("rotation", {}).get("parts", ())) == set(parts)]
    under_way.sort(key=lambda one: str(one["rotation"]["began"]))
    began = str(under_way[0]["rotation"]["began"]) if under_way else ""
    others = [one for one in found if one not in under_way]
    done = [one for one in others if began and all(one.get("rotated", {}).get(part, "") >= began for part in parts)]
    return [one["client"] for one in (*under_way, *others) if one not in done], [one["client"] for one in done]


def _opened(values: Values, parts: t.Sequence[str], owner: str) -> Values:
    """Add the next login of each database: the one of the two that is not in use."""
    for database in _databases(parts):
        in_use = values[f"{database}-{IN_USE}user"].decode()
        values = _without(values, database, NEXT, PREVIOUS)
        values |= fresh_login(database, NEXT, owner + SECOND_LOGIN if in_use == owner else owner)
    return values


def _switched(values: Values, parts: t.Sequence[str], _owner: str) -> Values:
    """Put the next logins in the place of those in use, which stay open as the previous ones, and make a new seed."""
    for database in _databases(parts):
        for field in LOGIN_FIELDS[database]:
            old, key = values[f"{database}-{IN_USE}{field}"], f"{database}-{NEXT}{field}"
            values[f"{database}-{IN_USE}{field}"] = values.pop(key)
            if field != PASSWORD:
                values[f"{database}-{PREVIOUS}{field}"] = old
    if SEED_PART in parts:
        values[SEED] = fresh_seed()
    return values


def _closed(values: Values, parts: t.Sequence[str], _owner: str) -> Values:
    """Take the previous logins away."""
    for database in _databases(parts):
        values = _without(values, database, PREVIOUS)
    return values


def _databases(parts: t.Collection[str]) -> list[str]:
    return [database for database in LOGIN_FIELDS if database in parts]


def _without(values: Values, database: str, *slots: str) -> Values:
    """Return the values without some of a database's logins."""
    gone = {f"{database}-{slot}{field}" for slot in slots for field in LOGIN_FIELDS[database]}
    return {key: value for key, value in values.items() if key not in gone}
