# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own requests, held by golden files; and what every request gets: labels, hashes, order.

`RARUS_LMS_GOLDEN=write pytest .../test_requests.py` writes the golden files anew; read their diff.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain import names
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.requests import compiled, render_requests
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import read_settings
from ansible_collections.rarus.lms.plugins.module_utils._domain.template_rules import containers_of, pod_template_of, texts_of
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import Source, find_sources

ROOT = Path(__file__).parents[5]
TEMPLATES = ROOT / "roles" / "requests" / "templates"
GOLDEN = Path(__file__).parent / "golden"
C42 = ClientId(42)

BASE: dict[str, Any] = {
    "lms_namespace_id": "lms-dev",
    "lms_docker_image": "registry.example/lms/backend:dev",
    "lms_sms4b_sender": "1C-RARUS",
    "lms_postgres_host": "postgres.example",
    "lms_postgres_client_image": "registry.example/tools/postgres-client:15",
    "lms_clickhouse_host": "clickhouse.example",
    "lms_clickhouse_client_image": "registry.example/tools/clickhouse-client:1",
    "lms_public_dns": "backend.lms-dev.example",
}
# Everything that a default leaves out, and every other branch of the templates.
FULL: dict[str, Any] = {
    "lms_publish": "httproute",
    "lms_gateway": {"namespace": "gateway", "name": "public", "section": "https"},
    "lms_database_prefix": "prod_",
    "lms_take_over": ["C42"],
    "lms_postgres_host": "fd00::7",
    "lms_postgres_sslmode": "verify-full",
    "lms_postgres_ca": {"name": "databases", "key": "ca.pem"},
    "lms_clickhouse_secure": True,
    "lms_clickhouse_port": 9440,
    "lms_clickhouse_ca": {"name": "databases", "key": "clickhouse.pem"},
    "lms_job_ttl_seconds": 3600,
    "lms_database_connect_seconds": 5,
    "lms_clickhouse_cluster": "main",
    "lms_static_volume": {"kind": "nfs"},
    "lms_nfs_server": "files.example",
    "lms_environment": {"LMS_SERVER_DEBUG": False, "FEATURE": 'a "quoted"\nvalue'},
    "lms_secret_environment": {"SMTP_PASSWORD": {"name": "smtp", "key": "password"}},
    "lms_liveness_probe": {"httpGet": {"path": "/healthz", "port": 8080}},
    "lms_startup_probe": {"tcpSocket": {"port": 8080}, "failureThreshold": 30},
    "lms_keys_rsa_path": "/run/keys/private.pem",
    "lms_rsa_key_mode": "0400",
    "lms_max_surge": "25%",
}
SPARSE: dict[str, Any] = {
    "lms_publish": "none",
    "lms_public_dns": "",
    "lms_pull_secret": {},
    "lms_node_affinity": {},
    "lms_static_volume": {"kind": "none"},
    "lms_readiness_probe": {},
    "lms_pre_stop_seconds": 0,
}
CASES = {"default": {}, "full": FULL, "sparse": SPARSE, "no-cors": {"lms_cors": False}}
# What a golden file holds; all kinds where none is named.
KINDS_OF_CASE = {"sparse": {"Deployment"}, "no-cors": {"Ingress"}}


def settings(**changes: Any) -> dict[str, Any]:
    return read_settings({**BASE, **changes}, catalogue="lms-dev")


def rendered(*clients: ClientId, fingerprints: dict[str, str] | None = None, stage: str = "", **changes: Any) -> list[dict[str, Any]]:
    return render_requests(compiled(find_sources(TEMPLATES)), clients or [C42], settings(**changes), fingerprints=fingerprints, stage=stage)


def objects(**more: Any) -> dict[str, dict[str, Any]]:
    """Return the objects of C42 by kind; a Job by its image's name."""
    found = {}
    for request in rendered(**more):
        obj = request["object"]
        kind = obj["kind"] if obj["kind"] != "Job" else obj["metadata"]["name"].rsplit("-", 1)[0]
        found[kind] = obj
    return found


