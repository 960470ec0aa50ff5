# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the registry of an image."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_registry
short_description: The registry that an image is pulled from
version_added: "0.1.0"
author: The rarus.lms authors (@rarus-lms)
description:
  - The host, and the port where there is one, that the name of an image begins with. A name without one is pulled from C(docker.io).
options:
  _input:
    description: Name of an image, such as V(registry.example/lms/backend:dev).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where the image comes from
  ansible.builtin.debug:
    msg: "{{ 'registry.example:5000/lms/backend:dev' | rarus.lms.image_registry }}" # registry.example:5000
"""

RETURN = r"""
_value:
  description: The registry.
  type: str
"""

import typing as t

from ansible_collections.rarus.lms.plugins.module_utils._domain.image import image_registry as registry_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.kinds import plain


def image_registry(value: t.Any) -> str:
    """Return the registry of an image."""
    return registry_of(str(plain(value)))


class FilterModule:
    """The filter rarus.lms.image_registry."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"image_registry": image_registry}
