#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the records of clients."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_info
short_description: Tell the records of one client, of some or of all
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads the list of clients, sorted by their numbers. One client that is named costs one GET, however long the list is.
  - An id that is not on the list gives an empty list.
  - Needs the verbs C(get) and C(list) on C(configmaps) in the registry's namespace; with O(contact) or O(contacts) the same on C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.client_filters
  - rarus.lms.attributes.info
options: {}
"""

EXAMPLES = r"""
- name: Read C42
  rarus.lms.client_info:
    client: C42
    namespace: lms-dev
  register: found

- name: Read all that are served, with their contacts
  rarus.lms.client_info:
    phase: [registered]
    contacts: true
    namespace: lms-dev
  no_log: true
  register: served
"""

RETURN = r"""
clients:
  description: The clients, by their numbers. Each has what RV(rarus.lms.client#module:record) has.
  returned: success
  type: list
  elements: dict
  contains:
    contacts:
      description: Dictionaries with name, role, phones (E.164) and mailboxes.
      returned: with O(contacts)
      type: list
      elements: dict
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
