#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the token of a ServiceAccount in a file of its owner's."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: service_account_token
short_description: Keep the token of a ServiceAccount in a file
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Writes a token to a file that its owner alone can read (mode 0600), unless a good one is there already.
  - A token is good when the API takes it for this ServiceAccount and a third or more of the time is left that it was made for, which may be
    less than O(duration).
  - The token is never part of a result or of a log.
  - Needs the verb C(create) on C(tokenreviews) (authentication.k8s.io, for the whole cluster), C(get) on C(serviceaccounts) in
    O(namespace), and there C(create) on C(serviceaccounts/token), or with O(kind=secret) the verbs C(get) and C(create) on C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes
options:
  namespace:
    description: Namespace of the ServiceAccount.
    type: str
    required: true
  service_account:
    description: Name of the ServiceAccount, which must exist.
    type: str
    required: true
  kind:
    description:
      - V(bound) asks for a token that ends after O(duration).
      - V(secret) makes a Secret of type C(kubernetes.io/service-account-token) and takes its token, which ends only with the Secret.
    type: str
    choices: [bound, secret]
    default: bound
  duration:
    description: How long a bound token shall be good, in seconds, 600 or more. The cluster may shorten it.
    type: int
    default: 7776000
  secret:
    description: Name of the Secret for O(kind=secret). Empty means the ServiceAccount's name followed by C(-token).
    type: str
    default: ""
  path:
    description: The file. Its folder must exist.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Give the deployer a token for ninety days
  rarus.lms.service_account_token:
    namespace: lms-dev
    service_account: lms-deployer
    duration: 7776000
    path: ~/.config/lms/lms-dev.token
"""

RETURN = r"""
path:
  description: The file that holds the token.
  returned: always
  type: str
expires:
  description: When the token ends (ISO 8601, UTC). Empty when it never does.
  returned: always
  type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.service_account_token import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
