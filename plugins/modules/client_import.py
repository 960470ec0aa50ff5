#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers the clients of a file."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_import
short_description: Register the clients of a file
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Judges all rows of a CSV, YAML or JSON file first, and says everything that is wrong with them, each with its line. Then nothing was
    touched.
  - Creates the records of clients that are not on the list, with their contacts. One that is on the list is never changed; a row that says
    otherwise than its record is refused.
  - The next id that is formed follows the highest that was imported.
  - Needs the verbs C(get), C(list), C(create) and C(update) on C(configmaps) in the registry's namespace; where the file has contacts the
    same on C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes
requirements:
  - phonenumbers and email-validator, for contacts
  - PyYAML, for YAML and JSON
options:
  path:
    description:
      - The file on the machine that runs the task, UTF-8, with a name that ends with C(.csv), C(.yml), C(.yaml) or C(.json).
      - Columns are client, organisation, catalogue, namespace, phase, created, created_by, settings and contacts; only the first must be
        there. In CSV the last two are JSON. What M(rarus.lms.client_export) writes beyond these is passed over.
    type: path
    required: true
  phone_region:
    description: Country, such as V(DE), that phones without C(+) are in. Empty refuses these.
    type: str
    default: ""
  same_organisation:
    description: Whether several clients may have the same organisation.
    type: bool
    default: false
  catalogue:
    description: Catalogue of the clients, for rows that name none.
    type: str
    required: true
  actor:
    description: Who acts, for the records. Empty means user@host, with the number of the job where this runs in AWX.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Register everybody in the file
  rarus.lms.client_import:
    path: clients.csv
    namespace: lms-dev
    catalogue: lms-dev
"""

RETURN = r"""
registered:
  description: Ids of the clients that were registered, or would be in check mode.
  returned: success
  type: list
  elements: str
known:
  description: How many rows are on the list already.
  returned: success
  type: int
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_import import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
