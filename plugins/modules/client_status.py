#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps in the clients' records what was done."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_status
short_description: Keep in the records of clients what was done
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Writes phase, result, done Jobs, and the state in which the collection left its objects, into the records of clients.
  - A record is written once, by compare-and-swap, and only where something differs; then it is also signed with date, actor and version.
  - Needs the verbs C(get), C(list) and C(update) on C(configmaps) in the registry's namespace, and C(list) on the kinds of O(objects).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes
options:
  statuses:
    description:
      - What to keep, by the client's id.
      - C(phase) and C(result) are texts.
      - C(databases) has the names of Jobs without their hash, and the hash of the one that was done. It is joined with what the record has.
    type: dict
    default: {}
  objects:
    description:
      - Objects that were applied. The fields that the collection owns in each are hashed from its managedFields as they are now.
      - One that is gone is dropped from the record.
    type: list
    elements: dict
    default: []
    suboptions:
      client:
        description: Id of the client that the object belongs to.
        type: str
        required: true
      api_version:
        description: Group and version of the object, such as V(apps/v1).
        type: str
        required: true
      kind:
        description: Kind of the object.
        type: str
        required: true
      name:
        description: Name of the object.
        type: str
        required: true
      namespace:
        description: Namespace of the object.
        type: str
        required: true
      uid:
        description: Not looked at; the references of RV(rarus.lms.requests_info#module:orphaned) have it.
        type: str
        default: ""
  since:
    description:
      - When the stage that applied O(objects) began, in seconds since 1970 (UTC), for the line that an operator reads.
      - Counted from here where it is left out.
    type: float
  registry_namespace:
    description: Namespace that the records lie in.
    type: str
    required: true
  epochs:
    description:
      - RV(rarus.lms.client_lease#module:epochs) of this run, by the client's id. A record in which another run has begun an epoch since is
        not written, and the task fails.
    type: dict
    default: {}
  actor:
    description: Who acts, for the record. Empty means user@host, with the number of the job where this runs in AWX.
    type: str
    default: ""
  version:
    description: Version of the collection, for the record. Empty means the version that runs.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Keep that the databases of C42 are done
  rarus.lms.client_status:
    registry_namespace: lms-dev
    statuses:
      C42:
        phase: ready
        databases:
          postgres-setup-c42: 5f1c0a3e
    objects:
      - client: C42
        api_version: apps/v1
        kind: Deployment
        name: lms-deployment-c42
        namespace: lms-dev
"""

RETURN = r"""
written:
  description: Ids of the clients whose records were written, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_status import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
