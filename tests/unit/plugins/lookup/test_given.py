# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup that reads a variable as it stands; as a playbook sees it, it is tested with the filters (test_client_id.py)."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.rarus.lms.plugins.lookup.given import LookupModule


def test_a_variable_is_returned_as_it_stands() -> None:
    variables = {"organisation": trust_as_template("{{ x }}"), "contacts": [{"name": trust_as_template("{% y %}")}]}
    found = LookupModule().run(["organisation", "contacts", "none"], variables)
    assert found == ["{{ x }}", [{"name": "{% y %}"}], ""]
    assert [value.__class__ for value in (found[0], found[1][0]["name"])] == [str, str]


def test_a_value_that_was_cut_at_a_blank_is_not_taken() -> None:
    with pytest.raises(AnsibleError, match="a value was cut off"):
        LookupModule().run(["organisation"], {"organisation": "Acme", "_raw_params": "Ltd"})
