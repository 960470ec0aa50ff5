# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue's variables as the lookups read them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import PREFIX

__all__ = ["catalogue_of", "folder_of", "settings_given"]


def settings_given(templar: t.Any, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the lms_* variables with their templates resolved; raise InputError that names one whose template fails."""
    found = {}
    for name in sorted(variables):
        if not name.startswith(PREFIX):
            continue
        try:
            found[name] = templar.template(variables[name])
        except AnsibleError as error:
            why = " ".join(str(error).split())
            raise InputError(f"{name}: its template fails: {why}") from None
    return found


def catalogue_of(variables: t.Mapping[str, t.Any]) -> str:
    """Return the name of the catalogue's host, which is the catalogue's unless lms_catalogue says otherwise."""
    return str(variables.get("inventory_hostname", ""))


def folder_of(variables: t.Mapping[str, t.Any]) -> Path:
    """Return the catalogue's folder, or the playbook's where the inventory is no file."""
    return Path(str(variables.get("inventory_dir") or variables.get("playbook_dir") or "."))
