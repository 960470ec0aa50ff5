# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, LmsError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.record import Record, managed_hash, object_key, object_parts

C42 = ClientId.parse("C42")
NEW_IN_2 = ("organisation", "settings", "epoch", "epoch_by", "phase_since")
RECORD = Record(
    client=C42,
    organisation='«Ромашка» {{ "x" }}',
    catalogue="lms-dev",
    namespace="lms-dev",
    registry_namespace="registry",
    credentials="made",
    settings={"replicas": 2},
    epoch=3,
    databases={"postgres-setup-c42": "5f1c0a3e"},
    objects={"apps/Deployment/lms-deployment-c42": "0123456789abcdef"},
    created="2026-11-21T09:00:00Z",
    created_by="anna@controller",
    result="ready",
)


def stored(**data: str) -> dict[str, t.Any]:
    obj = RECORD.to_object()
    obj["data"] |= data
    return obj


def applied(fields: t.Any, **changes: t.Any) -> dict[str, t.Any]:
    return {"manager": "rarus.lms", "operation": "Apply", "fieldsV1": fields, "time": "2026-11-21T09:00:00Z", **changes}


def test_a_record_is_a_config_map_that_people_can_read() -> None:
    obj = RECORD.to_object()
    assert (obj["kind"], obj["metadata"]["name"], obj["metadata"]["namespace"]) == ("ConfigMap", "lms-client-c42", "registry")
    assert obj["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "rarus.lms",
        "rarus.lms/catalogue": "lms-dev",
        "rarus.lms/client": "C42",
        "rarus.lms/organisation": "x-efd5d3de",
        "rarus.lms/phase": "registered",
        "rarus.lms/record": "client",
    }
    assert obj["data"] == {
        "schema": "2",
        "client": "C42",
        "organisation": '«Ромашка» {{ "x" }}',
        "catalogue": "lms-dev",
        "namespace": "lms-dev",
        "phase": "registered",
        "phase_since": "",
        "settings": '{"replicas": 2}',
        "epoch": "3",
        "epoch_by": "",
        "credentials": "made",
        "databases": '{"postgres-setup-c42": "5f1c0a3e"}',
        "objects": '{"apps/Deployment/lms-deployment-c42": "0123456789abcdef"}',
        "created": "2026-11-21T09:00:00Z",
        "created_by": "anna@controller",
        "applied": "",
        "applied_by": "",
        "result": "ready",
        "version": "",
    }
    assert Record.from_object(obj, C42) == RECORD


def test_what_this_version_does_not_know_is_kept() -> None:
    obj = stored(invoice="«Ромашка»", floor="7")
    obj["metadata"] |= {"resourceVersion": "5", "annotations": {"by": "somebody"}, "managedFields": [{}]}
    obj["metadata"]["labels"]["theirs"] = "x"
    again = Record.from_object(obj, C42).with_(result="failed").to_object()
    assert again["data"] == {**obj["data"], "result": "failed"}
    assert again["metadata"] == {key: value for key, value in obj["metadata"].items() if key != "managedFields"}


def test_the_result_is_typed_and_names_where_the_record_lies() -> None:
    shown = RECORD.as_dict()
    assert (shown["schema"], shown["client"], shown["registry_namespace"]) == (2, "C42", "registry")
    assert shown["databases"] == {"postgres-setup-c42": "5f1c0a3e"}
    json.dumps(shown)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"schema": "3", "version": "9.0.0"}, "was written by a newer version of the collection (9.0.0, schema 3)"),
        ({"schema": "x"}, "is damaged: schema must be a number"),
        ({"schema": "0"}, "is damaged: there is no schema 0"),
        ({"client": "C7"}, "is damaged: client, catalogue and namespace"),
        ({"catalogue": ""}, "is damaged: client, catalogue and namespace"),
        ({"databases": "{"}, "is damaged: databases must be a JSON object"),
        ({"settings": "[]"}, "is damaged: settings must be a JSON object"),
        ({"epoch": "-1"}, "is damaged: epoch must be a number"),
        ({"objects": '{"a": 1}'}, "is damaged: objects must be a JSON object of texts"),
    ],
)
def test_a_record_that_cannot_be_trusted_is_refused(data: dict[str, str], words: str) -> None:
    with pytest.raises(LmsError) as caught:
        Record.from_object(stored(**data), C42)
    assert caught.value.message.startswith("ConfigMap registry/lms-client-c42 ")
    assert words in caught.value.message
    assert caught.value.hint


def test_a_config_map_without_our_labels_is_no_record() -> None:
    obj = stored()
    del obj["metadata"]["labels"]["rarus.lms/client"]
    with pytest.raises(LmsError, match="is not this collection's record of C42"):
        Record.from_object(obj, C42)


def test_a_record_of_schema_1_is_read_and_written_as_of_today() -> None:
    old = {key: value for key, value in RECORD.to_object()["data"].items() if key not in NEW_IN_2} | {"schema": "1"}
    record = Record.from_object({**RECORD.to_object(), "data": old}, C42)
    assert record == RECORD.with_(organisation="", settings={}, epoch=0, phase_since=RECORD.created)
    assert record.to_object()["data"]["schema"] == "2"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"catalogue": "lms-prod"}, "C42 belongs to catalogue lms-prod, not to lms-dev (ConfigMap registry/lms-client-c42)."),
        ({"namespace": "lms-prod"}, "C42 lives in namespace lms-prod, not in lms-dev"),
        ({"phase": "retired"}, "C42 has left, and an id is never given twice"),
    ],
)
def test_a_record_names_one_catalogue_for_ever(changes: dict[str, str], words: str) -> None:
    RECORD.expect(catalogue="lms-dev", namespace="lms-dev")
    with pytest.raises(InputError) as caught:
        RECORD.with_(**changes).expect(catalogue="lms-dev", namespace="lms-dev")
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"managedFields": None},
        {"managedFields": [applied({"f:spec": {}}, manager="kubectl")]},
        {"managedFields": [applied({"f:spec": {}}, operation="Update")]},
        {"managedFields": [applied({"f:status": {}}, subresource="status")]},
    ],
)
def test_nothing_applied_has_no_hash(metadata: dict[str, t.Any]) -> None:
    assert managed_hash(metadata) == ""


def test_the_hash_is_of_our_fields_alone() -> None:
    ours = managed_hash({"managedFields": [applied({"f:a": {}, "f:b": {}})]})
    assert len(ours) == 16
    same = {"managedFields": [applied({"f:x": {}}, manager="kubectl"), applied({"f:b": {}, "f:a": {}}, time="2027-01-01T00:00:00Z")]}
    assert managed_hash(same) == ours
    assert managed_hash({"managedFields": [applied({"f:a": {}})]}) != ours


@pytest.mark.parametrize(
    ("api_version", "key", "parts"),
    [
        ("apps/v1", "apps/Deployment/x", ("apps", "Deployment", "x")),
        ("v1", "/Deployment/x", ("", "Deployment", "x")),
        ("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/Deployment/x", ("gateway.networking.k8s.io", "Deployment", "x")),
    ],
)
def test_objects_are_named_without_their_version(api_version: str, key: str, parts: tuple[str, str, str]) -> None:
    assert object_key(api_version, "Deployment", "x") == key
    assert object_parts(key) == parts
