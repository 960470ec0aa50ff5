# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain import adoption
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import CREDENTIALS_KEYS

C42 = ClientId.parse("C42")
SEED = "0123456789abcdef" * 8
GOOD = {
    "LMS_CLIENT_ID": "C42",
    "LMS_KEYS_SECRET_SEED": SEED,
    "LMS_STORAGE_POSTGRES_DSN": "postgres://c42:Can%61ry-1@db.example:5432/c42?sslmode=disable",
    "LMS_STORAGE_CLICKHOUSE_DSN": "clickhouse://c42:Canary~2@ch.example:9000/c42",
}
PG, CH = "LMS_STORAGE_POSTGRES_DSN", "LMS_STORAGE_CLICKHOUSE_DSN"


def kept(**changes: str | None) -> adoption.Kept:
    data = {**GOOD, **changes}
    return adoption.kept_values({key: value for key, value in data.items() if value is not None}, C42, user="c42", where="ConfigMap a/b")


def test_values_are_taken_out_of_the_variables() -> None:
    found = kept()
    assert found.seed == SEED
    assert found.logins["postgres"] == adoption.Login("c42", "Canary-1", "db.example:5432", "c42")
    assert found.logins["clickhouse"] == adoption.Login("c42", "Canary~2", "ch.example:9000", "c42")
    assert kept(LMS_CLIENT_ID="c42") == found


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("LMS_CLIENT_ID", "C7", "LMS_CLIENT_ID is not C42"),
        ("LMS_KEYS_SECRET_SEED", None, "LMS_KEYS_SECRET_SEED is missing"),
        ("LMS_KEYS_SECRET_SEED", "Canary", "LMS_KEYS_SECRET_SEED is not 128 hexadecimal digits"),
        (PG, None, f"{PG} is missing"),
        (PG, "postgres://c42:Canary-1@[db:5432/c42", f"{PG} is not a URL"),
        (PG, "postgres://c42:Canary-1@db:x/c42", f"{PG} is not a URL"),
        (PG, "mysql://c42:Canary-1@db/c42", f"{PG} is not of the form postgres://<user>:<password>@<host>:<port>/<database>"),
        (PG, "postgres://c42@db/c42", f"{PG} is not of the form"),
        (PG, "postgres://c42:Canary-1@db:5432/", f"{PG} is not of the form"),
        (PG, "postgres://C42:Canary-1@db:5432/c42", f"{PG} names the user C42, and the catalogue's settings make it c42"),
        (PG, "postgres://c42:Canary-1@db:5432/lms", f"{PG} names the database lms, and the catalogue's settings make it c42"),
        (PG, "postgres://c42:Canary%2F1@db:5432/c42", f"{PG} has a password with characters that a URL encodes"),
        (CH, "clickhouse://c42:Canary%241@ch:9000/c42", f"{CH} has a password with characters that a URL encodes"),
        (CH, "http://c42:Canary-1@ch:8123/c42", f"{CH} is not of the form clickhouse://"),
    ],
)
def test_what_does_not_fit_is_named_and_no_value_shown(variable: str, value: str | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        kept(**{variable: value})
    assert caught.value.message.startswith("ConfigMap a/b cannot be taken over as the variables of C42:\n")
    assert words in caught.value.message
    assert "Canary" not in str(caught.value.as_result())


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        adoption.kept_values({}, C42, user="c42", where="ConfigMap a/b")
    assert len(caught.value.data["problems"]) == 3


def test_the_secret_holds_what_was_kept_and_everything_that_is_computed() -> None:
    secret = adoption.kept_secret(kept(), C42, namespace="lms-dev", made="2026-11-21T09:00:00Z")
    values = {key: base64.b64decode(value).decode("latin-1") for key, value in secret["data"].items()}
    assert set(values) == set(CREDENTIALS_KEYS)
    assert (values["keys-secret-seed"], values["postgres-password"], values["clickhouse-password"]) == (SEED, "Canary-1", "Canary~2")
    assert values["postgres-verifier"].startswith("SCRAM-SHA-256$4096:")


FIELDS: list[dict[str, t.Any]] = [
    {"manager": "kubectl-create", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {".": {}, "f:A": {}}}},
    {"manager": "kubectl-edit", "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:data": {"f:B": {}}}},
    {"manager": "controller", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
]


def live(**more: t.Any) -> dict[str, t.Any]:
    metadata = {"name": "a", "namespace": "n", "labels": {"x": "y"}, "managedFields": FIELDS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"A": "1", "B": "2"}, **more}


def test_an_adopted_object_is_ours_with_all_its_fields_and_unchanged() -> None:
    found = adoption.adopted(live(), C42)
    assert found["data"] == live()["data"]
    assert found["metadata"]["labels"] == {"x": "y", "app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": "C42"}
    first, second = found["metadata"]["managedFields"]
    assert (first["manager"], first["operation"], first["time"]) == ("rarus.lms", "Apply", "2026-02-01T00:00:00Z")
    assert first["fieldsV1"] == {"f:data": {".": {}, "f:A": {}, "f:B": {}}}
    assert second == FIELDS[2]


def test_changes_and_removals_are_named_by_their_paths() -> None:
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"A": "2", "C": "3"}}
    assert adoption.changes(wanted, live()) == ["data.A", "data.C"]
    assert adoption.removals(wanted, live()) == ["data.B"]


def test_items_of_lists_are_matched_by_their_names_and_keys() -> None:
    wanted: dict[str, t.Any] = {"spec": {"containers": [{"name": "c42", "image": "b", "env": []}], "ports": [1]}}
    there = {"spec": {"containers": [{"name": "x"}, {"name": "c42", "image": "a", "env": []}], "ports": [2]}}
    assert adoption.changes(wanted, there) == ["spec.containers[c42].image", "spec.ports"]
    fields = {
        "f:spec": {"f:containers": {'k:{"name":"c42"}': {".": {}, "f:image": {}}, 'k:{"name":"x"}': {".": {}}}, "f:ports": {"v:2": {}}}
    }
    managed = {"metadata": {"managedFields": [{"manager": "m", "fieldsV1": fields}]}}
    assert adoption.removals(wanted, managed) == ["spec.containers[x]", "spec.ports[2]"]