class Readable(yaml.SafeDumper):
    """Writes a text of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Readable.add_representer(str, _text)


def _written(requests: list[dict[str, Any]]) -> str:
    parts = [yaml.dump(request["object"], Dumper=Readable, sort_keys=False, width=150) for request in requests]
    return "---\n" + "---\n".join(parts)


@pytest.mark.parametrize("case", CASES)
def test_the_requests_are_what_the_golden_files_say(case: str) -> None:
    path = GOLDEN / f"{case}.golden"
    requests = rendered(fingerprints={"C42": "fingerprint"}, **CASES[case])
    kinds = KINDS_OF_CASE.get(case) or {request["object"]["kind"] for request in requests}
    found = _written([request for request in requests if request["object"]["kind"] in kinds])
    if os.environ.get("RARUS_LMS_GOLDEN") == "write":
        path.write_text(found)
    assert found == path.read_text()


def test_names_are_those_of_the_names_module() -> None:
    found = {**objects(), **objects(**FULL)}
    assert {kind: obj["metadata"]["name"] for kind, obj in found.items() if obj["kind"] != "Job"} == {
        "ConfigMap": names.config_name(C42),
        "Service": names.service_name(C42),
        "Ingress": names.ingress_name(C42),
        "HTTPRoute": names.route_name(C42),
        "Deployment": names.deployment_name(C42),
    }
    assert {names.postgres_job_base(C42), names.clickhouse_job_base(C42)} <= set(found)
    secrets = {value for _place, value in texts_of(found["Deployment"]) if "secret" in value or "credentials" in value}
    assert {names.credentials_secret_name(C42), names.rsa_secret_name(C42)} <= secrets


def test_every_object_says_whose_it_is_and_what_it_was_made_of() -> None:
    for request in rendered(**FULL):
        metadata = request["object"]["metadata"]
        assert names.is_ours(request["object"], C42)
        assert len(metadata["annotations"][names.HASH]) == 64
        assert metadata["namespace"] == "lms-dev"
        pods = pod_template_of(request["object"])
        assert pods is None or names.labels(C42).items() <= pods["metadata"]["labels"].items()


def test_the_selector_is_only_what_never_changes() -> None:
    found = objects()
    assert found["Deployment"]["spec"]["selector"] == {"matchLabels": {"app": "C42-lms"}}
    assert found["Service"]["spec"]["selector"] == {"app": "C42-lms"}


def test_no_job_pod_is_behind_the_service() -> None:
    for obj in objects().values():
        if obj["kind"] == "Job":
            assert "app" not in obj["spec"]["template"]["metadata"]["labels"]


def test_what_others_refer_to_comes_first() -> None:
    found = [(request["client"], request["stage"], request["object"]["kind"]) for request in rendered(C42, ClientId(7))]
    stages = [("databases", "Job")] * 2 + [("environment", kind) for kind in ("ConfigMap", "Service", "Ingress", "Deployment")]
    assert found == [(client, *stage) for client in ("C42", "C7") for stage in stages]


@pytest.mark.parametrize(("publish", "kinds"), [("ingress", {"Ingress"}), ("httproute", {"HTTPRoute"}), ("none", set())])
def test_publishing_is_one_of_its_forms(publish: str, kinds: set[str]) -> None:
    gateway = {"namespace": "gateway", "name": "public"}
    assert set(objects(lms_publish=publish, lms_gateway=gateway)) & {"Ingress", "HTTPRoute"} == kinds


def test_a_jobs_name_is_its_content() -> None:
    def jobs(**more: Any) -> list[str]:
        return [request["object"]["metadata"]["name"] for request in rendered(stage="databases", **more)]

    first = jobs(fingerprints={"C42": "a"})
    assert first == jobs(fingerprints={"C42": "a"})
    for name, base in zip(first, (names.clickhouse_job_base(C42), names.postgres_job_base(C42)), strict=True):
        assert name.startswith(base + "-")
        assert len(name) == len(base) + 9
    assert not set(first) & set(jobs(fingerprints={"C42": "b"}))
    assert not set(first) & set(jobs(fingerprints={"C42": "a"}, lms_catalogue="other"))
    assert first[0] == jobs(fingerprints={"C42": "a"}, lms_postgres_port=6432)[0]


CHANGES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("a variable rolls the pods out", {"lms_keys_token_ttl_hours": 9}, {"ConfigMap", "Deployment"}),
    ("an image does too", {"lms_docker_image": "registry.example/lms/backend:2.0"}, {"Deployment"}),
    ("the public name touches the path alone", {"lms_public_dns": "other.example"}, {"Ingress"}),
    ("a Job's image touches that Job", {"lms_postgres_client_image": "registry.example/tools/postgres-client:16"}, {"postgres-setup-c42"}),
    ("Jobs stay as long as is asked for", {"lms_job_ttl_seconds": 60}, {"postgres-setup-c42", "clickhouse-setup-c42"}),
    ("both wait as long for a connection", {"lms_database_connect_seconds": 3}, {"postgres-setup-c42", "clickhouse-setup-c42"}),
]


@pytest.mark.parametrize(("_why", "change", "expected"), CHANGES)
def test_a_setting_changes_only_what_it_is_for(_why: str, change: dict[str, Any], expected: set[str]) -> None:
    before, after = objects(), objects(**change)
    assert {kind for kind in after if after[kind] != before[kind]} == expected


def test_an_authority_of_clickhouse_is_trusted_by_the_job_and_the_back_end() -> None:
    changes = {"lms_clickhouse_secure": True, "lms_clickhouse_ca": {"name": "databases", "key": "clickhouse.pem"}}
    found, own = objects(**changes), objects(**changes, lms_environment={"SSL_CERT_DIR": "/own"})
    volume = {"configMap": {"name": "databases", "items": [{"key": "clickhouse.pem", "path": "ca.crt"}]}}
    for kind, place in (("clickhouse-setup-c42", "/run/lms/ca"), ("Deployment", "/etc/lms-clickhouse-ca")):
        spec = found[kind]["spec"]["template"]["spec"]
        (name,) = (mount["name"] for mount in spec["containers"][0]["volumeMounts"] if mount["mountPath"] == place)
        assert {"name": name, **volume} in spec["volumes"]
    config = next(one["value"] for one in spec_env(found["clickhouse-setup-c42"]) if one["name"] == "CLIENT_CONFIG")
    assert "<caConfig>/run/lms/ca/ca.crt</caConfig><verificationMode>strict</verificationMode>" in config
    assert found["ConfigMap"]["data"]["SSL_CERT_DIR"] == "/etc/ssl/certs:/etc/lms-clickhouse-ca"
    assert own["ConfigMap"]["data"]["SSL_CERT_DIR"] == "/own"
    assert "SSL_CERT_DIR" not in objects()["ConfigMap"]["data"]


def spec_env(obj: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the environment of a workload's one container."""
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    return list(container["env"])


