# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of objects before they are packed."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.archive import without_secrets

CANARY = "canary-9zK"
CASES: list[dict[str, t.Any]] = [
    {"kind": "Secret", "data": {"x": CANARY}, "stringData": {"y": CANARY}},
    {"kind": "Pod", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}, "managedFields": [CANARY]}},
    {"kind": "ConfigMap", "data": {"LMS_SMS_TOKEN": CANARY}},
    {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": CANARY}]}]}}}},
]


@pytest.mark.parametrize("obj", CASES, ids=lambda obj: obj["kind"])
def test_no_secret_is_left(obj: dict[str, t.Any]) -> None:
    before = json.dumps(obj)
    assert CANARY not in json.dumps(without_secrets(obj))
    assert json.dumps(obj) == before


def test_the_rest_stays() -> None:
    reference = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    obj = {"kind": "Deployment", "spec": {"env": [reference, {"name": "LMS_SERVER_PORT", "value": ":8080"}]}}
    assert without_secrets(obj) == obj
