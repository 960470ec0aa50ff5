# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._domain import credentials, rotation
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._operations.credentials_info import run
from support.fake_api import FakeApi

MADE = "2026-11-21T09:00:00Z"
BEGAN = "2026-11-22T09:00:00Z"
KEY = credentials.generate_rsa_key(2048)


def told(fake_api: FakeApi, *clients: str) -> list[dict[str, t.Any]]:
    params = {**fake_api.params, "clients": list(clients), "namespace": "lms-dev", "probe": False, "parts": []}
    found: list[dict[str, t.Any]] = run(params, Context())["clients"]
    return found


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide two clients with credentials, one of them half way through a rotation, and a Secret of a third that holds contacts."""
    for number in (42, 7):
        client = ClientId(number)
        secret = credentials.credentials_secret(client, namespace="lms-dev", user=client.name, made=MADE)
        if number == 42:
            for step in ("open", "switch"):
                state = rotation.Rotation(("postgres", "seed"), step, BEGAN, "me")
                values = rotation.advanced(state, credentials.data_of(secret), client.name)
                secret["metadata"]["annotations"] = rotation.annotated(secret["metadata"]["annotations"], state)
                secret["data"] = credentials.encoded(values)
        fake_api.add(secret, credentials.rsa_secret(client, namespace="lms-dev", key=KEY, made=MADE))
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C3"}
    fake_api.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "lms-contacts-c3", "namespace": "lms-dev", "labels": labels}})
    return fake_api


def test_all_clients_with_credentials_are_told_by_one_list(api: FakeApi) -> None:
    found = told(api)
    assert [one["client"] for one in found] == ["C7", "C42"]
    assert api.reads() == ["/api/v1/namespaces/lms-dev/secrets"]


def test_a_rotation_under_way_shows(api: FakeApi) -> None:
    (found,) = told(api, "C42")
    assert found["logins"] == {"postgres": "c42_b", "clickhouse": "c42"}
    assert found["rotation"] == {"parts": ["postgres", "seed"], "step": "switch", "began": BEGAN, "by": "me"}
    assert (found["made"], found["rotated"], found["missing"]) == (MADE, {"postgres": BEGAN, "seed": BEGAN}, [])
    assert set(found["fingerprints"]) == {"seed", "rsa", "postgres", "clickhouse", "postgres_logins", "clickhouse_logins"}


def test_what_a_run_that_was_killed_has_left_is_told(api: FakeApi) -> None:
    third = credentials.credentials_secret(ClientId(8), namespace="lms-dev", user="c8", made=MADE)
    third["metadata"]["annotations"] = rotation.dated(third["metadata"]["annotations"], ["postgres", "seed"], BEGAN)
    api.add(third, credentials.rsa_secret(ClientId(8), namespace="lms-dev", key=KEY, made=MADE))
    lines: list[str] = []
    params = {**api.params, "clients": ["C7", "C8", "C42"], "namespace": "lms-dev", "probe": False, "parts": ["seed", "postgres"]}
    assert run(params, Context(report=lines.append))["remaining"] == ["C42", "C7"]
    assert lines == ["  rotation  goes on where a run was ended; rotated since that began, and not again: C8"]
    assert run({**params, "parts": ["rsa"]}, Context(report=lines.append))["remaining"] == ["C7", "C8", "C42"]
    assert len(lines) == 1


def test_what_is_missing_is_named(api: FakeApi) -> None:
    api.remove("Secret", "rsa-secret-c7")
    assert told(api, "C7", "C9") == [
        {"client": "C7", "secrets": ["lms-credentials-c7", "rsa-secret-c7"], "missing": ["rsa-secret-c7"]},
        {"client": "C9", "secrets": ["lms-credentials-c9", "rsa-secret-c9"], "missing": ["lms-credentials-c9", "rsa-secret-c9"]},
    ]


def test_no_value_is_told(api: FakeApi) -> None:
    shown = json.dumps(told(api))
    for name in ("lms-credentials-c42", "rsa-secret-c42", "lms-credentials-c7"):
        secret = api.stored("Secret", name)
        assert secret is not None
        values = {key: value.decode("latin-1") for key, value in credentials.data_of(secret).items() if not key.endswith("-user")}
        assert [key for key, value in values.items() if value in shown or secret["data"][key] in shown] == []


def test_a_value_that_is_gone_is_told(api: FakeApi) -> None:
    secret = api.stored("Secret", "lms-credentials-c7")
    assert secret is not None
    del secret["data"]["postgres-password"]
    with pytest.raises(LmsError, match="Secret lms-dev/lms-credentials-c7 lacks postgres-password"):
        told(api, "C7")


@pytest.mark.parametrize("status", [400, 401, 403, 503])
def test_a_doubtful_answer_is_no_absence(api: FakeApi, status: int) -> None:
    api.fail("GET", "/secrets", status, times=1000)
    with pytest.raises(UnknownStateError):
        told(api, "C42")
