# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request templates: the collection's own, and those of a catalogue beside or in place of them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import PREFIX
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import Template, find_sources

__all__ = ["compiled_templates", "rendered", "templates_folders"]

OWN = Path(__file__).parents[2] / "roles" / "requests" / "templates"
# What Ansible passes over in a folder of inventories, beside hidden files.
PASSED_OVER = {"group_vars", "host_vars", "vars_plugins"}


def compiled_templates(*folders: Path) -> list[Template]:
    """Return the collection's templates with those of the folders, each compiled once in a process; raises InputError."""
    return compiled(find_sources(OWN, *folders))


def rendered(
    variables: t.Mapping[str, t.Any],
    clients: t.Iterable[ClientId],
    settings: t.Mapping[str, t.Any],
    fingerprints: t.Mapping[str, str],
    stage: str = "",
) -> list[dict[str, t.Any]]:
    """Return the requests of clients from the collection's templates and the catalogue's, as render_requests does; raises InputError.

    variables: the play's, by which the catalogue's folder is found.
    """
    templates = compiled_templates(*templates_folders(variables, settings.get("templates_dir", "")))
    return render_requests(templates, clients, settings, fingerprints=fingerprints, stage=stage)


def templates_folders(variables: t.Mapping[str, t.Any], name: str) -> list[Path]:
    """Return the catalogue's folder of request templates as a list of one; none where it names none.

    name: the setting templates_dir; a relative one is looked for from the catalogue's folder, or from the playbook's where the
    inventory is no file. Raises InputError for a folder that Ansible reads as an inventory.
    """
    if not name:
        return []
    folder = (Path(str(variables.get("inventory_dir") or variables.get("playbook_dir") or ".")) / name).resolve()
    for source in map(Path, variables.get("ansible_inventory_sources") or []):
        if source.is_dir() and folder.is_relative_to(source.resolve()):
            inside = folder.relative_to(source.resolve()).parts
            if not inside or not (inside[0].startswith(".") or inside[0] in PASSED_OVER):
                raise InputError(
                    f"{PREFIX}templates_dir: {name} lies in {source}, all of whose files Ansible reads as inventories. "
                    "Expected one that it passes over, such as group_vars/templates, or one elsewhere."
                )
    return [folder]
