# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on a real cluster: a client is provisioned, once, again, changed, published both ways, and killed half way."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
from support.asking import asked_all_the_time
from support.deployer import Audit, audit_of
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared

ID = fresh()
NAME = ID.lower()


def environment_writes(audit: Audit) -> set[str]:
    """Return what was written of the client's environment: not its record, and not its Lease."""
    return {write for write in audit.writes() if not write.endswith(f"/lms-client-{NAME}")}


def secret(lab: Lab, namespace: str, name: str) -> dict[str, str]:
    """Return a Secret's values as text, read as the administrator."""
    data = lab.get("secret", name, namespace)["data"]
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def psql(lab: Lab, user: str, password: str, database: str, statement: str) -> subprocess.CompletedProcess[str]:
    """Run one statement as a client would, over TCP."""
    server = lab.facts["postgres"]["15"]
    command = ["psql", "-XAtq", "-h", server["host"], "-p", str(server["port"]), "-U", user, "-d", database, "-c", statement]
    return lab.run(*command, env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}, check=False)


def clickhouse(lab: Lab, user: str, password: str, statement: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run one statement with the lab's clickhouse-client."""
    server = lab.facts["clickhouse"]
    config = tmp_path / "client.xml"
    config.write_text(f"<config><user>{user}</user><password>{password}</password></config>")
    return lab.run(
        "clickhouse-client",
        "--config-file",
        str(config),
        "--host",
        server["host"],
        "--port",
        str(server["port"]),
        "--query",
        statement,
        check=False,
    )


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """The namespace lms-dev, with the superuser of PostgreSQL; published by Ingress."""
    return lab.prepare()


@pytest.fixture(scope="module")
def prod(lab: Lab) -> Prepared:
    """The namespace lms-prod, with the administrator that has only CREATEROLE and CREATEDB; published by HTTPRoute."""
    return lab.prepare(ROOT / "inventories" / "lms-prod", namespace="lms-prod", admin="createrole")


@pytest.fixture(scope="module")
def first(dev: Prepared) -> str:
    """What the operator read when a new client was provisioned in lms-dev."""
    done = dev.provision(ID)
    return done.stdout


def test_the_operator_reads_ready_with_address_image_and_seconds(first: str) -> None:
    assert re.search(rf"{ID} is ready after [0-9.]+ s +https://backend\.lms-dev\.example/{ID}/", first)
    assert re.search(r"registry\.example/lms/backend:dev@sha256:[0-9a-f]+", first)
    for stage in ("preflight", "client", "credentials", "databases", "environment", "rollout"):
        assert re.search(rf"^  {stage} .* [0-9.]+ s", first, re.MULTILINE), f"no line of stage {stage}:\n{first}"
    assert first.startswith("  preflight ")


def test_the_public_path_serves_the_client_with_its_prefix_taken_off(first: str, lab: Lab) -> None:
    shown = json.loads(lab.curl(f"https://backend.lms-dev.example/{ID}/").stdout)
    assert shown["client"] == ID
    assert json.loads(lab.curl(f"https://backend.lms-dev.example/{ID}/echo").stdout)["path"] == "/echo"
    assert lab.curl(f"https://backend.lms-dev.example/{ID}x", "-o", "/dev/null", "-w", "%{http_code}").stdout == "404"


def headers(lab: Lab, *options: str) -> dict[str, str]:
    """Return the headers, in lower case, that a browser of another origin gets from the client's public path; status is one of them."""
    options = ("-D", "-", "-o", "/dev/null", "-H", "Origin: https://app.example", *options)
    status, *lines = lab.curl(f"https://backend.lms-dev.example/{ID}/", *options).stdout.strip().splitlines()
    return {"status": status.split()[1], **{name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}}


def words(text: str) -> set[str]:
    """Return the words of a list in a header."""
    return {word.strip().lower() for word in text.split(",")}


def test_cors_is_answered_before_a_request_and_with_it(first: str, lab: Lab) -> None:
    asks = (
        "-X",
        "OPTIONS",
        "-H",
        "Access-Control-Request-Method: PUT",
        "-H",
        "Access-Control-Request-Headers: authorization,x-customheader",
    )
    before = headers(lab, *asks)
    assert before["status"] in ("200", "204")
    assert before["access-control-allow-origin"] in ("*", "https://app.example")
    assert words(before["access-control-allow-methods"]) == {"get", "put", "post", "options", "delete"}
    assert words(before["access-control-allow-headers"]) == {
        "dnt", "x-customheader", "keep-alive", "user-agent", "x-requested-with", "if-modified-since", "cache-control", "content-type",
        "authorization",
    }  # fmt: skip
    with_it = headers(lab)
    assert (with_it["status"], with_it["access-control-allow-origin"]) in (("200", "*"), ("200", "https://app.example"))
    assert words(with_it["access-control-expose-headers"]) == {"content-length", "content-range"}


def test_the_generated_logins_open_the_client_s_own_databases(first: str, lab: Lab, tmp_path: Path) -> None:
    values = secret(lab, "lms-dev", f"lms-credentials-{NAME}")
    postgres = psql(lab, values["postgres-user"], values["postgres-password"], NAME, "SELECT extname FROM pg_extension ORDER BY 1")
    assert postgres.stdout.split() == ["pgcrypto", "plpgsql", "uuid-ossp"], postgres.stderr
    owner = f"SELECT pg_get_userbyid(datdba), rolsuper FROM pg_database, pg_roles WHERE datname = '{NAME}' AND rolname = '{NAME}'"
    assert psql(lab, NAME, values["postgres-password"], NAME, owner).stdout.strip() == f"{NAME}|f"
    shown = clickhouse(lab, values["clickhouse-user"], values["clickhouse-password"], "SHOW GRANTS", tmp_path)
    assert shown.returncode == 0, shown.stderr
    for grant in (f"ON {NAME}.*", "CREATE TEMPORARY TABLE", "POSTGRES", "WITH GRANT OPTION"):
        assert grant in shown.stdout


def test_another_client_is_refused_at_both_doors(first: str, dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    other = fresh()
    dev.provision(other)
    values = secret(lab, "lms-dev", f"lms-credentials-{other.lower()}")
    refused = psql(lab, other.lower(), values["postgres-password"], NAME, "SELECT 1")
    assert refused.returncode == 2
    assert f'permission denied for database "{NAME}"' in refused.stderr
    denied = clickhouse(lab, other.lower(), values["clickhouse-password"], f"CREATE TABLE {NAME}.stolen (a Int8) ENGINE = Memory", tmp_path)
    assert denied.returncode != 0
    assert "497" in denied.stderr


def test_a_second_run_writes_nothing_and_says_so(first: str, dev: Prepared) -> None:
    audit = audit_of(dev)
    done = dev.provision(ID)
    assert audit.writes() == []
    assert len(done.stdout.splitlines()) == 1
    assert re.search(rf"^{ID} is ready, nothing changed \([0-9.]+ s\) +https://backend\.lms-dev\.example/{ID}/$", done.stdout, re.MULTILINE)


def test_status_shows_the_state_and_writes_nothing(first: str, dev: Prepared) -> None:
    audit = audit_of(dev)
    done = dev.playbook("status_client", "-e", f"client={ID}")
    assert audit.writes() == []
    assert f"{ID} in lms-dev is ready" in done.stdout


def test_a_changed_setting_writes_only_what_it_changes(first: str, dev: Prepared) -> None:
    audit = audit_of(dev)
    assert dev.provision(ID, "-e", "lms_sms4b_passcode_lifetime_seconds=180").stdout.count("  preflight ") == 1
    assert {write for write in audit.writes() if not write.endswith(f"/lms-client-{NAME}")} == {
        f"patch configmaps/lms-config-{NAME}",
        f"patch deployments/lms-deployment-{NAME}",
    }
    audit = audit_of(dev)
    dev.provision(ID)
    assert {write.partition("/")[0] for write in audit.writes() if not write.endswith(f"/lms-client-{NAME}")} == {
        "patch configmaps",
        "patch deployments",
    }


def test_a_hand_edit_is_taken_back_and_named(first: str, dev: Prepared, lab: Lab) -> None:
    lab.kubectl("scale", "deployment", f"lms-deployment-{NAME}", "-n", "lms-dev", "--replicas=2")
    shown = dev.provision(ID).stdout
    assert lab.get("deployment", f"lms-deployment-{NAME}", "lms-dev")["spec"]["replicas"] == 1
    assert f"lms-deployment-{NAME}" in shown
    assert "spec.replicas" in shown


def test_a_changed_secret_of_the_operator_rolls_the_pods_out_and_nothing_else_does(first: str, dev: Prepared, lab: Lab) -> None:
    lab.kubectl("label", "secret", "sms4b", "-n", "lms-dev", "team=a")
    audit = audit_of(dev)
    dev.provision(ID)
    assert audit.writes() == []
    token = base64.b64encode(b"another token").decode()
    lab.kubectl("patch", "secret", "sms4b", "-n", "lms-dev", "-p", json.dumps({"data": {"token": token}}))
    dev.provision(ID)
    assert environment_writes(audit) == {f"patch deployments/lms-deployment-{NAME}"}


def test_a_changed_value_of_a_free_secret_variable_rolls_the_pods_out(first: str, dev: Prepared, lab: Lab) -> None:
    word = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own-word", "namespace": "lms-dev"}, "stringData": {"word": "one"}}
    lab.kubectl("apply", "-f", "-", text=json.dumps(word))
    own = ("-e", json.dumps({"lms_secret_environment": {"LMS_WORD": {"name": "own-word", "key": "word"}}}))
    dev.provision(ID, *own)
    lab.kubectl("apply", "-f", "-", text=json.dumps({**word, "stringData": {"word": "two"}}))
    audit = audit_of(dev)
    dev.provision(ID, *own)
    assert environment_writes(audit) == {f"patch deployments/lms-deployment-{NAME}"}
    dev.provision(ID)


def rolled_twice(prepared: Prepared, client: str) -> None:
    """Update a client to the next image and back, and lose no request meanwhile."""
    with asked_all_the_time(prepared.lab, f"https://backend.{prepared.namespace}.example/{client}/db") as answers:
        prepared.provision(client, "-e", f"lms_docker_image={prepared.lab.facts['images']['backend_next']}")
        prepared.provision(client)
    assert (set(answers), answers["200"] > 50) == ({"200"}, True), answers


def test_a_rolling_update_loses_no_request(first: str, dev: Prepared) -> None:
    rolled_twice(dev, ID)


def test_a_deleted_secret_stops_the_run_and_is_not_made_anew(dev: Prepared, lab: Lab) -> None:
    client = fresh()
    dev.provision(client)
    kept = lab.get("secret", f"lms-credentials-{client.lower()}", "lms-dev")
    lab.kubectl("delete", "secret", f"lms-credentials-{client.lower()}", "-n", "lms-dev")
    audit = audit_of(dev)
    failed = dev.provision(client, check=False)
    assert failed.returncode == 2
    assert f"Secret lms-dev/lms-credentials-{client.lower()} is missing" in failed.stdout
    assert audit.writes() == []
    metadata = {key: kept["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    lab.kubectl("create", "-f", "-", text=json.dumps({**kept, "metadata": metadata}))
    assert f"{client} is ready" in dev.provision(client).stdout


def test_the_same_id_in_two_catalogues_on_one_server_is_refused_unless_prefixed(first: str, prod: Prepared, lab: Lab) -> None:
    refused = prod.provision(ID, "-e", "lms_database_prefix=''", check=False)
    assert refused.returncode == 2
    assert "catalogue=lms-dev" in refused.stdout
    assert "lms_take_over" in refused.stdout


def test_httproute_serves_with_the_other_administrator(prod: Prepared, lab: Lab) -> None:
    client = fresh()
    shown = prod.provision(client).stdout
    assert f"{client} is ready" in shown
    assert json.loads(lab.curl(f"https://backend.lms-prod.example/{client}/").stdout)["client"] == client
    assert lab.curl(f"https://backend.lms-prod.example/{client}x", "-o", "/dev/null", "-w", "%{http_code}").stdout == "404"
    values = secret(lab, "lms-prod", f"lms-credentials-{client.lower()}")
    extensions = psql(
        lab, f"prod_{client.lower()}", values["postgres-password"], f"prod_{client.lower()}", "SELECT extname FROM pg_extension ORDER BY 1"
    )
    assert extensions.stdout.split() == ["pgcrypto", "plpgsql", "uuid-ossp"], extensions.stderr
    rolled_twice(prod, client)


def test_both_catalogues_have_the_same_id_on_one_cluster_and_one_server(dev: Prepared, prod: Prepared, lab: Lab, tmp_path: Path) -> None:
    client = fresh()
    name = client.lower()
    databases = {"lms-dev": name, "lms-prod": f"prod_{name}"}
    for prepared in (dev, prod):
        assert f"{client} is ready" in prepared.provision(client).stdout
        logins = json.loads(lab.curl(f"https://backend.{prepared.namespace}.example/{client}/db").stdout)
        assert {one["database"] for one in logins.values()} == {databases[prepared.namespace]}, logins
    found = {space: secret(lab, space, f"lms-credentials-{name}") for space in databases}
    for space, other in (("lms-dev", "lms-prod"), ("lms-prod", "lms-dev")):
        own, theirs, values = databases[space], databases[other], found[space]
        opened = psql(lab, own, values["postgres-password"], own, "SELECT current_user, current_database()")
        assert opened.stdout.strip() == f"{own}|{own}", opened.stderr
        assert (
            clickhouse(lab, own, values["clickhouse-password"], f"CREATE TABLE {own}.mine (a Int8) ENGINE = Memory", tmp_path).returncode
            == 0
        )
        refused = psql(lab, own, values["postgres-password"], theirs, "SELECT 1")
        assert (refused.returncode, f'permission denied for database "{theirs}"' in refused.stderr) == (2, True), refused.stderr
        refused = psql(lab, theirs, values["postgres-password"], theirs, "SELECT 1")
        assert (refused.returncode, "password authentication failed" in refused.stderr) == (2, True), refused.stderr
        denied = clickhouse(lab, own, values["clickhouse-password"], f"CREATE TABLE {theirs}.stolen (a Int8) ENGINE = Memory", tmp_path)
        assert (denied.returncode != 0, "497" in denied.stderr) == (True, True), denied.stderr
        denied = clickhouse(lab, theirs, values["clickhouse-password"], "SELECT 1", tmp_path)
        assert (denied.returncode != 0, "516" in denied.stderr) == (True, True), denied.stderr


def test_a_run_from_the_root_and_one_from_playbooks_find_the_collection_by_themselves(prod: Prepared, dev: Prepared, lab: Lab) -> None:
    bare = ("env", "-u", "ANSIBLE_COLLECTIONS_PATH", "ansible-playbook")
    client = fresh()
    typed = ("playbooks/provision_client.yml", "-i", "inventories/lms-prod", "-e", f"client={client}")
    assert f"{client} is ready" in lab.run(*bare, *typed, env=prod.env, cwd=ROOT).stdout
    client = fresh()
    assert f"{client} is ready" in lab.run(*bare, "provision_client.yml", "-e", f"client={client}", env=dev.env, cwd=PLAYBOOKS).stdout


def test_a_gateway_without_cors_is_refused_where_that_can_be_seen_and_doubted_where_not(prod: Prepared, lab: Lab) -> None:
    words = (fresh(), "-e", json.dumps({"lms_cors": True}))
    doubt = "whether Gateway gateway/public has CORS is not known: the token may not read Gateway gateway/public"
    assert doubt in prod.provision(*words, "--check").stdout
    assert doubt not in prod.provision(words[0], "--check").stdout
    kinds = "gateways.gateway.networking.k8s.io,gatewayclasses.gateway.networking.k8s.io"
    lab.kubectl("create", "clusterrole", "sees-gateways", "--verb=get", f"--resource={kinds}")
    try:
        account = f"--serviceaccount={prod.namespace}:lms-deployer"
        lab.kubectl("create", "clusterrolebinding", "sees-gateways", "--clusterrole=sees-gateways", account)
        audit = audit_of(prod)
        refused = prod.provision(*words, check=False)
        assert refused.returncode == 2
        assert "Gateway gateway/public may answer every request with 500: its class traefik does not list HTTPRouteCORS" in refused.stdout
        assert audit.writes() == []
    finally:
        lab.kubectl("delete", "clusterrole,clusterrolebinding", "sees-gateways", "--ignore-not-found")


def test_publishing_moves_from_ingress_to_httproute_and_to_none(dev: Prepared, lab: Lab) -> None:
    client = fresh()
    dev.provision(client)
    # Traefik answers 500 to a route with the CORS filter, which it does not have.
    gateway = json.dumps({"lms_publish": "httproute", "lms_gateway": lab.facts["ingress"]["gateway"], "lms_cors": False})
    dev.provision(client, "-e", gateway)
    mine = f"rarus.lms/client={client}"
    assert not lab.get("ingress", "", "lms-dev", selector=mine).get("items")
    served = lab.curl(f"https://backend.lms-dev.example/{client}/", "--fail", "--retry", "20", "--retry-delay", "1", "--retry-all-errors")
    assert json.loads(served.stdout)["client"] == client
    dev.provision(client, "-e", "lms_publish=none")
    assert not lab.get("httproute", "", "lms-dev", selector=mine).get("items")


def test_a_dry_run_of_a_new_client_writes_nothing_and_says_what_it_would_do(dev: Prepared) -> None:
    client = fresh()
    audit = audit_of(dev)
    shown = dev.provision(client, "--check").stdout
    assert audit.writes() == []
    assert f"{client} is new: would be registered" in shown
    assert "would create: seed" in shown


def test_an_organisation_alone_forms_the_next_id_and_says_it(dev: Prepared, lab: Lab) -> None:
    name = "Brot & {{ Salz }} " + fresh()
    done = dev.playbook(
        "provision_client", "-e", json.dumps({"organisation": name, "contacts": [{"name": "Anna", "phones": ["+49 30 901820"]}]})
    )
    found = re.search(r"(C[1-9][0-9]*) is new: registered", done.stdout)
    assert found is not None, done.stdout
    assert f"{found[1]} is ready" in done.stdout
    record = lab.get("configmap", f"lms-client-{found[1].lower()}", "lms-dev")
    assert record["data"]["organisation"] == name
    again = dev.playbook("provision_client", "-e", json.dumps({"organisation": name}), check=False)
    assert again.returncode == 2
    assert f"confirm={found[1]}" in again.stdout
