# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be read from a bearer token without asking anybody, so that a refusal can be explained."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
import typing as t

__all__ = ["describe_refusal", "expires", "lifetime", "unfit"]

_FORMAT = "%Y-%m-%d %H:%M UTC"


def unfit(token: str) -> str:
    """Return why a text cannot be sent as a token, or an empty text; the token itself is never part of it."""
    if not token:
        return "is empty"
    if token.strip() != token:
        return "begins or ends with a space or a line break"
    if re.search(r"[^!-~]", token):
        return "contains a space, a line break or a character outside ASCII"
    if token.lower().startswith("bearer"):
        return "begins with the word Bearer, which is added by itself"
    return ""


def expires(token: str) -> dt.datetime | None:
    """Return when a ServiceAccount's token ends (UTC), None where the token does not say (Rancher's own tokens are opaque)."""
    end = (_claims(token) or {}).get("exp")
    return dt.datetime.fromtimestamp(end, tz=dt.UTC) if isinstance(end, int) else None


def lifetime(token: str) -> float | None:
    """Return for how many seconds a ServiceAccount's token was made, which may be fewer than asked for; None where it does not say."""
    claims = _claims(token) or {}
    begin, end = claims.get("iat"), claims.get("exp")
    return float(end - begin) if isinstance(begin, int) and isinstance(end, int) else None


def describe_refusal(token: str, now: dt.datetime) -> str:
    """Return the likeliest reason why the API did not accept a token: expired, cut or mistyped, foreign, or not to be told."""
    if not token:
        return "no token was sent (neither api_key nor the kubeconfig gives one)"
    end = expires(token)
    if end is not None and end <= now:
        return f"the token expired on {end.strftime(_FORMAT)}"
    if end is not None:
        return f"the token is valid until {end.strftime(_FORMAT)} by its own words, so it belongs to another cluster or was revoked"
    if token.startswith("eyJ") and _claims(token) is None:
        return "the token is malformed, as if it had been cut or mistyped"
    return "the token expired, was revoked, is mistyped or belongs to another cluster"


def _claims(token: str) -> dict[str, t.Any] | None:
    """Return the claims of a JSON Web Token, None where the text is none."""
    try:
        _head, payload, _signature = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None
