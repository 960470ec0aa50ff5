# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.filter.next_client_id import next_client_id


@pytest.mark.parametrize(("given", "expected"), [([], "C1"), (["C7"], "C8"), (["C9", "C10", "C2"], "C11")])
def test_the_next_id_follows_the_highest(given: list[str], expected: str) -> None:
    assert next_client_id(given) == expected


@pytest.mark.parametrize(
    ("given", "words"), [("C7", "expected a list of ids"), (["c7"], "is not a client id"), (["C999999999"], "at most nine digits")]
)
def test_what_has_no_next_is_refused(given: t.Any, words: str) -> None:
    with pytest.raises(AnsibleError, match=words):
        next_client_id(given)
