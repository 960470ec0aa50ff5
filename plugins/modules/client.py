#!/usr/bin/python
# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers a client under an id that is given or formed, or finds and changes its record."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: client
short_description: Register a client, or find it
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - Claims the id by an atomic create of the client's record (a ConfigMap such as C(lms-client-c42)), or finds the record. Without an id the
    next one is formed by a counter (ConfigMap C(lms-client-counter)); the cost does not depend on how many clients there are.
  - Brings organisation, settings, contacts and phase to what is given, and leaves what is not given as it is.
  - A record names exactly one catalogue; the same client from another catalogue is refused.
  - An id is never given again, also after its client has left. Records are never deleted.
  - Contacts are personal data. They lie in a Secret beside the record (C(lms-contacts-c42)), and no result, label or message shows them;
    M(rarus.lms.client_info) does, where it is asked to.
  - Needs the verbs C(get), C(list), C(create) and C(update) on C(configmaps) in the registry's namespace; with O(contacts) the same
    on C(secrets).
extends_documentation_fragment:
  - rarus.lms.kubernetes
  - rarus.lms.place
  - rarus.lms.attributes
requirements:
  - phonenumbers and email-validator, for O(contacts)
options:
  client:
    description: Id of the client, such as V(C42). Empty forms the next id for O(organisation), and claims it.
    type: str
    default: ""
  organisation:
    description:
      - Name of the organisation, any text of one line and up to 256 characters, kept byte for byte. Empty leaves what the record has.
      - Without O(client), an organisation that is on the list already is refused, unless O(confirm) names its latest client.
    type: str
    default: ""
  contacts:
    description:
      - The client's contacts, in place of those it has - a list of dictionaries with V(name), V(role), V(phones) and V(mailboxes), the last
        two lists; or the JSON of such a list. V([]) forgets them; empty or left out leaves them.
      - Phones are kept as E.164, mailboxes are checked for their form; nobody is asked whether they exist.
    type: json
  phone_region:
    description: Country, such as V(DE), that phones without C(+) are in. Empty refuses these.
    type: str
    default: ""
  settings:
    description:
      - The client's own settings, in place of those it has, by the names of docs/settings.md. They lie over the catalogue's.
      - Left out leaves them; an empty dictionary takes them away.
    type: dict
  state:
    description:
      - V(present) registers the client, or finds it. A suspended one stays so unless O(resume) is set; one that has left is refused.
      - V(suspended) is for a client on the list that shall have no pods for a while.
      - V(retired) is for a client that leaves for good, and needs O(confirm).
      - Only the record says so at first; the next provisioning acts on it.
    type: str
    choices: [present, suspended, retired]
    default: present
  resume:
    description: Whether a suspended client goes on.
    type: bool
    default: false
  forget_contacts:
    description: Whether the contacts of a client that leaves are taken out of their Secret.
    type: bool
    default: false
  must:
    description:
      - V(any) takes a new client and a known one.
      - V(exist) refuses a client that is not on the list, V(be_new) one that is.
    type: str
    choices: [any, exist, be_new]
    default: any
  confirm:
    description:
      - With O(state=retired) the id of the client, typed again.
      - Without O(client) the id of the organisation's client, the latest of several, so that it gets one more.
    type: str
    default: ""
  catalogue:
    description: Name of the settings catalogue that the client belongs to.
    type: str
    required: true
  before:
    description: A line to show before the one that says that a client is new, such as what a preflight says of itself.
    type: str
    default: ""
  actor:
    description: Who acts, for the record. Empty means user@host, with the number of the job where this runs in AWX.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Register C42, or find it
  rarus.lms.client:
    client: C42
    namespace: lms-dev
    catalogue: lms-dev

- name: Register an organisation under the next id
  rarus.lms.client:
    organisation: Завод «Ромашка»
    contacts:
      - name: Anna Petrova
        role: director
        phones: ["+49 30 901820"]
        mailboxes: [anna@company.example]
    namespace: lms-dev
    catalogue: lms-dev
  register: registered

- name: Be certain that C43 is known
  rarus.lms.client:
    client: C43
    namespace: lms-dev
    catalogue: lms-dev
    must: exist

- name: Let C43 go for good
  rarus.lms.client:
    client: C43
    state: retired
    confirm: C43
    namespace: lms-dev
    catalogue: lms-dev
"""

RETURN = r"""
new:
  description: Whether this run registered the client, or would have in check mode.
  returned: success
  type: bool
record:
  description: The client's record.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of the record's form.
      type: int
    client:
      description: Id of the client.
      type: str
    registry_namespace:
      description: Namespace that the record lies in.
      type: str
    catalogue:
      description: The catalogue that the client belongs to.
      type: str
    namespace:
      description: Namespace of the client's environment.
      type: str
    organisation:
      description: Name of the organisation, byte for byte. Empty where none was given.
      type: str
    phase:
      description: V(registered), V(suspended) or V(retired).
      type: str
    phase_since:
      description: Since when the phase holds (ISO 8601, UTC).
      type: str
    settings:
      description: The client's own settings, by name.
      type: dict
    epoch:
      description: How often a run has begun to write for the client.
      type: int
    epoch_by:
      description: Who began the last of these runs.
      type: str
    credentials:
      description: V(none), V(creating) (perhaps by a run that was killed) or V(made).
      type: str
    databases:
      description: Hash of the Job that was done, by the Job's name without a hash.
      type: dict
    objects:
      description: Hash of the fields that the collection applied, by group, kind and name of the object.
      type: dict
    created:
      description: When the client was registered (ISO 8601, UTC).
      type: str
    created_by:
      description: Who registered it.
      type: str
    applied:
      description: When something was last applied (ISO 8601, UTC). Empty before.
      type: str
    applied_by:
      description: Who applied it.
      type: str
    result:
      description: The last result, for people.
      type: str
    version:
      description: Version of the collection that wrote last.
      type: str
"""

from ansible_collections.rarus.lms.plugins.module_utils._core.module import run_module
from ansible_collections.rarus.lms.plugins.module_utils._operations.client import OPERATION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
