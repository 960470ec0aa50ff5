# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects for tests: a client's with canaries wherever a secret may stand, for a fake API: what logs and archives must not show."""

from __future__ import annotations

import base64
import typing as t

__all__ = ["CANARIES", "referring", "with_canaries"]

Obj = dict[str, t.Any]
SPACE = "lms-dev"
# In a Secret of the client's, in one that a pod refers to, in one of an administrator's, and as a literal value of a variable.
CANARIES = ("canary-own-4f1c", "canary-referred-91ab", "canary-admin-77e0", "canary-literal-c0de")


def with_canaries() -> list[Obj]:
    """Return a Deployment, a pod and the Secrets of C42."""
    own, referred, admin, literal = CANARIES
    ours = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42", "app": "C42-lms"}
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "sms4b", "key": "token"}}}
    container = {"name": "c42", "image": "x", "env": [reference, {"name": "MY_PASSWORD", "value": literal}]}
    status = {"name": "c42", "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1, "message": own}}}
    return [
        _object("v1", "Secret", "lms-credentials-c42", ours, data={"postgres-password": _base64(own)}),
        _object("v1", "Secret", "sms4b", {}, data={"token": _base64(referred)}),
        _object("v1", "Secret", "postgres-admin", {}, data={"password": _base64(admin)}),
        _object("apps/v1", "Deployment", "lms-deployment-c42", ours, spec={"template": {"spec": {"containers": [container]}}}),
        _object("v1", "Pod", "pod-1", ours, spec={"containers": [container]}, status={"containerStatuses": [status]}),
    ]


def _object(api_version: str, kind: str, name: str, labels: dict[str, str], **more: t.Any) -> Obj:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": SPACE, "labels": labels}, **more}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def referring(client: str, secret: str) -> list[Obj]:
    """Return the request of a Deployment whose container refers to the key `token` of a Secret."""
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}}}
    spec = {"template": {"spec": {"containers": [{"name": "c", "env": [token]}]}}}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"lms-deployment-{client.lower()}"}, "spec": spec}
    return [{"client": client, "stage": "environment", "file": "deployment.yml.j2", "object": made}]
