# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of the system's first description (source_requests, as the specification tells them): refused as they are, converted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.convert import Conversion, convert
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.module_utils._domain.template_rules import texts_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import Source, find_sources

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[5]
GIVEN = {
    "lms_namespace_id": "lms-dev", "lms_docker_image": "lms:dev", "lms_sms4b_sender": "LMS", "lms_public_dns": "lms.example",
    "lms_postgres_host": "postgres.example", "lms_postgres_client_image": "psql:15", "lms_clickhouse_host": "clickhouse.example",
    "lms_clickhouse_client_image": "clickhouse:1", "lms_database_prefix": "prod_",
}  # fmt: skip


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return find_sources(HERE / "source_requests")


@pytest.fixture(scope="module")
def conversion(sources: list[Source]) -> Conversion:
    return convert(sources)


@pytest.fixture(scope="module")
def objects(conversion: Conversion) -> dict[str, Any]:
    """Return what is sent for C42 with the converted templates beside the collection's own, by kind."""
    converted = {
        one.file.removesuffix(".yml.j2"): Source(one.file.removesuffix(".yml.j2"), one.file, one.text) for one in conversion.converted
    }
    own = {source.stem: source for source in find_sources(ROOT / "roles" / "requests" / "templates")}
    settings = read_settings(GIVEN, catalogue="lms-dev")
    requests = render_requests(compiled({**own, **converted}.values()), [ClientId(42)], settings)
    return {request["object"]["kind"]: request["object"] for request in requests}


REFUSED = [
    ("1-clickhouse-setup", "1-clickhouse-setup.json line 14: macro clickhouse-admin-user stands for a secret"),
    ("2-postgres-setup", "2-postgres-setup.json line 12: macro postgres-admin-password stands for a secret"),
    ("3-config", "3-config.json line 10: macro keys-secret-seed stands for a secret"),
    ("4-rsa-secret", "4-rsa-secret.json line 6: macro rsa-content stands for a secret"),
    ("5-service", "5-service.json line 4: metadata.name is lms-service-C42: a Kubernetes name has no capital letters."),
    ("6-ingress", "6-ingress.json line 5: metadata.name is client-lms-ingress-C42"),
    ("7-deployment", "7-deployment.json line 4: metadata.name is lms-deployment-C42"),
]


@pytest.mark.parametrize(("stem", "said"), REFUSED)
def test_a_request_is_refused_as_it_was(sources: list[Source], stem: str, said: str) -> None:
    (source,) = (one for one in sources if one.stem == stem)
    with pytest.raises(InputError) as caught:
        render_requests(compiled([source]), [ClientId(42)], read_settings(GIVEN, catalogue="lms-dev"))
    assert said in caught.value.message


def test_the_collections_templates_are_taken_the_place_of(conversion: Conversion) -> None:
    assert [one.file for one in conversion.converted] == ["config.yml.j2", "service.yml.j2", "ingress.yml.j2", "deployment.yml.j2"]
    assert [Path(label).stem for label, _reason in conversion.left_out] == ["1-clickhouse-setup", "2-postgres-setup", "4-rsa-secret"]


def test_every_change_is_named(conversion: Conversion) -> None:
    changes = {one.file: one.changes for one in conversion.converted}
    assert "LMS_KEYS_SECRET_SEED holds a secret: it left the ConfigMap for the container's env, by reference" in changes["config.yml.j2"]
    assert "LMS_SERVER_PORT: the blank in ': 8080' is gone" in changes["config.yml.j2"]
    assert changes["service.yml.j2"] == ["metadata.name has client-name: a name has no capital letters"]


