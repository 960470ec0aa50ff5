#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the list of clients, or writes it into a file."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_export
short_description: Show the list of clients, or write it into a file
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Shows the list of clients on the screen, or writes it into a file that only its owner may read, as a table, JSON, YAML or CSV.
  - JSON, YAML and CSV are read again by M(rarus.lms.client_import) exactly as they were written.
  - A cell of CSV that begins with C(=), C(+), C(-), C(@) or an apostrophe gets an apostrophe before it, as spreadsheets would run it as a
    formula. The import takes it off.
  - Needs the verbs C(get) and C(list) on C(configmaps) in the registry's namespace; with O(contact) or O(contacts) the same on C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.client_filters
  - rarus.lms.attributes
options:
  path:
    description: The file on the machine that runs the task. Empty shows the list on the screen.
    type: path
    default: ""
  format:
    description: V(auto) goes by how the name of O(path) ends (C(.csv), C(.yml), C(.json), C(.txt) for a table), and shows a table.
    type: str
    choices: [auto, table, json, csv, yaml]
    default: auto
"""

EXAMPLES = r"""
- name: Show who is suspended
  rarus.lms.client_export:
    phase: [suspended]
    namespace: lms-dev

- name: Keep a copy of the whole list
  rarus.lms.client_export:
    path: clients.csv
    contacts: true
    namespace: lms-dev
"""

RETURN = r"""
count:
  description: How many clients were shown or written.
  returned: success
  type: int
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_export import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
