#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs everything about a client's environment, without secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment_archive
short_description: Pack everything about a client's environment to attach to a ticket
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Writes one C(.tar.gz) with the verdict, the record, all objects of the client, their events, the logs of all its containers (of their
    runs before too), and versions.
  - Of Secrets only metadata is read into it. The values of the client's Secrets, of those that its pods refer to and of O(redact_secrets)
    are taken out of every text. Contacts are left out. Where these Secrets may not be read, nothing is written.
  - Needs the rights of a deployer, as C(playbooks/prepare_namespace.yml) grants them. What may not be read is listed in RV(missing).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes
attributes:
  idempotent:
    description: Every run packs what is there then, and writes the file anew.
    support: none
options:
  client:
    description: Id of the client, such as V(C42).
    type: str
    required: true
  path:
    description: The file to write, on the machine that this runs on. Only its owner may read it.
    type: path
    required: true
  verdict:
    description: What M(rarus.lms.environment_info) returned, to be packed with the rest.
    type: dict
    default: {}
  redact_secrets:
    description: Names of further Secrets of O(namespace) whose values are taken out, such as the databases' administrators'.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Pack what is known of a client
  rarus.lms.environment_archive:
    client: C42
    namespace: lms-dev
    path: /tmp/C42.tar.gz
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
files:
  description: Names of the files in it.
  returned: success
  type: list
  elements: str
missing:
  description: What could not be read, by its kind, with the reason.
  returned: success
  type: dict
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_archive import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
