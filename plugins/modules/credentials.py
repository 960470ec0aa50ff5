#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a client's keys and logins, finds them, or makes them anew step by step."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: credentials
short_description: Make the keys and logins of a client once, rotate them, and tell their fingerprints
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Makes the Secret C(lms-credentials-c42) (seed of 64 random bytes in hexadecimal, a login for each database with a password of 238 bits
    and what the database stores of it) and the Secret C(rsa-secret-c42) (private key, PEM, PKCS#1).
  - Makes them only when absence is proven. The API must say that they do not exist, and the client's record that they were never made.
    Where the record says that they were, the run stops and says what is missing.
  - With O(state=present), what exists is kept as it is, and a rotation that is under way stays where it stands.
  - With O(state=rotated) one step of a rotation is taken, by one write that fails where somebody else has written since. A step that was
    taken is not taken again, so that a run that was killed is simply repeated. Role P(rarus.lms.rotation#role) takes them all.
  - With a O(secret_store), values are written there first and to the Secrets afterwards, and a Secret that is missing is made of them.
  - Values are never part of a result.
  - Needs the verbs C(get), C(list) and C(create) on C(secrets) in O(namespace), C(get) and C(update) on C(configmaps) in the registry's;
    to rotate, C(update) on C(secrets) and C(list) on C(pods) too.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.lease
  - rarus.lms.place
  - rarus.lms.attributes
options:
  client:
    description: Id of a registered client, such as V(C42).
    type: str
    required: true
  state:
    description: What shall hold of the credentials.
    type: str
    choices: [present, rotated]
    default: present
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
  rsa_key:
    description:
      - Private key that you bring (PEM, RSA, 2048 bits or more, not encrypted), such as what Ansible Vault or a lookup gives.
      - It is taken when the client's own Secret is made, or with O(state=rotated). A client that has another key by then is refused.
    type: str
    default: ""
  rsa_key_file:
    description:
      - File with that key instead of O(rsa_key), on the machine that the task runs on. On a local connection that is the controller.
    type: path
    default: ""
  rsa_key_secret:
    description:
      - Secret in O(namespace) with a private key to take instead of making one (PEM, RSA, 2048 bits or more, not encrypted).
      - It is read when the client's own Secret is made, not later. O(rsa_key) and O(rsa_key_file) win over it.
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
  requests:
    description:
      - The client's requests as the lookup P(rarus.lms.requests#lookup) returns them.
      - The Secrets and ConfigMaps in O(namespace) that their pods refer to and others provide, such as the token of the SMS API and a
        database's certificate authority, join the fingerprints, so that a changed value replaces the pods.
    type: list
    elements: dict
    default: []
  secret_store:
    description:
      - Where the client's values are at home. The Secrets in the cluster are made from there.
      - Nothing secret is an option of it. Token, secret id or JWT come from where community.hashi_vault takes them on the controller,
        such as E(VAULT_TOKEN), E(ANSIBLE_HASHI_VAULT_SECRET_ID) and E(ANSIBLE_HASHI_VAULT_JWT).
    type: dict
    suboptions:
      kind:
        description:
          - V(kubernetes) means the Secrets alone.
          - V(vault) means HashiCorp Vault or OpenBao. It needs the collection community.hashi_vault and the Python library C(hvac), and a
            task that runs on the controller itself, with a local connection and without become.
        type: str
        choices: [kubernetes, vault]
        default: kubernetes
      url:
        description: Address of Vault, with V(https://). Empty means E(VAULT_ADDR).
        type: str
        default: ""
      mount:
        description: Where a KV engine of version 2 is mounted.
        type: str
        default: secret
      path:
        description: Path in the engine. Each client is a secret below it, such as C(secret/lms/C42).
        type: str
        default: lms
      namespace:
        description: Vault's own namespace. Empty means E(VAULT_NAMESPACE), or none.
        type: str
        default: ""
      ca_file:
        description: PEM file of the CA that signed the certificate. Empty means E(VAULT_CACERT), or the machine's own list.
        type: str
        default: ""
      auth_method:
        description: How to log in.
        type: str
        choices: [token, approle, jwt]
        default: token
      auth_mount:
        description: Where the auth method is mounted. Empty means its name.
        type: str
        default: ""
      role_id:
        description: Role to log in with, for V(approle) and V(jwt).
        type: str
        default: ""
  differing:
    description:
      - What holds where values in Vault and in the Secrets differ, though no run that was killed explains it.
      - With V(stop) the run ends and says which. V(vault) and V(secret) write the one over the other, and need O(confirm).
    type: str
    choices: [stop, vault, secret]
    default: stop
  recreate:
    description:
      - Make Secrets anew that the record knows of and that are gone, instead of stopping. Needs O(confirm).
      - It ends every user's session. The databases get the new passwords when the Jobs run next.
    type: bool
    default: false
  parts:
    description: What to rotate, with O(state=rotated). A rotation that is unfinished goes on with the parts that it began with only.
    type: list
    elements: str
    choices: [postgres, clickhouse, seed, rsa]
    default: []
  step:
    description:
      - The step of the rotation to take, with O(state=rotated).
      - V(open) adds the next logins, which the databases let in once the Jobs have run.
      - V(switch) puts them in the place of those in use, which stay open, and makes seed and RSA key anew.
      - V(close) takes the former logins away, which the databases refuse once the Jobs have run. It waits for pods that drain.
      - V(done) ends the rotation.
    type: str
    choices: [open, switch, close, done]
  confirm:
    description:
      - The client's id, typed again. Needed where the seed is among the O(parts), and with O(recreate), which both end all sessions.
      - Needed too where O(differing) has values written over.
    type: str
    default: ""
  wait_timeout:
    description: Seconds to wait in step V(close) for pods that are ending and may still use the former logins.
    type: int
    default: 120
  epoch:
    description:
      - Epoch of the record as M(rarus.lms.client_lease) has returned it. Where another run has begun one since, nothing is written.
    type: int
  actor:
    description: Who rotates. Empty means the user and host, and the number of the AWX job.
    type: str
    default: ""
requirements:
  - cryptography >= 3.4
  - hvac >= 2.1, for Vault
"""

EXAMPLES = r"""
- name: Make the credentials of C42 once
  rarus.lms.credentials:
    client: C42
    namespace: lms-dev
    requests: "{{ lookup('rarus.lms.requests', 'C42', settings=lookup('rarus.lms.settings'), stage='environment') }}"
  register: credentials

- name: Take a key that is there already
  rarus.lms.credentials:
    client: C43
    namespace: lms-dev
    rsa_key_secret:
      name: key-of-c43
      key: tls.key

- name: Take a key that Ansible Vault keeps
  rarus.lms.credentials:
    client: C45
    namespace: lms-dev
    rsa_key: "{{ key_of_c45 }}"

- name: Make the credentials of C44, which are at home in Vault
  rarus.lms.credentials:
    client: C44
    namespace: lms-dev
    secret_store:
      kind: vault
      url: https://vault.example:8200

- name: Begin to rotate the login of PostgreSQL
  rarus.lms.credentials:
    client: C42
    namespace: lms-dev
    state: rotated
    parts: [postgres]
    step: open
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
  description:
    - Keyed fingerprints by name (V(seed), V(rsa), V(postgres), V(clickhouse), and C(secret/key) or C(ConfigMap/name/key)
      of each value that others provide).
    - V(postgres_logins) and V(clickhouse_logins) are over all logins that the database lets in.
  returned: success
  type: dict
database_fingerprint:
  description: What the databases must follow, as one text, which the Jobs are made for. Names all logins to let in.
  returned: success
  type: str
  sample: 0c3f5e1a9b2d4c60 77aa01be5f1c0a12 postgres=c42,c42_b clickhouse=c42
made:
  description: When the credentials were made (ISO 8601, UTC). Empty in check mode before they are made.
  returned: success
  type: str
rotated:
  description: By part, when its last rotation began (ISO 8601, UTC).
  returned: success
  type: dict
logins:
  description: By database, the user that is in use.
  returned: success
  type: dict
  sample: {postgres: c42_b, clickhouse: c42}
rotation:
  description: The rotation under way, with C(parts), the C(step) that was taken last, when it C(began) and C(by) whom. Empty without one.
  returned: success
  type: dict
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
