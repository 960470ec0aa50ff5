#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster whether a namespace is ready for clients."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: namespace_info
short_description: Tell whether a namespace has everything that clients need
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Asks the API, with the token that the run itself uses, for rights, Secrets, the claim of the static files, the certificate,
    the pull secret, the level of Pod Security, the private keys that are brought, and the way of publishing.
  - Everything that lacks comes in one list. The module fails when the list is not empty.
  - No value of a Secret is kept. Of a Secret the names of its keys are read, of a certificate its names and dates,
    of a pull secret its hosts, of a private key its kind and length.
  - Writes nothing. Reviews of access are sent with C(POST), as Kubernetes has it.
  - Needs the verb C(get) on C(secrets) and C(configmaps) in O(namespace). Reviews of its own access may be sent by everybody who has a
    token. What else it may not read, such as C(persistentvolumeclaims), the namespace or the IngressClass, is not judged, and named.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes.info
options:
  clients:
    description:
      - Ids of the clients whose private keys are judged where they are brought, by O(rsa_key), O(rsa_key_file) or O(settings).
      - A client that has its key already is not asked for another, unless O(new_key) is set.
    type: list
    elements: str
    default: []
  settings:
    description:
      - The catalogue's settings as the lookup P(rarus.lms.settings#lookup) returns them.
      - Read is C(rsa_key_secret) alone, the catalogue's or a client's own.
    type: dict
    default: {}
  since:
    description: When the run began, in seconds since 1970 (UTC). The seconds in RV(line) count from there.
    type: float
    default: 0
  new_key:
    description: Whether keys are brought to take the place of those that the clients have.
    type: bool
    default: false
  rsa_key:
    description:
      - Private key that you bring (PEM, RSA, 2048 bits or more, not encrypted), such as what Ansible Vault or a lookup gives.
      - It is judged and not kept.
    type: str
    default: ""
  rsa_key_file:
    description:
      - File with that key instead of O(rsa_key), on the machine that the task runs on. On a local connection that is the controller.
    type: path
    default: ""
  requests:
    description:
      - What the run is going to apply, as the lookup P(rarus.lms.requests#lookup) returns it.
      - From it follows what must be there - Secrets and their keys, the pull secret and its logins, the certificate and its host,
        claims, ConfigMaps, the IngressClass or Gateway, rights on every kind, the level of Pod Security,
        and public paths that nobody else may serve.
    type: list
    elements: dict
    default: []
  secrets:
    description: Further Secrets of O(namespace) that the run needs and no request names, such as a key that is brought along.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the Secret.
        type: str
        required: true
      keys:
        description: Names of the keys that must be there with a value.
        type: list
        elements: str
        default: []
      purpose:
        description: What it is for, for the sentence that says that it is missing.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Find out everything that lacks, before anything is touched
  rarus.lms.namespace_info:
    namespace: lms-dev
    requests: "{{ lookup('rarus.lms.requests', ['C42'], settings=lookup('rarus.lms.settings')) }}"

- name: Ask for one Secret and the rights only
  rarus.lms.namespace_info:
    namespace: lms-dev
    secrets:
      - name: postgres-admin
        keys: [user, password]
        purpose: administrator of PostgreSQL
"""

RETURN = r"""
problems:
  description: What keeps clients from being provisioned. Empty on success.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: One word, such as V(rights), V(secret), V(key), V(claim), V(namespace), V(publish) or V(token).
      type: str
    message:
      description: What is wrong, in one sentence.
      type: str
    fix:
      description: What to do about it.
      type: str
not_seen:
  description: What the token may not look at, so that nothing is said about it.
  returned: always
  type: list
  elements: str
  sample: ["IngressClass nginx: the token may not read it"]
line:
  description: A line for the screen with the seconds since O(since), to be shown where the run changes anything. Empty without O(since).
  returned: success
  type: str
server_version:
  description: Version of the API server.
  returned: always
  type: str
  sample: v1.36.3
token_expires:
  description: When the token ends (ISO 8601, UTC). Empty when it does not say.
  returned: always
  type: str
pod_security:
  description: The namespace's level of Pod Security. Empty when it is not set or not seen.
  returned: always
  type: str
  sample: restricted
screen:
  description: The lines that were shown.
  returned: failure
  type: list
  elements: str
calls:
  description: Number of requests that the API was sent.
  returned: always
  type: int
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.namespace_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