def test_names_are_lower_and_what_people_see_is_not(objects: dict[str, Any]) -> None:
    assert objects["Deployment"]["metadata"]["name"] == "lms-deployment-c42"
    assert objects["Service"]["spec"]["selector"] == {"app": "C42-lms"}
    assert objects["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/C42/(.*)"
    assert objects["ConfigMap"]["data"]["LMS_CLIENT_ID"] == "C42"


def test_the_variables_are_those_of_the_collections_own_templates(objects: dict[str, Any]) -> None:
    requests = render_requests(
        compiled(find_sources(ROOT / "roles" / "requests" / "templates")), [ClientId(42)], read_settings(GIVEN, catalogue="lms-dev")
    )
    own = {request["object"]["kind"]: request["object"] for request in requests}
    assert objects["ConfigMap"]["data"] == own["ConfigMap"]["data"]

    def env(deployment: dict[str, Any]) -> dict[str, Any]:
        return {entry["name"]: entry for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}

    found, wanted = env(objects["Deployment"]), env(own["Deployment"])
    for name in ("LMS_KEYS_SECRET_SEED", "LMS_NOTIFICATIONS_SMS4B_TOKEN", "POSTGRES_PASSWORD", "CLICKHOUSE_PASSWORD"):
        assert found[name] == wanted[name]
    assert (
        found["LMS_STORAGE_POSTGRES_DSN"]["value"]
        == "postgres://prod_c42:$(POSTGRES_PASSWORD)@postgres.example:5432/prod_c42?sslmode=disable"
    )
    assert found["LMS_STORAGE_CLICKHOUSE_DSN"]["value"] == "clickhouse://prod_c42:$(CLICKHOUSE_PASSWORD)@clickhouse.example:9000/prod_c42"


def test_a_secret_that_is_written_out_is_left_behind(sources: list[Source], conversion: Conversion) -> None:
    def literal(text: str) -> str:
        for macro in ("keys-secret-seed", "sms4b-token", "postgres-user-password", "clickhouse-user-password"):
            text = text.replace("{{" + macro + "}}", "written-out")
        return text

    found = convert([replace(source, text=literal(source.text)) for source in sources])
    assert [one.text for one in found.converted] == [one.text for one in conversion.converted]
    told = [change for one in found.converted for change in one.changes if "left behind" in change]
    assert [change.split()[0] for change in told] == [
        "LMS_KEYS_SECRET_SEED", "LMS_NOTIFICATIONS_SMS4B_TOKEN", "LMS_STORAGE_CLICKHOUSE_DSN", "LMS_STORAGE_POSTGRES_DSN",
    ]  # fmt: skip
    assert "written-out" not in str(found)


def test_an_env_entry_with_its_secret_written_out_becomes_a_reference() -> None:
    pod = {"containers": [{"name": "own", "image": "own", "env": [{"name": "LMS_KEYS_SECRET_SEED", "value": "written-out"}]}]}
    meta = {"metadata": {"name": "own-{{client-id}}"}}
    request = {"apiVersion": "batch/v1", "kind": "Job", **meta, "spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}}
    text, changes = converted(json.dumps(request))
    assert "written-out" not in text
    assert "key: keys-secret-seed" in text
    assert "env LMS_KEYS_SECRET_SEED is a secret: it is given by reference" in changes


def test_the_pod_passes_pod_security_and_is_updated_without_a_gap(objects: dict[str, Any]) -> None:
    spec = objects["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["minReadySeconds"] == 2
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {volume["name"]: next(kind for kind in volume if kind != "name") for volume in pod["volumes"]} == {
        "static": "persistentVolumeClaim", "rsa-key": "secret",
    }  # fmt: skip
    assert pod["volumes"][1]["secret"]["defaultMode"] == 0o440


def test_no_snippet_is_left(objects: dict[str, Any]) -> None:
    annotations = objects["Ingress"]["metadata"]["annotations"]
    assert not [name for name in annotations if "snippet" in name]
    assert annotations["nginx.ingress.kubernetes.io/enable-cors"] == "true"
    assert objects["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "ImplementationSpecific"


def converted(text: str, name: str = "x.json") -> tuple[str, list[str]]:
    (one,) = convert([Source(name.split(".")[0], name, text)]).converted
    return one.text, one.changes


YAML = 'apiVersion: v1\nkind: Service\nmetadata:\n  name: own-{{client-id}}\nspec:\n  replicas: {{replicas}}\n  text: "{{replicas}}"\n'


def test_yaml_is_converted_too_and_a_macro_without_quotes_stays_so() -> None:
    text, changes = converted(YAML, "own.yaml")
    assert text == (
        '# Converted from own.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: "own-{{ client-name }}"\n'
        'spec:\n  replicas: {{ replicas }}\n  text: "{{ replicas }}"\n'
    )
    assert changes == ["metadata.name has client-name: a name has no capital letters"]


def test_a_secret_in_a_containers_env_becomes_a_reference() -> None:
    url = '{"name": "URL", "value": "https://x:{{sms4b-token}}@y/{{client-id}}"}'
    entry = url + ', {"name": "SEED", "value": "{{keys-secret-seed}}"}, {"name": "A", "value": "b"}'
    pod = f'{{"spec": {{"containers": [{{"name": "a", "env": [{entry}]}}]}}}}'
    text, _changes = converted(
        f'{{"apiVersion": "batch/v1", "kind": "Job", "metadata": {{"name": "own-{{{{client-id}}}}"}}, "spec": {{"template": {pod}}}}}'
    )
    objects = render_requests(compiled([Source("x", "x.yml.j2", text)]), [ClientId(42)], read_settings(GIVEN, catalogue="lms-dev"))
    env = objects[0]["object"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [entry["name"] for entry in env] == ["SMS4B_TOKEN", "URL", "SEED", "A"]
    assert env[1]["value"] == "https://x:$(SMS4B_TOKEN)@y/prod_c42"


LEFT_OUT = [
    ('{"method": "GET", "path": "/api/v1/pods"}', "it is no Kubernetes object with a name"),
    ('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x-{{client-id}}"}}', "Secrets are made by code"),
]


@pytest.mark.parametrize(("text", "reason"), LEFT_OUT)
def test_what_the_collection_does_itself_is_left_out(text: str, reason: str) -> None:
    assert convert([Source("x", "x.json", text)]).left_out[0][1].startswith(reason)


HOPELESS = [
    ("x.json", '{"a": 1\n "b": 2}', "x.json line 2: is not JSON: Expecting ',' delimiter. Correct it, then convert again."),
    ("x.yml", "a: b: c\n", "x.yml line 1: is not YAML: mapping values are not allowed"),
    ("x.yml", "{% if true %}\na: 1\n{% endif %}\n", "x.yml: holds Jinja statements"),
    (
        "x.json",
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shared"}}',
        "x.yml.j2 line 5: metadata.name is shared for every client.",
    ),
    (
        "x.json",
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "{{client-id}}"}, "spec": "{{nope-nope}}"}',
        "x.yml.j2 line 6: macro nope-nope",
    ),
]


@pytest.mark.parametrize(("name", "text", "said"), HOPELESS)
def test_what_cannot_be_mended_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        convert([Source("x", name, text)])
    assert caught.value.message.startswith(said)


def test_no_converted_template_names_a_secrets_value(conversion: Conversion, objects: dict[str, Any]) -> None:
    for one in conversion.converted:
        for macro in ("password }}", "secret-seed }}", "token }}", "rsa-content"):
            assert macro not in one.text
    assert "{{" not in " ".join(value for _place, value in texts_of(list(objects.values())))
