# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adoption on a real cluster: an environment that was made by hand, with databases that hold something, keeps all that it has."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.backend import BACKEND_SETTINGS
from support.ids import fresh
from support.lab import Lab, Prepared
from support.runs import Run, until

SPACE = "lms-dev"
ID = fresh()
NAME = ID.lower()
HOST = "backend.lms-dev.example"
SEED = secrets.token_hex(64)
PASSWORDS = {"postgres": "Canary" + secrets.token_hex(12), "clickhouse": "Canary" + secrets.token_hex(12)}
VARIABLES = {
    **BACKEND_SETTINGS,
    "LMS_CLIENT_ID": ID,
    "LMS_KEYS_SECRET_SEED": SEED,
    "LMS_NOTIFICATIONS_SMS4B_TOKEN": "CanaryOfTheSmsToken",
    "LMS_STORAGE_CLICKHOUSE_DSN": f"clickhouse://{NAME}:{PASSWORDS['clickhouse']}@clickhouse.lms-dev.example:9000/{NAME}",
    "LMS_STORAGE_POSTGRES_DSN": f"postgres://{NAME}:{PASSWORDS['postgres']}@postgres.lms-dev.example:5432/{NAME}?sslmode=disable",
}


def objects(key: str) -> list[dict[str, Any]]:
    """Return the requests of the source as somebody sends them by hand, as far as this cluster lets them in."""
    app = {"app": f"{ID}-lms"}
    container = {
        "name": NAME,
        "image": "registry.example/lms/backend:dev",
        "imagePullPolicy": "Always",
        "ports": [{"name": "8080tcp", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}},
        "envFrom": [{"configMapRef": {"name": f"lms-config-{NAME}"}}],
        "volumeMounts": [{"name": "key", "mountPath": "/etc/lms"}, {"name": "files", "mountPath": "/mnt/image/static", "subPath": ID}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "containers": [container],
        "imagePullSecrets": [{"name": "repository-token"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [
            {"name": "files", "persistentVolumeClaim": {"claimName": "lms-static"}},
            {"name": "key", "secret": {"secretName": f"rsa-secret-{NAME}", "defaultMode": 0o440}},
        ],
    }
    deployment = {"replicas": 1, "selector": {"matchLabels": app}, "template": {"metadata": {"labels": app}, "spec": pod}}
    port = {"protocol": "TCP", "port": 8080, "targetPort": 8080}
    backend = {"service": {"name": f"lms-service-{NAME}", "port": {"number": 8080}}}
    path = {"path": f"/{ID}(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": backend}
    rewrite = {"nginx.ingress.kubernetes.io/use-regex": "true", "nginx.ingress.kubernetes.io/rewrite-target": "/$2"}
    route = {"ingressClassName": "nginx", "rules": [{"host": HOST, "http": {"paths": [path]}}]}
    route["tls"] = [{"hosts": [HOST], "secretName": "tls"}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"lms-config-{NAME}"}, "data": VARIABLES},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"rsa-secret-{NAME}"}, "stringData": {"rsa_key": key}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"lms-service-{NAME}"}, "spec": {"selector": app, "ports": [port]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"lms-deployment-{NAME}", "labels": app}, "spec": deployment},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": f"client-lms-ingress-{NAME}", "annotations": rewrite},
            "spec": route,
        },
    ]


def psql(lab: Lab, user: str, password: str, database: str, statement: str) -> str:
    """Run one statement over TCP; return what it prints."""
    server = lab.facts["postgres"]["15"]
    command = ["psql", "-XAtq", "-h", server["host"], "-p", str(server["port"]), "-U", user, "-d", database, "-c", statement]
    return lab.run(*command, env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}).stdout.strip()


def clickhouse(lab: Lab, user: str, password: str, statement: str, folder: Path) -> str:
    """Run one statement with the lab's clickhouse-client; return what it prints."""
    server, config = lab.facts["clickhouse"], folder / "client.xml"
    config.write_text(f"<config><user>{user}</user><password>{password}</password></config>")
    where = ["--config-file", str(config), "--host", server["host"], "--port", str(server["port"])]
    return lab.run("clickhouse-client", *where, "--query", statement).stdout.strip()


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """Provide the namespace lms-dev."""
    return lab.prepare()


