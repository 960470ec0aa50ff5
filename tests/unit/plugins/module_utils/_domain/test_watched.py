# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods depend on that others provide, read from the collection's own requests and from a catalogue's."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import Source, find_sources
from ansible_collections.rarus.lms.plugins.module_utils._domain.watched import Watched, watched_of
from support.setup_jobs import NEEDED, TEMPLATES

C42 = ClientId(42)
SMS: Watched = {("Secret", "sms4b"): {"token": False}}


def found(*more: Source, **settings: t.Any) -> Watched:
    requests = render_requests(
        compiled([*find_sources(TEMPLATES), *more]), [ClientId(7), C42], read_settings({**NEEDED, **settings}, catalogue="lms-dev")
    )
    return watched_of(requests, C42)


def test_the_collections_own_requests() -> None:
    assert found() == SMS
    settings: dict[str, t.Any] = {
        "lms_postgres_sslmode": "verify-full",
        "lms_postgres_ca": {"name": "databases", "key": "ca.pem"},
        "lms_clickhouse_secure": True,
        "lms_clickhouse_ca": {"name": "databases", "key": "clickhouse.pem"},
        "lms_secret_environment": {"SMTP_PASSWORD": {"name": "smtp", "key": "password"}},
        "lms_client_settings": {"C7": {"secret_environment": {"OF_C7": {"name": "of-c7", "key": "word"}}}},
    }
    authorities = {("ConfigMap", "databases"): {"ca.pem": False, "clickhouse.pem": False}}
    assert found(**settings) == {**SMS, ("Secret", "smtp"): {"password": False}, **authorities}


TWICE = """
containers:
  - name: a
    env:
      - {name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
      - {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}
"""
PODS: list[tuple[str, Watched]] = [
    ("containers: [{name: a, envFrom: [{secretRef: {name: s}}, {configMapRef: {name: c, optional: true}}]}]",
     {("Secret", "s"): {"": False}, ("ConfigMap", "c"): {"": True}}),
    ("initContainers: [{name: a, env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]}]", {("ConfigMap", "c"): {"k": False}}),
    ("volumes: [{name: v, secret: {secretName: s}}]", {("Secret", "s"): {"": False}}),
    ("volumes: [{name: v, projected: {sources: [{secret: {name: s, items: [{key: k, path: p}], optional: true}}]}}]",
     {("Secret", "s"): {"k": True}}),
    (TWICE, {("Secret", "s"): {"k": False}}),
    ("imagePullSecrets: [{name: pull}]", {}),
    ("containers: [{name: a, envFrom: [{configMapRef: {name: 'lms-config-{{ client-name }}'}}]}]", {}),
    ("volumes: [{name: v, secret: {secretName: 'rsa-secret-{{ client-name }}'}}]", {}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), PODS)
@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "Job"])
def test_a_template_of_a_catalogues_own(kind: str, spec: str, expected: Watched) -> None:
    pod = {"template": {"spec": yaml.safe_load(spec)}}
    wrapped = {"jobTemplate": {"spec": pod}} if kind == "CronJob" else pod
    text = yaml.safe_dump({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "own-{{ client-name }}"}, "spec": wrapped})
    assert found(Source("own", "own.yml", text)) == {**SMS, **(expected if kind != "Job" else {})}
