# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an object may be attached to a ticket: everything but the values of Secrets, wherever they were put."""

from __future__ import annotations

import copy
import re
import typing as t

from .redaction import HIDDEN

__all__ = ["without_secrets"]

Obj = dict[str, t.Any]
# An annotation in which kubectl repeats the whole object.
_REPEATED = "kubectl.kubernetes.io/last-applied-configuration"
_SOUNDS_SECRET = re.compile(r"password|passwd|secret|token|private|seed|api_?key|credential|dsn", re.IGNORECASE)


def without_secrets(obj: Obj) -> Obj:
    """Return a copy of an object of the API's without the values of Secrets, of variables that sound secret, and without managedFields."""
    kept = copy.deepcopy(obj)
    metadata = kept.get("metadata") or {}
    metadata.pop("managedFields", None)
    (metadata.get("annotations") or {}).pop(_REPEATED, None)
    for part in ("data", "stringData", "binaryData"):
        values = kept.get(part)
        if isinstance(values, dict):
            hides_all = kept.get("kind") == "Secret"
            kept[part] = {key: HIDDEN if hides_all or _SOUNDS_SECRET.search(key) else value for key, value in values.items()}
    _hide_variables(kept.get("spec"))
    return kept


def _hide_variables(part: t.Any) -> None:
    """Hide the literal values of environment variables that sound secret, at any depth; what only refers to others stays."""
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        if isinstance(child, dict) and isinstance(child.get("name"), str) and _SOUNDS_SECRET.search(child["name"]) and child.get("value"):
            child["value"] = HIDDEN
        _hide_variables(child)
