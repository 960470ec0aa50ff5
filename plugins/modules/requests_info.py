#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what differs between rendered requests and the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: requests_info
short_description: Tell what differs between rendered requests and the cluster
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Compares requests with live objects by metadata alone, for any number of clients with one list a kind.
    No spec and no secret leaves the cluster.
  - An object is unchanged when the hash of its rendered text stands in its annotation, and our entry of C(managedFields) is the one
    that the client's record keeps. Whoever edits a field of ours changes that entry, whoever adds a field of their own does not.
  - Jobs are judged by the records and by their conditions. What the records call done is not read at all.
  - An object of a requested name that is not this collection's, or is another client's, fails the module. Nothing may be applied then.
  - Needs the verbs C(get) and C(list) on C(configmaps) in the registry's namespace, and in O(namespace) on the kinds of O(requests) and on
    those that the records say were applied before.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes.info
options:
  requests:
    description:
      - The rendered requests, as the lookup P(rarus.lms.requests#lookup) returns them.
      - Give all requests of a stage. What a client has and no request of the stage V(environment) makes is called orphaned.
    type: list
    elements: dict
    required: true
  redo:
    description: Repeat Jobs that were done, as after a database server was restored. A Job that runs is waited for.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Compare the requests with what is live
  rarus.lms.requests_info:
    requests: "{{ lookup('rarus.lms.requests', ['C42'], settings=lookup('rarus.lms.settings')) }}"
    namespace: lms-dev
  register: plan

- name: Apply what differs, in one call
  kubernetes.core.k8s:
    state: present
    apply: true
    server_side_apply:
      field_manager: rarus.lms
      force_conflicts: true
    resource_definition: "{{ plan.differing }}"
  when: plan.differing | length > 0
"""

RETURN = r"""
differing:
  description: The objects to apply, whole, as C(resource_definition) of M(kubernetes.core.k8s) takes them. Jobs are not among them.
  returned: success
  type: list
  elements: dict
references:
  description: The same objects by client, api_version, kind, name and namespace, as O(rarus.lms.client_status#module:objects) takes them.
  returned: success
  type: list
  elements: dict
reasons:
  description: Why each object of RV(differing) differs, in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: Id of the client.
      type: str
    object:
      description: Kind, namespace and name.
      type: str
      sample: Deployment lms-dev/lms-deployment-c42
    reason:
      description: V(new), V(setting changed), or who edited which fields.
      type: str
since:
  description: When the comparison began, in seconds since 1970 (UTC), for the line that O(rarus.lms.client_status#module:since) reports.
  returned: success
  type: float
unchanged:
  description: Number of the other objects.
  returned: success
  type: int
taken_back:
  description: The objects whose fields somebody has edited since they were applied. Applying RV(differing) takes the fields back.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: Id of the client.
      type: str
    object:
      description: Kind, namespace and name.
      type: str
    managers:
      description: The field managers that did it, such as V(kubectl).
      type: list
      elements: str
    fields:
      description: Paths of the fields. Empty when a field was taken out.
      type: list
      elements: str
      sample: [spec.replicas]
orphaned:
  description:
    - Objects of these clients that no request makes any more, such as the Ingress of a client that is now published by an HTTPRoute.
    - Never Secrets, claims, Jobs or records.
  returned: success
  type: list
  elements: dict
  contains: &reference
    client:
      description: Id of the client.
      type: str
    api_version:
      description: Group and version.
      type: str
    kind:
      description: Kind.
      type: str
    name:
      description: Name.
      type: str
    namespace:
      description: Namespace.
      type: str
    uid:
      description: The object's own id, so that no successor of its name is deleted.
      type: str
jobs:
  description: What is to become of the Jobs among the requests.
  returned: success
  type: dict
  contains:
    delete:
      description: Jobs that failed, to be deleted with their pods and waited for before RV(jobs.create).
      type: list
      elements: dict
      contains: *reference
    create:
      description: The Jobs to create, whole.
      type: list
      elements: dict
    running:
      description: Names of the Jobs that run already.
      type: list
      elements: str
    pending:
      description: Names of the Jobs to wait for, by client id.
      type: dict
    deadline:
      description: The longest deadline of the Jobs to wait for, in seconds; 0 where none has one.
      type: int
    done:
      description: What the records must say of Jobs that are done and not recorded, as M(rarus.lms.client_status) takes it.
      type: dict
      sample: {C42: {databases: {postgres-setup-c42: 5f1c0a12}}}
    statuses:
      description: The same, once the Jobs of RV(jobs.pending) are done too.
      type: dict
calls:
  description: Number of requests that the API was sent.
  returned: success
  type: int
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.requests_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
