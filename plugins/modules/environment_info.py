#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the state of clients' environments, and waits for them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment_info
short_description: Tell the state of clients' environments, and why
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads Deployment, ReplicaSets, pods, endpoints and the public path of the clients, by one list a kind for all of them, and judges them.
  - Looks closer where something is wrong - at the log of the container that ended, at events, at what the pods refer to.
  - With O(wait=true) the wait ends as soon as the answer is certain, on ready and on what will not heal by itself.
  - Logs are bounded, and the values of the client's Secrets and of O(redact_secrets) are taken out of them, in any usual encoding.
  - What the token may not read is named in RV(environments[].not_seen), where the verdict can do without it.
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes.info
options:
  clients:
    description: Ids of the clients, such as V(C42).
    type: list
    elements: str
    required: true
  namespace:
    description: The namespace of the environments.
    type: str
    required: true
  registry_namespace:
    description: The namespace of the clients' records, where it is another one. Read for clients without an environment only.
    type: str
    default: ""
  publish:
    description: How the clients are published, which says what has to be there besides the pods.
    type: str
    choices: [ingress, httproute, none]
    default: none
  public_dns:
    description: Public DNS name of the service, for the address.
    type: str
    default: ""
  wait:
    description: Whether to wait until every environment is ready, or certain not to become so.
    type: bool
    default: false
  wait_timeout:
    description: How long to wait at most, in seconds. What might still heal is then decided.
    type: int
    default: 300
  must_be_ready:
    description:
      - Whether a wait that ends without all environments being ready fails.
      - Set it to V(false) for many clients, and look at each of RV(environments) then.
    type: bool
    default: true
  since:
    description: When the run began, in seconds since 1970 (UTC). The seconds that are shown count from there, and not from this task on.
    type: float
  changes:
    description: How many objects the run has written before. With V(0) the screen says that nothing changed.
    type: int
  redact_secrets:
    description:
      - Names of Secrets of O(namespace) whose values are taken out of logs and messages too, such as the databases' administrators'.
      - The client's own Secrets always are. All of them are read only when something is wrong.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the state of a client
  rarus.lms.environment_info:
    clients: [C42]
    namespace: lms-dev
    publish: ingress
    public_dns: backend.lms-dev.example
  register: state

- name: Wait for a rollout, and fail with its cause
  rarus.lms.environment_info:
    clients: [C42]
    namespace: lms-dev
    wait: true
    wait_timeout: 300
    redact_secrets: [postgres-admin, clickhouse-admin]
"""

RETURN = r"""
environments:
  description: The environments in the order of their clients' numbers.
  returned: always
  type: list
  elements: dict
  contains:
    client:
      description: Id of the client.
      type: str
      sample: C42
    namespace:
      description: Namespace of the environment.
      type: str
    phase:
      description:
        - V(ready), V(progressing), V(failed), V(suspended) (scaled to zero) or V(absent) (no Deployment).
        - V(degraded) when something will not heal and requests are still served.
      type: str
    message:
      description: The first cause, in one line. Empty when the environment is ready or suspended.
      type: str
    serving:
      description: Whether requests reach a pod.
      type: bool
    address:
      description: Public address. Empty when the client is not published.
      type: str
      sample: https://backend.lms-dev.example/C42/
    image:
      description: The image that runs, with its digest. Empty when none runs.
      type: str
      sample: registry.example/lms/backend:dev@sha256:1f2e90c4...
    seconds:
      description: How long it was waited for, in seconds.
      type: float
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
    pods:
      description: The pods, the newest first.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the pod.
          type: str
        phase:
          description: Phase of the pod.
          type: str
        node:
          description: Node that it runs on.
          type: str
        containers:
          description: The containers of all kinds. Besides these also C(ready), C(restarts), C(image) and C(image_id).
          type: list
          elements: dict
          contains:
            name:
              description: Name of the container.
              type: str
            state:
              description: C(waiting), C(running) or C(terminated), with reason and message.
              type: dict
    not_seen:
      description: What the token may not read, a sentence each.
      type: list
      elements: str
calls:
  description: Number of requests that the API was sent.
  returned: always
  type: int
screen:
  description: The lines that were shown at the end.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
