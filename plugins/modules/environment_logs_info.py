#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the last lines of a client's logs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment_logs_info
short_description: Show the last lines of a client's logs, without secrets
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Reads the logs of the client's pods and of its database Jobs' pods, bounded in lines and bytes, and follows none.
  - Takes out the values of the client's Secrets, of all Secrets that its pods refer to and of O(redact_secrets), in any usual encoding,
    what looks like a secret, and control characters. Where these Secrets may not be read, no log is shown.
  - Needs the rights C(list) on C(pods) and C(jobs.batch), C(get) on C(pods/log) and C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.attributes.info
options:
  client:
    description: Id of the client, such as V(C42).
    type: str
    required: true
  namespace:
    description: The namespace of the environment.
    type: str
    required: true
  lines:
    description: How many lines of each container at most, from 1 to 5000. No log is longer than 200000 bytes.
    type: int
    default: 100
  previous:
    description: Whether the run before is shown too, of containers that were restarted.
    type: bool
    default: false
  container:
    description: Name of the only container that is meant. Empty for all.
    type: str
    default: ""
  redact_secrets:
    description: Names of further Secrets of O(namespace) whose values are taken out, such as the databases' administrators'.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what the back end of a client wrote before it crashed
  rarus.lms.environment_logs_info:
    client: C42
    namespace: lms-dev
    lines: 50
    previous: true
"""

RETURN = r"""
logs:
  description: One entry a container and run.
  returned: always
  type: list
  elements: dict
  contains:
    pod:
      description: Name of the pod.
      type: str
    container:
      description: Name of the container.
      type: str
    previous:
      description: Whether this is the run before.
      type: bool
    lines:
      description: The last lines, secrets taken out.
      type: list
      elements: str
    problem:
      description: Why there are none. Empty when there are.
      type: str
screen:
  description: The lines that were shown.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_logs_info import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
