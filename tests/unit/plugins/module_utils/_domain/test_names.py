# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain import names
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId

C42 = ClientId.parse("C42")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (names.record_name, "lms-client-c42"),
        (names.credentials_secret_name, "lms-credentials-c42"),
        (names.rsa_secret_name, "rsa-secret-c42"),
        (names.config_name, "lms-config-c42"),
        (names.service_name, "lms-service-c42"),
        (names.deployment_name, "lms-deployment-c42"),
        (names.ingress_name, "client-lms-ingress-c42"),
        (names.route_name, "client-lms-route-c42"),
        (names.postgres_job_base, "postgres-setup-c42"),
        (names.clickhouse_job_base, "clickhouse-setup-c42"),
        (names.database_name, "c42"),
    ],
)
def test_objects_are_named_after_the_source_in_lower_case(function: t.Callable[[ClientId], str], expected: str) -> None:
    assert function(C42) == expected
    longest = function(ClientId.parse("C999999999"))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", longest), "not a name that the API server takes"
    assert len(longest) <= 63


def test_the_label_app_keeps_the_id() -> None:
    assert names.app_label(C42) == "C42-lms"


def test_a_database_may_have_a_prefix() -> None:
    assert names.database_name(C42, "dev_") == "dev_c42"


def test_the_selector_asks_for_the_labels() -> None:
    assert names.selector() == "app.kubernetes.io/managed-by=rarus.lms"
    assert names.selector(C42) == "app.kubernetes.io/managed-by=rarus.lms,rarus.lms/client=C42"


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        (names.labels(C42), True),
        ({**names.labels(C42), "more": "x"}, True),
        (names.labels(ClientId.parse("C7")), False),
        ({names.CLIENT_LABEL: "C42"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_an_object_is_ours_by_both_labels(labels: dict[str, str] | None, ours: bool) -> None:
    assert names.is_ours({"metadata": {"labels": labels}}, C42) is ours
