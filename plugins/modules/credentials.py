#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a client's keys and logins, or finds them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: credentials
short_description: Make the keys and logins of a client once, and tell their fingerprints
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Makes the Secret C(lms-credentials-c42) (seed of 64 random bytes in hexadecimal, a login for each database with a password of 238 bits
    and what the database stores of it) and the Secret C(rsa-secret-c42) (private key, PEM, PKCS#1).
  - Makes them only when absence is proven. The API must say that they do not exist, and the client's record that they were never made.
    Where the record says that they were, the run stops and says what is missing.
  - What exists is kept as it is. Values are never part of a result.
  - Needs the verbs C(get), C(list) and C(create) on C(secrets) in O(namespace), C(get) and C(update) on C(configmaps) in the registry's.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes
options:
  client:
    description: Id of a registered client, such as V(C42).
    type: str
    required: true
  state:
    description: What shall hold of the credentials.
    type: str
    choices: [present]
    default: present
  namespace:
    description: Namespace that the client's environment lives in, and its Secrets with it.
    type: str
    required: true
  registry_namespace:
    description: Namespace that the records lie in. Empty means O(namespace).
    type: str
    default: ""
  recorded:
    description:
      - What the client's record says of the credentials, as M(rarus.lms.client) has returned it; spares a read when it is V(made).
      - Empty means that it is read here. What is written never rests on this.
    type: str
    choices: [none, creating, made, ""]
    default: ""
  database_user:
    description: Name of the client's role in both databases. Empty means the client's name, such as V(c42).
    type: str
    default: ""
  rsa_bits:
    description: Length of the private key in bits, when it is made.
    type: int
    choices: [2048, 3072, 4096]
    default: 2048
  rsa_key_secret:
    description:
      - Secret in O(namespace) with a private key to take instead of making one (PEM, RSA, 2048 bits or more, not encrypted).
      - It is read when the client's own Secret is made, not later.
    type: dict
    suboptions:
      name:
        description: Name of the Secret.
        type: str
        required: true
      key:
        description: Key in the Secret.
        type: str
        required: true
  watched_secrets:
    description: The operator's own Secrets in O(namespace) whose values the environment depends on, such as the token of the SMS API.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the Secret.
        type: str
        required: true
      keys:
        description: Keys in the Secret.
        type: list
        elements: str
        required: true
requirements:
  - cryptography >= 3.4
"""

EXAMPLES = r"""
- name: Make the credentials of C42 once
  rarus.lms.credentials:
    client: C42
    namespace: lms-dev
    watched_secrets:
      - name: sms4b
        keys: [token]
  register: credentials

- name: Take a key that is there already
  rarus.lms.credentials:
    client: C43
    namespace: lms-dev
    rsa_key_secret:
      name: key-of-c43
      key: tls.key
"""

RETURN = r"""
created:
  description: Names of the Secrets that were made, or would be in check mode.
  returned: success
  type: list
  elements: str
secrets:
  description: Names of the client's Secrets.
  returned: success
  type: list
  elements: str
fingerprint:
  description: One keyed fingerprint over all values, which changes when any of them does. Empty in check mode before they are made.
  returned: success
  type: str
fingerprints:
  description: Keyed fingerprints by name (V(seed), V(rsa), V(postgres), V(clickhouse), and C(secret/key) of each watched one).
  returned: success
  type: dict
made:
  description: When the credentials were made (ISO 8601, UTC). Empty in check mode before they are made.
  returned: success
  type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
