# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup that hands the least Role to whoever writes it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.lookup.access import LookupModule
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, REGISTRY_RULES, role_rules


def test_each_word_is_one_list_of_rules() -> None:
    assert LookupModule().run(["namespace", "registry"]) == [role_rules(NAMESPACE_RULES), role_rules(REGISTRY_RULES)]


def test_another_word_is_refused() -> None:
    with pytest.raises(AnsibleError, match='"cluster" is neither namespace nor registry'):
        LookupModule().run(["cluster"])
