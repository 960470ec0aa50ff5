# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say in which namespaces environments and their records lie; PLACE_OPTIONS of _k8s/connection.py are the same."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment rarus.lms.place."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace that the clients' environments live in, and their Secrets with them.
    type: str
    required: true
  registry_namespace:
    description: Namespace that the clients' records lie in. Empty means O(namespace).
    type: str
    default: ""
"""
