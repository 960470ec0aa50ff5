#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for clients' database Jobs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jobs_info
short_description: Wait for clients' database Jobs, all together
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Judges Jobs by their conditions. Their pods, matched by the Job's uid, say why one fails.
  - The wait ends when all are complete, or at the first that is certain to fail - its own condition says so, its image or Secret
    cannot be had, no pod can be made, or its log tells a cause that no further try will change.
  - The failure names the object, its container and exit code, the last lines of its log with secrets taken out, and the next step.
  - Needs the verb C(list) on C(jobs) (batch) and C(pods) in O(namespace), and to tell why one fails C(list) on C(events), C(get) on
    C(pods/log) and C(secrets); what of the latter may not be read is named. With O(lease) also C(get) and C(update) on C(leases)
    (coordination.k8s.io) in the registry's namespace.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.lease
  - rarus.lms.attributes.info
options:
  jobs:
    description: Names of the Jobs to wait for, by client id, as RV(rarus.lms.requests_info#module:jobs.pending) has them.
    type: dict
    required: true
  namespace:
    description: The namespace of the Jobs.
    type: str
    required: true
  wait:
    description: Whether to wait until all Jobs have ended. Without, their state is told as it is.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait at most, in seconds. A Job that has not ended then has failed.
    type: int
    default: 300
  since:
    description: When the run began, in seconds since 1970 (UTC). The seconds that a failure shows count from there.
    type: float
  redact_secrets:
    description:
      - Names of further Secrets of O(namespace) whose values are taken out of logs and messages too.
      - The client's own Secrets, and all that the Jobs refer to, always are. They are read only when something is wrong.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Wait for the Jobs that a plan has created
  rarus.lms.jobs_info:
    namespace: lms-dev
    jobs:
      C42: [postgres-setup-c42-5f1c0a12, clickhouse-setup-c42-77aa01be]
    wait_timeout: 300
"""

RETURN = r"""
jobs:
  description: The Jobs, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    client:
      description: Id of the client.
      type: str
      sample: C42
    name:
      description: Name of the Job.
      type: str
      sample: postgres-setup-c42-5f1c0a12
    state:
      description: V(complete), V(failed), V(running) or V(absent).
      type: str
    seconds:
      description: How long it took, in seconds by the cluster's clock. V(0) when it has not ended.
      type: int
    findings:
      description: What is wrong, the first cause first.
      type: list
      elements: dict
      contains:
        cause:
          description: Name of the cause, as docs/verdict.md lists them.
          type: str
          sample: image_not_found
        severity:
          description: V(fatal) when it will not heal by itself, V(waiting) when it may, V(note) when it is no fault.
          type: str
        object:
          description: Kind, namespace and name of the object that shows it.
          type: str
          sample: Pod lms-dev/lms-deployment-c42-6d9f-x2k1p
        container:
          description: Name of the container. Empty when none is concerned.
          type: str
        reason:
          description: The own word of Kubernetes.
          type: str
          sample: ErrImagePull
        message:
          description: What it means, in one sentence.
          type: str
        since:
          description: Since when (ISO 8601, UTC), as the API says. Empty when it does not.
          type: str
        evidence:
          description: What the API says about it, secrets taken out.
          type: list
          elements: str
        log:
          description: The last lines of the log of the container that ended, at most 20, secrets taken out.
          type: list
          elements: str
        next:
          description: What to do, as a command or a setting.
          type: str
        exit_code:
          description: Exit code of the container. Null when it has not ended.
          type: int
calls:
  description: Number of requests that the API was sent.
  returned: always
  type: int
told:
  description: By client id, what Jobs that ended well leave to tell, such as a password that they had to repair in a database.
  returned: success
  type: dict
  sample: {C42: ["repaired: the password of c42 in PostgreSQL differed from the Secret"]}
screen:
  description: The lines that were shown at the end.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.jobs_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
