#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims a client's id, or finds its record."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client
short_description: Register a client, or find it
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Claims the id by an atomic create of the client's record (a ConfigMap such as C(lms-client-c42)), or finds the record.
  - A record names exactly one catalogue; the same client from another catalogue is refused.
  - An id whose client has left is never given again.
  - Needs the verbs C(get), C(create) and C(update) on C(configmaps) in the registry's namespace.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes
options:
  client:
    description: Id of the client, such as V(C42), as it shall be from now on.
    type: str
    required: true
  state:
    description: What shall hold of the client.
    type: str
    choices: [present]
    default: present
  must:
    description:
      - V(any) takes a new client and a known one.
      - V(exist) refuses a client that is not on the list, V(be_new) one that is.
    type: str
    choices: [any, exist, be_new]
    default: any
  namespace:
    description: Namespace that the client's environment lives in.
    type: str
    required: true
  catalogue:
    description: Name of the settings catalogue that the client belongs to.
    type: str
    required: true
  registry_namespace:
    description: Namespace that the records lie in. Empty means O(namespace).
    type: str
    default: ""
  actor:
    description: Who acts, for the record. Empty means user@host, with the number of the job where this runs in AWX.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Register C42, or find it
  rarus.lms.client:
    client: C42
    namespace: lms-dev
    catalogue: lms-dev

- name: Be certain that C43 is known
  rarus.lms.client:
    client: C43
    namespace: lms-dev
    catalogue: lms-dev
    must: exist
"""

RETURN = r"""
new:
  description: Whether this run registered the client, or would have in check mode.
  returned: success
  type: bool
record:
  description: The client's record.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of the record's form.
      type: int
    client:
      description: Id of the client.
      type: str
    registry_namespace:
      description: Namespace that the record lies in.
      type: str
    catalogue:
      description: The catalogue that the client belongs to.
      type: str
    namespace:
      description: Namespace of the client's environment.
      type: str
    phase:
      description: How far the client has come, V(registered) at first.
      type: str
    credentials:
      description: V(none), V(creating) (perhaps by a run that was killed) or V(made).
      type: str
    databases:
      description: Hash of the Job that was done, by the Job's name without a hash.
      type: dict
    objects:
      description: Hash of the fields that the collection applied, by group, kind and name of the object.
      type: dict
    created:
      description: When the client was registered (ISO 8601, UTC).
      type: str
    created_by:
      description: Who registered it.
      type: str
    applied:
      description: When something was last applied (ISO 8601, UTC). Empty before.
      type: str
    applied_by:
      description: Who applied it.
      type: str
    result:
      description: The last result, for people.
      type: str
    version:
      description: Version of the collection that wrote last.
      type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
