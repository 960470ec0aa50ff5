#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an environment that exists under the registry."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client_adoption
short_description: Bring an environment that was made by hand, or by an older tool, under the registry
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Takes the seed, the users and the passwords of both databases from the environment's ConfigMap, and its private key from its Secret.
    Makes the Secret C(lms-credentials-c42) and the client's record of them.
  - Marks the environment's objects as the collection's. Their content stays, and no pod is restarted. Their fields count as applied by the
    collection from then on, so that a later provisioning takes out what no request has, such as the passwords in the ConfigMap.
  - Nothing is reset. What does not fit is refused before the first write, all of it in one message, and no value is shown.
  - Holds the client's Lease while it writes, so that another run on this client waits, and stops where it was overtaken.
  - In check mode, tells what would be taken over, and what a later provisioning would change, by the names of objects and fields.
  - Needs the verbs C(get), C(create) and C(update) on C(secrets), and C(get) and C(update) on C(configmaps), C(services),
    C(deployments.apps) and C(ingresses.networking.k8s.io) or C(httproutes.gateway.networking.k8s.io) in O(namespace).
    In the registry's namespace it needs C(get), C(create) and C(update) on C(configmaps) and on C(leases) (coordination.k8s.io).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.held
  - rarus.lms.attributes
options:
  client:
    description: Id that the environment has, such as V(C42). It is registered where it is not yet.
    type: str
    required: true
  catalogue:
    description: Name of the settings catalogue that the client is to belong to.
    type: str
    required: true
  organisation:
    description: Name of the client's organisation, for a new record.
    type: str
    default: ""
  config_map:
    description: ConfigMap with the environment variables. Empty means C(lms-config-c42).
    type: str
    default: ""
  rsa_secret:
    description: Secret with the private key. Empty means C(rsa-secret-c42); from another one the key is copied to that.
    type: str
    default: ""
  rsa_key:
    description: Key in that Secret.
    type: str
    default: rsa_key
  deployment:
    description: Deployment of the environment, where it has another name than C(lms-deployment-c42). It is left as it is, and told of.
    type: str
    default: ""
  database_user:
    description: Name that the client's role and database must have. Empty means the client's name, such as V(c42).
    type: str
    default: ""
  addresses:
    description:
      - Where the catalogue has the databases, as C(host:port) under V(postgres) and V(clickhouse).
      - Another address in the environment is told of.
    type: dict
    default: {}
  requests:
    description: The client's rendered requests of stage V(environment), as the lookup P(rarus.lms.requests#lookup) returns them.
    type: list
    elements: dict
    default: []
  actor:
    description: Who acts, for the record. Empty means the user and host that this runs as.
    type: str
    default: ""
requirements:
  - cryptography >= 3.4
"""

EXAMPLES = r"""
- name: Take over what was made by hand
  rarus.lms.client_adoption:
    client: C42
    namespace: lms-dev
    catalogue: lms-dev
    requests: "{{ lookup('rarus.lms.requests', 'C42', stage='environment') }}"
"""

RETURN = r"""
created:
  description: Secrets that were created, or would be in check mode.
  returned: success
  type: list
  elements: str
marked:
  description: Objects that were marked as the collection's, or would be.
  returned: success
  type: list
  elements: str
left:
  description: What stays as it is, with the reason, one sentence each.
  returned: success
  type: list
  elements: str
later:
  description: What a later provisioning would do to each object, with the paths of the fields that it C(changes) and C(removes).
  returned: success
  type: list
  elements: dict
differences:
  description: Where the environment's databases are not where the catalogue has them, one sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client_adoption import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
