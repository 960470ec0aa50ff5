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
  - Logs are bounded, and the values of the client's Secrets, of all that its pods refer to and of O(redact_secrets) are taken out of them,
    in any usual encoding.
  - A wait that was begun outlives an API that is away for a while; refusals (401, 403) end it.
  - What the token may not read is named in RV(environments[].not_seen), where the verdict can do without it.
  - Needs the verb C(list) on C(deployments) and C(replicasets) (apps), C(pods) and the kind of O(publish) in O(namespace), and with
    O(read_records) the verbs C(get) and C(list) on C(configmaps) in the registry's. With C(list) on C(endpointslices), C(events) and
    C(nodes), C(get) on C(pods/log) and C(secrets), and C(get) and C(list) on what pods refer to, it tells more; with O(probe=job) it
    needs C(create) and C(delete) on C(jobs) (batch).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.lease
  - rarus.lms.place
  - rarus.lms.attributes.info
attributes:
  check_mode:
    description: Only reads then. O(probe=job) makes no Job, and O(restart_stuck) restarts nothing.
    support: full
  idempotent:
    description: Only reads, but for O(probe=job), which leaves nothing, and O(restart_stuck), which touches nothing that is well.
    support: full
options:
  clients:
    description: Ids of the clients, such as V(C42). Without any, all clients of O(catalogue) that are on the list.
    type: list
    elements: str
    default: []
  catalogue:
    description: Name of the catalogue whose clients are meant where O(clients) names none.
    type: str
    default: ""
  read_records:
    description:
      - Whether the clients' records are read, by one call for all, and the settings in them lie over O(client_settings).
      - With V(false) O(client_settings) has to hold them already, as after the role P(rarus.lms.client#role).
    type: bool
    default: true
  publish:
    description: How the clients are published, which says what has to be there besides the pods.
    type: str
    choices: [ingress, httproute, none]
    default: none
  public_dns:
    description: Public DNS name of the service, for the address.
    type: str
    default: ""
  probe:
    description:
      - Who asks the public path C(https://public_dns/C42/) once the pods are ready, and checks certificate and answer.
      - With V(controller) the machine that this runs on, which needs a route there. An overview does not ask.
      - With V(job) a Job in O(namespace), for machines without a route. It is made for as long as it asks, one for all clients that are
        asked together, changes nothing of an environment, and needs the right to create and delete Jobs. In check mode none is made.
    type: str
    choices: [controller, job, none]
    default: none
  probe_status:
    description: HTTP status with which the public path answers when it serves.
    type: int
    default: 200
  probe_ca_file:
    description: File with who signs the public certificate (PEM). By default this machine's own list of authorities.
    type: path
    default: ""
  probe_image:
    description: Image with curl, for the Job of O(probe=job); it is pulled by the pull secrets of the client's own pods.
    type: str
    default: ""
  image_check:
    description:
      - Who asks the image's registry whether its tag stands for a newer image than the one that runs, which is a note and no fault.
      - With V(controller) the machine that this runs on, with the login of the pods' pull secret, whose value is read for it.
      - Neither a wait nor an overview asks. What cannot be found out is named in RV(environments[].not_seen), and fails nothing.
    type: str
    choices: [controller, none]
    default: none
  image_ca_file:
    description: File with who signs the registry's certificate (PEM). By default this machine's own list of authorities.
    type: path
    default: ""
  client_settings:
    description: Settings of single clients by their ids, which lie over O(publish), O(public_dns), O(probe) and the others.
    type: dict
    default: {}
  overview:
    description:
      - Shows one line a client, the worst first, and reads nothing for each client by itself - neither logs nor values of Secrets.
      - The number of requests does not grow with the clients, but for the pages of the lists.
    type: bool
    default: false
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
    description:
      - When the run began, in seconds since 1970 (UTC). The seconds that are shown count from there, and not from this task on.
      - A wait takes what had failed before it, in pods that are older than the run, for no proof, and waits for the next try. Without it
        everything that is seen counts.
    type: float
  restart_stuck:
    description:
      - Whether a wait has the pods made anew, once, of an environment that had failed before O(since), as C(kubectl rollout restart) does.
        Kubernetes' own next try may be five minutes away, or sixteen where a quota was used up.
      - It needs the right to update Deployments. A token without it waits for Kubernetes' next try. Check mode restarts nothing.
    type: bool
    default: false
  changes:
    description: How many objects the run has written before. With V(0) the screen says that nothing changed.
    type: int
  redact_secrets:
    description:
      - Names of further Secrets of O(namespace) whose values are taken out of logs and messages too.
      - The client's own Secrets, and all that its pods and its Ingress refer to, always are. They are read only when something is wrong.
    type: list
    elements: str
    default: []
  report:
    description:
      - File on the machine that this runs on, to write what was found to. It is written whatever the outcome, with mode 0600.
      - A name that ends with C(.xml) makes it JUnit, any other JSON by C(docs/report-schema.json).
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Show the state of a client
  rarus.lms.environment_info:
    clients: [C42]
    namespace: lms-dev
    publish: ingress
    public_dns: backend.lms-dev.example
  register: state

- name: Show all clients of a catalogue, the worst first, and keep what was found
  rarus.lms.environment_info:
    catalogue: lms-dev
    namespace: lms-dev
    publish: ingress
    public_dns: backend.lms-dev.example
    overview: true
    report: /tmp/lms-dev.json

- name: Wait for a rollout, and fail with its cause
  rarus.lms.environment_info:
    clients: [C42]
    namespace: lms-dev
    wait: true
    wait_timeout: 300
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
        - V(ready), V(progressing), V(failed), V(suspended) (scaled to zero), V(absent) (no Deployment) or V(retired) (the client has left).
        - V(degraded) when something will not heal and requests are still served.
        - V(unknown) when it could not be found out. The task is then marked unreachable, and the run ends with exit code 4, unless another
          environment has failed; as a module process, on any other than the local connection, it fails.
      type: str
    organisation:
      description: Name of the organisation as its record has it. Empty when it has none, or was not read.
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
