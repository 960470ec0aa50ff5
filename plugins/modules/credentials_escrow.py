#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps encrypted copies of clients' Secrets, and brings them back."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: credentials_escrow
short_description: Keep encrypted copies of clients' keys and logins elsewhere, and bring them back
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - A client's keys and passwords live only in the namespace that they serve. This module keeps a copy of both Secrets outside of it,
    whole with labels and annotations, encrypted with age to the public keys in O(recipients).
  - Values are encrypted in memory. Neither a file nor a result nor a command line holds a plain one.
  - A copy bears a keyed fingerprint of what it holds and of its recipients. Where it is there already, nothing is written.
  - With O(state=restored) the Secrets of one client are created from their copy. What exists and differs is replaced only where O(confirm)
    repeats the client's id. A record that was lost with its namespace is made again. Where there is something to write, the client's Lease
    is held, so that another run on this client waits, and stops where it was overtaken.
  - Needs the verbs C(list) on C(secrets) in O(namespace), C(get) on C(configmaps) in the registry's, and for O(escrow_namespace) the verbs
    C(get), C(create) and C(update) on C(secrets) there. O(state=restored) needs C(get) and C(create) on C(secrets) in O(namespace), with
    O(confirm) also C(update), and C(create) and C(update) on C(configmaps) and C(get), C(create) and C(update) on C(leases)
    (coordination.k8s.io) in the registry's.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.held
  - rarus.lms.attributes
options:
  clients:
    description:
      - Ids of clients, such as V(C42). V(all) alone means every client of the catalogue that has its Secrets in O(namespace).
      - For O(state=restored) one id.
    type: list
    elements: str
    required: true
  state:
    description: Whether the copies shall hold what the cluster has, or the cluster what a copy has.
    type: str
    choices: [present, restored]
    default: present
  catalogue:
    description: Name of the settings catalogue. A copy is refused in another one.
    type: str
    required: true
  recipients:
    description: Public keys (C(age1...)) that the copies are encrypted to. Without any, what that means is said once, and nothing is done.
    type: list
    elements: str
    default: []
  folder:
    description: Folder for the copies, C(<catalogue>-C42-<fingerprint>.age), mode 0600. Older ones stay there.
    type: path
  escrow_namespace:
    description: Another namespace for the copies, Secret C(lms-escrow-c42) with the newest one and the one before it.
    type: str
    default: ""
  file:
    description:
      - The copy to restore from. Without it, the newest of those in O(folder) and O(escrow_namespace), by the dates in the copies.
      - A copy that cannot be read might be the newest, so that one has to be named then.
    type: path
  identity:
    description: The private key (C(AGE-SECRET-KEY-1...)) that a copy can be read with. Falls back to the variable E(LMS_ESCROW_IDENTITY).
    type: str
  identity_file:
    description: File with that key, as C(age-keygen) writes it. It comes before O(identity).
    type: path
  confirm:
    description: The client's id, typed again, where Secrets that differ from the copy shall be replaced. What they hold is lost then.
    type: str
    default: ""
  actor:
    description: Who acts, for the copy. Empty means the user and host that this runs as.
    type: str
    default: ""
requirements:
  - pyrage >= 1.2
"""

EXAMPLES = r"""
- name: Keep copies that only the safe's key can read
  rarus.lms.credentials_escrow:
    clients: [C7, C42]
    namespace: lms-dev
    catalogue: lms-dev
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    folder: /srv/escrow

- name: Bring the Secrets of C42 back
  rarus.lms.credentials_escrow:
    clients: [C42]
    state: restored
    namespace: lms-dev
    catalogue: lms-dev
    file: /srv/escrow/lms-dev-C42-0123456789abcdef.age
    identity_file: /run/media/safe/identity.txt
"""

RETURN = r"""
escrowed:
  description: Ids of the clients whose Secrets were copied, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
created:
  description: Names of the Secrets that were created, or would be in check mode.
  returned: when O(state=restored)
  type: list
  elements: str
replaced:
  description: Names of the Secrets that differed and were replaced, or would be in check mode.
  returned: when O(state=restored)
  type: list
  elements: str
copy_place:
  description: The copy that was taken, as a path or a key of a Secret.
  returned: when O(state=restored)
  type: str
older:
  description: The other copies, each with when it was made; the newest of them first.
  returned: when O(state=restored)
  type: list
  elements: str
copy_made:
  description: When the copy was made (ISO 8601, UTC).
  returned: when O(state=restored)
  type: str
copy_by:
  description: Who made the copy.
  returned: when O(state=restored)
  type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials_escrow import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
