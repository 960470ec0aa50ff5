# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which clients of the list are told; they are read by _operations/client_list.py."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment rarus.lms.client_filters."""

    DOCUMENTATION = r"""
options:
  client:
    description: Id of one client, such as V(C42). Empty takes all that pass the other options.
    type: str
    default: ""
  organisation:
    description: Part of the organisation's name, in upper or lower case.
    type: str
    default: ""
  phase:
    description: Phases that are taken. Empty takes every one.
    type: list
    elements: str
    choices: [registered, suspended, retired]
    default: []
  contact:
    description: Part of a contact's name, telephone number (as E.164) or mailbox, in upper or lower case.
    type: str
    default: ""
  catalogue:
    description: Name of a catalogue whose clients are taken. Empty takes those of all that share the registry.
    type: str
    default: ""
  contacts:
    description: Whether the contacts are told too. They are personal data.
    type: bool
    default: false
"""
