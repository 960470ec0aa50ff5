#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns old requests into request templates."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: request_templates
short_description: Turn old requests into request templates
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads requests as the system's first description has them, JSON or YAML with macros such as C({{client-id}}), one object a file.
  - Writes request templates that hold. Names get C({{ client-name }}), secrets become references to Secrets, a snippet becomes
    annotations, and pods get what Pod Security C(restricted) and an update without a gap need.
  - Each change is named, and so is each file that is left out because the collection does its work.
  - A file at the destination that says something else already is never overwritten.
  - Needs no rights in a cluster, since it asks none.
requirements:
  - Jinja2
  - PyYAML
extends_documentation_fragment:
  - rarus.lms.attributes
options:
  source:
    description: The folder of the old requests.
    type: path
    required: true
  destination:
    description: The folder of the templates, such as the one that a catalogue names in C(lms_templates_dir). It is made if missing.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Convert the requests that were used until now
  rarus.lms.request_templates:
    source: old
    destination: inventories/lms-dev/group_vars/templates
"""

RETURN = r"""
converted:
  description: The templates, in the order of the old files.
  returned: always
  type: list
  elements: dict
  contains:
    file:
      description: The template's path.
      type: str
    source:
      description: The old file's path.
      type: str
    changes:
      description: What was changed, a sentence each.
      type: list
      elements: str
left_out:
  description: The old files that did not become templates.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: The old file's path.
      type: str
    reason:
      description: Why it is left out.
      type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.request_templates import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