def test_pods_roll_out_with_their_credentials_and_their_own_config_alone() -> None:
    def checksum(sources: list[Source], fingerprint: str = "a") -> str:
        requests = render_requests(compiled(sources), [C42], settings(), fingerprints={"C42": fingerprint})
        (found,) = (request["object"] for request in requests if request["object"]["kind"] == "Deployment")
        return str(found["spec"]["template"]["metadata"]["annotations"][names.CHECKSUM])

    sources = find_sources(TEMPLATES)
    other = Source("other", "other.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'other-{{ client-name }}'}\ndata: {a: b}\n")
    assert checksum(sources) == checksum([*sources, other])
    assert checksum(sources) != checksum(sources, "b")


def test_a_clients_own_settings_hold_for_it_alone() -> None:
    own = {"C42": {"docker_image": "registry.example/lms/backend:2.0", "publish": "none"}}
    found = rendered(C42, ClientId(7), lms_client_settings=own)
    images = {r["client"]: containers_of(r["object"]["spec"]["template"])[0]["image"] for r in found if r["object"]["kind"] == "Deployment"}
    assert images == {"C42": "registry.example/lms/backend:2.0", "C7": "registry.example/lms/backend:dev"}
    assert [request["client"] for request in found if request["object"]["kind"] == "Ingress"] == ["C7"]


def test_pods_pass_pod_security_restricted() -> None:
    for case in CASES.values():
        for obj in objects(**case).values():
            template = pod_template_of(obj)
            if template is None:
                continue
            spec = template["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert (spec["enableServiceLinks"], spec["automountServiceAccountToken"]) == (False, False)
            for container in containers_of(template):
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]
            volumes = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
            assert volumes <= {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim"} | (
                {"nfs"} if case is FULL else set()
            )


