# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import datetime as dt
import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._k8s.token import describe_refusal, expires, unfit

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)


def jwt(**claims: t.Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("token-abcde:" + "x" * 54, ""),
        (jwt(exp=1), ""),
        ("", "is empty"),
        ("abc\n", "begins or ends with a space or a line break"),
        (" abc", "begins or ends with a space or a line break"),
        ("a\nb", "contains a space, a line break or a character outside ASCII"),
        ("a b", "contains a space, a line break or a character outside ASCII"),
        ("токен", "contains a space, a line break or a character outside ASCII"),
        ("Bearerabc", "begins with the word Bearer, which is added by itself"),
    ],
)
def test_a_token_that_cannot_be_sent_is_told_by_its_form(token: str, fault: str) -> None:
    assert unfit(token) == fault


@pytest.mark.parametrize(
    ("token", "end"),
    [
        (jwt(exp=1795248000), dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)),
        (jwt(sub="somebody"), None),
        (jwt(exp="soon"), None),
        ("token-abcde:secret", None),
        ("a.b.c", None),
        ("", None),
    ],
)
def test_the_end_is_read_where_the_token_says_it(token: str, end: dt.datetime | None) -> None:
    assert expires(token) == end


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "no token was sent"),
        (jwt(exp=int(NOW.timestamp()) - 3600), "expired on 2026-11-21 08:00 UTC"),
        (jwt(exp=int(NOW.timestamp()) + 3600), "belongs to another cluster or was revoked"),
        (jwt(exp=int(NOW.timestamp()) + 3600)[:40], "malformed"),
        ("token-abcde:secret", "expired, was revoked, is mistyped or belongs to another cluster"),
    ],
)
def test_a_refusal_is_explained_by_what_the_token_says(token: str, words: str) -> None:
    assert words in describe_refusal(token, NOW)
