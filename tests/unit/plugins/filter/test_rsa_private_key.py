# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.filter.rsa_private_key import rsa_private_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def test_a_key_is_fresh_and_of_its_length() -> None:
    keys = [rsa_private_key(2048) for _time in range(2)]
    assert keys[0] != keys[1]
    assert [getattr(load_pem_private_key(key.encode(), None), "key_size", 0) for key in keys] == [2048, 2048]


@pytest.mark.parametrize("given", [1024, 2047, "2048", None])
def test_another_length_is_refused(given: t.Any) -> None:
    with pytest.raises(AnsibleError, match="2048, 3072 or 4096"):
        rsa_private_key(given)
