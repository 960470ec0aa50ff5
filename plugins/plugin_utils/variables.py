# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue's variables as the lookups read them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import PREFIX

__all__ = ["CATALOGUES", "catalogue_of", "settings_given"]

CATALOGUES = "lms_catalogues"


def settings_given(templar: t.Any, variables: t.Mapping[str, t.Any], prefix: str = PREFIX) -> dict[str, t.Any]:
    """Return the variables that begin with the prefix, templates resolved. Raises InputError that names each whose template fails."""
    found, problems = {}, []
    for name in sorted(variables):
        if not name.startswith(prefix):
            continue
        try:
            found[name] = templar.template(variables[name])
        except AnsibleError as error:
            problems.append(f"{name}: its template fails: {' '.join(str(error).split()).rstrip('.')}.")
    if problems:
        raise InputError("\n  ".join(problems), data={"problems": problems})
    return found


def catalogue_of(variables: t.Mapping[str, t.Any]) -> str:
    """Return the name of the catalogue: the only host of the group lms_catalogues; empty where there is none, or more than one."""
    hosts = list((variables.get("groups") or {}).get(CATALOGUES) or [])
    own = str(variables.get("inventory_hostname", ""))
    return own if own in hosts else str(hosts[0]) if len(hosts) == 1 else ""
