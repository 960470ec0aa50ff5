#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what may be known of clients' credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: credentials_info
short_description: Tell fingerprints, dates and logins of clients' credentials
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads the Secrets of one client, or of all clients in a namespace, by one list, and tells what they hold without their values.
  - Whether a database lets the Secret's login in is found out by logging in, with O(probe). A difference is told and never repaired by this
    module; C(provision_client.yml -e redo=databases) gives the databases what the Secret holds, and tells what it had to repair.
  - Needs the verb C(list) on C(secrets) in O(namespace); with O(probe) also C(get) on C(secrets), C(list), C(create) and C(delete) on
    C(jobs), and C(list) on C(pods), which the deployer's Role has.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes.info
attributes:
  check_mode:
    description: Only reads. With O(probe), no login is tried in check mode, because that needs Jobs.
options:
  clients:
    description: Ids of the clients, such as V(C42). Empty means all that have Secrets in the namespace.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace that the clients' environments live in, and their Secrets with them.
    type: str
    required: true
  parts:
    description:
      - What a run is about to rotate, for RV(remaining). Where a rotation of just these is under way, it is of a run that was killed.
    type: list
    elements: str
    choices: [postgres, clickhouse, seed, rsa]
    default: []
  probe:
    description:
      - Try the login in use of each client on both databases, from a pod of a Job each, which has the image and mounts of the Job that sets
        the database up but for the administrator's login, and is taken away afterwards. No value leaves the cluster.
      - Clients whose Secrets are not all there are not tried. Nor is anybody in check mode.
      - A PostgreSQL server that trusts the pods' addresses asks for no password, and so agrees with any.
    type: bool
    default: false
  requests:
    description: Rendered requests of the clients, as the lookup P(rarus.lms.requests#lookup) returns them. Required with O(probe).
    type: list
    elements: dict
    default: []
  wait_timeout:
    description: Seconds that all logins together may take.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look which login of C42 is in use
  rarus.lms.credentials_info:
    clients: [C42]
    namespace: lms-dev
  register: found

- name: Look for rotations that nobody has finished
  rarus.lms.credentials_info:
    namespace: lms-dev
  register: found
  failed_when: found.clients | selectattr('rotation', 'defined') | selectattr('rotation') | length > 0

- name: Find out whether the Secret of C42 and its databases agree
  rarus.lms.credentials_info:
    clients: [C42]
    namespace: lms-dev
    probe: true
    requests: "{{ lookup('rarus.lms.requests', 'C42', settings=lookup('rarus.lms.settings'), stage='databases') }}"
  register: found
  failed_when: found.clients[0].probe.values() | map(attribute='state') | unique != ['agrees']
"""

RETURN = r"""
clients:
  description: One entry for each client, in the order asked for, else by number.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: Id of the client.
      type: str
      sample: C42
    secrets:
      description: Names of the client's Secrets.
      type: list
      elements: str
    missing:
      description: Those of them that do not exist. What follows is told only when none is missing.
      type: list
      elements: str
    fingerprints:
      description: Keyed fingerprints by name, as M(rarus.lms.credentials) returns them, without those of watched Secrets.
      type: dict
    database_fingerprint:
      description: What the databases must follow, as one text, which the Jobs are made for. Names all logins to let in.
      type: str
      sample: 0c3f5e1a9b2d4c60 77aa01be5f1c0a12 postgres=c42,c42_b clickhouse=c42
    made:
      description: When the credentials were made (ISO 8601, UTC).
      type: str
    rotated:
      description: By part, when its last rotation began (ISO 8601, UTC).
      type: dict
    logins:
      description: By database, the user that is in use.
      type: dict
      sample: {postgres: c42_b, clickhouse: c42}
    rotation:
      description: The rotation that is under way, as M(rarus.lms.credentials) returns it. Empty without one.
      type: dict
    probe:
      description:
        - By database, V(postgres) and V(clickhouse), what the login has shown, with O(probe) alone. C(state) is V(agrees), V(differs),
          V(unreachable) or V(unknown); C(why) and C(next) are sentences, empty where it agrees.
        - Where nothing is known to differ and something is V(unreachable) or V(unknown), the task ends as unreachable, with all this in its
          result.
      type: dict
      sample: {postgres: {state: agrees, why: "", next: ""}}
remaining:
  description:
    - Ids of the clients in whom O(parts) are still to be rotated, those with a rotation under way first. All of them, where none is.
    - Left out are those that were rotated since the first of the rotations under way began.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