@pytest.mark.parametrize("job", ["postgres-setup-c42", "clickhouse-setup-c42"])
def test_a_jobs_script_is_a_shells_and_holds_no_value(job: str) -> None:
    full = objects(**FULL)[job]["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert full == objects()[job]["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert full.startswith("set -euo pipefail\n")
    subprocess.run(["bash", "-n"], input=full, text=True, check=True)


@pytest.mark.parametrize(("job", "other"), [("postgres-setup-c42", "clickhouse"), ("clickhouse-setup-c42", "postgres")])
def test_a_job_mounts_the_logins_of_its_database_alone_and_only_those_in_use_must_be_there(job: str, other: str) -> None:
    spec = objects()[job]["spec"]["template"]["spec"]
    keys = {value for _place, value in texts_of(spec["volumes"])}
    assert not [key for key in keys if key.startswith(other)]
    assert "keys-secret-seed" not in keys
    assert not [entry for container in spec["containers"] for entry in container["env"] if "secretKeyRef" in entry.get("valueFrom", {})]
    (credentials,) = (volume["projected"] for volume in spec["volumes"] if volume["name"] == "credentials")
    needed = {
        item["key"] for source in credentials["sources"] if not source["secret"].get("optional") for item in source["secret"]["items"]
    }
    assert not [key for key in needed if "-next-" in key or "-previous-" in key]
    assert f"{job.partition('-')[0]}-user" in needed


FAULTY: list[tuple[str, str, str]] = [
    (
        "service.yml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: lms-service-{{client-id}}\n",
        "service.yml line 4: metadata.name is lms-service-C42: a",
    ),
    (
        "service.json",
        '{"apiVersion": "v1",\n "kind": "Service",\n "metadata": {"name": "{{client-id}}"}}',
        "service.json line 3: metadata.name is C42",
    ),
    ("service.yml", "", "service.yml line 1: is empty."),
    ("service.yml", "# nothing\n", "service.yml line 1: is empty."),
    ("service.yml", "- a\n", "service.yml line 1: is a list."),
    (
        "x.yml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: lms-service-{{ client-name }}\n",
        "x.yml line 4: Service lms-service-c42 is made by ",
    ),
    (
        "x.yml",
        "kind: ConfigMap\napiVersion: v1\nmetadata:\n  namespace: lms-prod\n  name: {{ client-name }}\n",
        "x.yml line 4: metadata.namespace is lms-prod",
    ),
    (
        "x.yml",
        "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: lms-config-c7\n",
        "x.yml line 4: metadata.name is lms-config-c7, which is client C7's.",
    ),
    ("x.yml", "a: b: c\n", "x.yml line 1: is not YAML"),
]


@pytest.mark.parametrize(("name", "text", "begins"), FAULTY)
def test_a_faulty_template_is_refused_with_file_and_line(tmp_path: Path, name: str, text: str, begins: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        render_requests(compiled(find_sources(TEMPLATES, tmp_path)), [C42], settings())
    assert caught.value.message.startswith(f"{tmp_path}/{begins}")


def test_the_faults_of_all_templates_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("kind: A\n")
    (tmp_path / "b.yml").write_text("a: b: c\n")
    with pytest.raises(InputError) as caught:
        render_requests(compiled(find_sources(TEMPLATES, tmp_path)), [C42, ClientId(7)], settings())
    lines = caught.value.message.splitlines()
    assert lines[0] == "3 faults in the request templates, nothing was sent:"
    assert [line.split("/")[-1].split(":")[0] for line in lines[1:]] == ["a.yml line 1", "a.yml line 1", "b.yml line 1"]
    assert caught.value.data["problems"] == [line.strip() for line in lines[1:]]


MEASURE = """
import sys, time
sys.path[:0] = sys.argv[1:3]
import test_requests as own
import yaml
templates = own.compiled(own.find_sources(own.TEMPLATES))
clients, settings = [own.ClientId(number) for number in range(1, 118)], own.settings()
begun = time.process_time()
requests = own.render_requests(templates, clients, settings)
rendered = time.process_time()
texts = [yaml.dump(request["object"], Dumper=yaml.CSafeDumper) for request in requests]
dumped = time.process_time()
for text in texts:
    yaml.load(text, Loader=yaml.CSafeLoader)
print(len(requests), rendered - begun, time.process_time() - dumped)
"""


def test_a_template_is_compiled_once_in_a_process() -> None:
    first, second = (compiled(find_sources(TEMPLATES)) for _time in range(2))
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_seven_hundred_requests_take_less_time_than_to_parse_their_yaml() -> None:
    """Which rendering each of them by itself would take at least; 0.3 to 0.6 of it were seen."""
    path = [str(Path(__file__).parent), str(ROOT / "playbooks" / "collections")]
    done = subprocess.run([sys.executable, "-c", MEASURE, *path], capture_output=True, text=True, check=True)
    count, rendering, parsing = map(float, done.stdout.split())
    assert count >= 700
    assert rendering < parsing