@pytest.fixture(scope="module")
def by_hand(dev: Prepared, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make databases with a row each and an environment that serves; return its private key."""
    login = lab.facts["postgres"]["15"]["superuser"]
    admin = (login["user"], lab.secret(login["password_file"]))
    psql(lab, *admin, "postgres", f"CREATE USER {NAME} WITH PASSWORD '{PASSWORDS['postgres']}'")
    psql(lab, *admin, "postgres", f"CREATE DATABASE {NAME} OWNER {NAME}")
    psql(lab, *admin, NAME, 'CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"')
    psql(lab, NAME, PASSWORDS["postgres"], NAME, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('postgres')")
    server, folder = lab.facts["clickhouse"]["admin"], tmp_path_factory.mktemp("by-hand")
    root = (server["user"], lab.secret(server["password_file"]))
    for statement in (
        f"CREATE DATABASE {NAME}",
        f"CREATE USER {NAME} IDENTIFIED BY '{PASSWORDS['clickhouse']}'",
        f"GRANT ALL ON {NAME}.* TO {NAME}",
        "GRANT POSTGRES ON *.* TO " + NAME + " WITH GRANT OPTION",
        "GRANT CREATE TEMPORARY TABLE ON *.* TO " + NAME + " WITH GRANT OPTION",
    ):
        clickhouse(lab, *root, statement, folder)
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True, text=True).stdout
    items = {"apiVersion": "v1", "kind": "List", "items": objects(key)}
    lab.kubectl("apply", "-n", SPACE, "-f", "-", text=json.dumps(items))
    lab.kubectl("rollout", "status", f"deployment/lms-deployment-{NAME}", "-n", SPACE, "--timeout=120s")
    return key


def pods(lab: Lab) -> list[tuple[str, str, int]]:
    """Return name, uid and restarts of the client's pods."""
    found = lab.get("pods", namespace=SPACE, selector=f"app={ID}-lms")["items"]
    return sorted((pod["metadata"]["name"], pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in found)


def credentials(lab: Lab) -> dict[str, str]:
    data = lab.get("secret", f"lms-credentials-{NAME}", SPACE)["data"]
    return {key: base64.b64decode(value).decode("latin-1") for key, value in data.items()}


def canaries(text: str) -> list[str]:
    planted = ["Canary", SEED[:20], *PASSWORDS.values()]
    return [word for word in planted if word in text]


def test_a_provisioning_refuses_what_was_made_by_hand(by_hand: str, dev: Prepared) -> None:
    done = dev.provision(ID, check=False)
    assert done.returncode != 0
    assert f"is taken by Ingress {SPACE}/client-lms-ingress-{NAME}" in done.stdout + done.stderr
    assert f"adopt_client.yml -e client={ID}" in " ".join((done.stdout + done.stderr).split())


def test_a_dry_run_tells_and_writes_nothing(by_hand: str, dev: Prepared, lab: Lab) -> None:
    before = lab.get("deployment", f"lms-deployment-{NAME}", SPACE)["metadata"]["resourceVersion"]
    done = dev.playbook("adopt_client", "-e", f"client={ID}", "--check", "--diff", "-vvv")
    assert f"{ID} would be adopted in {SPACE}" in done.stdout
    assert "data.LMS_KEYS_SECRET_SEED" in done.stdout
    assert canaries(done.stdout + done.stderr) == []
    assert lab.get("secret", f"lms-credentials-{NAME}", SPACE) == {}
    assert lab.get("configmap", f"lms-client-{NAME}", SPACE) == {}
    assert lab.get("deployment", f"lms-deployment-{NAME}", SPACE)["metadata"]["resourceVersion"] == before


def test_adoption_keeps_every_value_and_every_pod(by_hand: str, dev: Prepared, lab: Lab) -> None:
    before, key = pods(lab), lab.get("secret", f"rsa-secret-{NAME}", SPACE)["data"]
    spec = lab.get("deployment", f"lms-deployment-{NAME}", SPACE)["spec"]
    lab.hold(ID, SPACE, "anna@desk")
    run = Run(dev, "adopt_client", "-vvv", client=ID, organisation="Romashka")
    until(lambda: f"{ID} is held by anna@desk since" in run.output, "a run that waits for another")
    assert lab.get("secret", f"lms-credentials-{NAME}", SPACE) == {}
    lab.release(ID, SPACE)
    code, output = run.ended()
    assert (code, f"{ID} is adopted in {SPACE}" in output) == (0, True), output
    assert canaries(output) == []
    values = credentials(lab)
    assert (values["keys-secret-seed"], values["postgres-password"]) == (SEED, PASSWORDS["postgres"])
    assert (values["clickhouse-user"], values["clickhouse-password"]) == (NAME, PASSWORDS["clickhouse"])
    assert lab.get("secret", f"rsa-secret-{NAME}", SPACE)["data"] == key
    assert base64.b64decode(key["rsa_key"]).decode() == by_hand
    record = lab.get("configmap", f"lms-client-{NAME}", SPACE)["data"]
    assert (record["credentials"], record["organisation"], record["epoch"]) == ("made", "Romashka", "1")
    assert lab.get("lease", f"lms-client-{NAME}", SPACE)["spec"].get("holderIdentity", "") == ""
    assert pods(lab) == before
    deployment = lab.get("deployment", f"lms-deployment-{NAME}", SPACE)
    assert deployment["spec"] == spec
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


def test_a_second_adoption_writes_nothing(by_hand: str, dev: Prepared, lab: Lab) -> None:
    before = lab.get("configmap", f"lms-config-{NAME}", SPACE)["metadata"]["resourceVersion"]
    assert "is adopted" not in dev.playbook("adopt_client", "-e", f"client={ID}").stdout
    assert lab.get("configmap", f"lms-config-{NAME}", SPACE)["metadata"]["resourceVersion"] == before


def test_databases_without_a_mark_are_taken_over_by_name_alone(by_hand: str, dev: Prepared) -> None:
    done = dev.provision(ID, check=False)
    assert done.returncode == 2
    assert f"Add {ID} to lms_take_over to take it over" in " ".join((done.stdout + done.stderr).split())


def test_provisioning_brings_the_objects_to_the_requests_and_keeps_the_values(
    by_hand: str, dev: Prepared, lab: Lab, tmp_path: Path
) -> None:
    done = dev.provision(ID, "-e", json.dumps({"lms_take_over": [ID]}))
    assert f"{ID} is ready" in done.stdout
    values = credentials(lab)
    assert (values["keys-secret-seed"], values["postgres-password"]) == (SEED, PASSWORDS["postgres"])
    assert psql(lab, NAME, PASSWORDS["postgres"], NAME, "SELECT word FROM kept") == "postgres"
    assert clickhouse(lab, NAME, PASSWORDS["clickhouse"], "SELECT currentUser()", tmp_path) == NAME
    assert json.loads(lab.curl(f"https://{HOST}/{ID}/").stdout)["client"] == ID
    for kind, name in (("configmap", f"lms-config-{NAME}"), ("deployment", f"lms-deployment-{NAME}")):
        assert canaries(json.dumps(lab.get(kind, name, SPACE))) == [], f"{kind} {name} still holds what is secret"
    volumes = lab.get("deployment", f"lms-deployment-{NAME}", SPACE)["spec"]["template"]["spec"]["volumes"]
    assert sorted(volume["name"] for volume in volumes) == ["rsa-key", "static"]


def test_afterwards_it_is_a_client_like_any_other(by_hand: str, dev: Prepared) -> None:
    assert "nothing changed" in dev.provision(ID, "-e", json.dumps({"lms_take_over": [ID]})).stdout
    again = dev.provision(ID).stdout
    assert (f"{ID} is ready" in again, "cannot change its comment" in again) == (True, False)
    assert "nothing changed" in dev.provision(ID).stdout
    assert "adopted" not in dev.playbook("adopt_client", "-e", f"client={ID}").stdout
