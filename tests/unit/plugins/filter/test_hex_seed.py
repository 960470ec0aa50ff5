# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.filter.hex_seed import hex_seed


def test_a_seed_is_another_one_every_time() -> None:
    seeds = {hex_seed(64) for _time in range(9)}
    assert len(seeds) == 9
    assert all(re.fullmatch("[0-9a-f]{128}", seed) for seed in seeds)


@pytest.mark.parametrize("given", [15, 1025, "64", True, None, -64])
def test_a_length_that_is_none_is_refused(given: t.Any) -> None:
    with pytest.raises(AnsibleError, match="expected a number of bytes from 16 to 1024"):
        hex_seed(given)
