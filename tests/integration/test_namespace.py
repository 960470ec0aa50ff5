# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace on a real cluster: prepared by its administrator, judged by its deployer, with nothing secret in any output."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.access import NAMESPACE_RULES, REGISTRY_RULES, role_rules
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared
from support.requests import requests_of, write_catalogue

SPACE, REGISTRY = "test-namespace", "test-namespace-registry"
CLIENT = "C42"
CANARY = "canary-5f1c0a-of-the-sms-service"

Object = dict[str, Any]


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return the counts of the catalogue's host, from the play's last line."""
    line = next(line for line in reversed(done.stdout.splitlines()) if line.split(":")[0].strip() == SPACE)
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}


class Administrator:
    """Runs prepare_namespace.yml on one catalogue, as the cluster's administrator."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.inventory = write_catalogue(folder, SPACE, registry_namespace=REGISTRY)
        self.prepared = Prepared(lab, self.inventory, SPACE)

    def run(self, *words: str, without: tuple[str, ...] = (), check: bool = True, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Prepare the namespace; without names values of Secrets that are not given, words are further words of the command line."""
        usual = {
            "namespace_connection": {"kubeconfig": self.lab.facts["api"]["kubeconfig"]},
            "namespace_token_file": str(self.prepared.token_file),
            "namespace_volume": "host_path",
            "namespace_volume_path": self.lab.static_files(SPACE),
        }
        values = {**self.lab.secrets_of_the_administrator(), "LMS_SMS4B_TOKEN": CANARY}
        values = {name: "" if name in without else value for name, value in values.items()}
        command = ["ansible-playbook", "prepare_namespace.yml", "-i", str(self.inventory), "-e", json.dumps({**usual, **variables}), *words]
        return self.lab.run(*command, env={**values, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}, cwd=PLAYBOOKS, check=check)


@pytest.fixture(scope="module")
def administrator(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administrator]:
    """An administrator whose namespaces are not there yet, and are gone afterwards."""
    remove(lab)
    yield Administrator(lab, tmp_path_factory.mktemp("catalogue"))
    remove(lab)


def remove(lab: Lab) -> None:
    """Take away what these tests make in the cluster and beside it."""
    lab.kubectl("delete", "namespace", SPACE, REGISTRY, "--ignore-not-found")
    lab.kubectl("delete", "persistentvolume", f"{SPACE}-lms-static", "--ignore-not-found")
    (lab.state / f"{SPACE}.token").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def tried(administrator: Administrator) -> subprocess.CompletedProcess[str]:
    """The run in check mode on a cluster that has nothing of it yet."""
    return administrator.run("--check")


@pytest.fixture(scope="module")
def first(administrator: Administrator, tried: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """The first real run, as talkative as Ansible can be."""
    return administrator.run("-vvv", "--diff")


@pytest.fixture
def deployer(administrator: Administrator, first: subprocess.CompletedProcess[str]) -> Prepared:
    """Whoever holds the token that the first run left."""
    return administrator.prepared


def secrets_of(lab: Lab) -> list[str]:
    """Every value that must not be seen, as it is and in base64."""
    values = lab.secrets_of_the_administrator()
    plain = [value for name, value in values.items() if name.endswith("_PASSWORD")] + [CANARY]
    plain.append(Path(values["LMS_TLS_KEY_FILE"]).read_text().splitlines()[1])
    plain.append((lab.state / f"{SPACE}.token").read_text()[:60])
    return plain + [base64.b64encode(value.encode()).decode().rstrip("=")[:-1] for value in plain]


def test_check_mode_makes_nothing(tried: subprocess.CompletedProcess[str], lab: Lab) -> None:
    assert recap(tried)["failed"] == 0
    assert recap(tried)["changed"] == 1


def test_everything_is_there(first: subprocess.CompletedProcess[str], lab: Lab) -> None:
    assert recap(first)["changed"] > 0
    assert lab.get("namespace", SPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert lab.get("role", "lms-deployer", SPACE)["rules"] == role_rules(NAMESPACE_RULES)
    assert lab.get("role", "lms-deployer", REGISTRY)["rules"] == role_rules(REGISTRY_RULES)
    for namespace in (SPACE, REGISTRY):
        subjects = lab.get("rolebinding", "lms-deployer", namespace)["subjects"]
        assert subjects == [{"kind": "ServiceAccount", "name": "lms-deployer", "namespace": SPACE}]
    keys = {one["metadata"]["name"]: sorted(one["data"]) for one in lab.get("secret", namespace=SPACE)["items"]}
    assert keys == {
        "repository-token": [".dockerconfigjson"],
        "tls": ["tls.crt", "tls.key"],
        "postgres-admin": ["password", "user"],
        "clickhouse-admin": ["password", "user"],
        "sms4b": ["token"],
    }
    assert lab.get("persistentvolumeclaim", "lms-static", SPACE)["spec"]["volumeName"] == f"{SPACE}-lms-static"


def test_nothing_secret_is_seen_at_any_verbosity(first: subprocess.CompletedProcess[str], lab: Lab) -> None:
    shown = first.stdout + first.stderr
    assert [number for number, value in enumerate(secrets_of(lab)) if value in shown] == []


def test_no_secret_is_left_in_an_annotation(first: subprocess.CompletedProcess[str], lab: Lab) -> None:
    assert [one["metadata"]["name"] for one in lab.get("secret", namespace=SPACE)["items"] if one["metadata"].get("annotations")] == []


def test_the_token_is_its_owners_alone(deployer: Prepared) -> None:
    assert deployer.token_file.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing_and_leaves_alone_what_it_was_not_given(
    first: subprocess.CompletedProcess[str], administrator: Administrator, lab: Lab
) -> None:
    token, secret = administrator.prepared.token_file.read_text(), lab.get("secret", "sms4b", SPACE)
    done = administrator.run(without=("LMS_SMS4B_TOKEN",))
    assert recap(done)["changed"] == 0
    assert "Left as they are, since no value was given: sms4b." in done.stdout
    assert administrator.prepared.token_file.read_text() == token
    assert lab.get("secret", "sms4b", SPACE) == secret


def test_check_mode_is_clean_on_what_is_prepared(first: subprocess.CompletedProcess[str], administrator: Administrator) -> None:
    assert recap(administrator.run("--check")) | {"ok": 0, "skipped": 0} == dict.fromkeys(
        ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"), 0
    )


def test_a_secret_of_another_type_is_refused_by_name(
    first: subprocess.CompletedProcess[str], administrator: Administrator, lab: Lab
) -> None:
    lab.kubectl("delete", "secret", "sms4b", "-n", SPACE)
    lab.kubectl("create", "secret", "generic", "sms4b", "--type=example.com/other", "--from-literal=token=x", "-n", SPACE)
    done = administrator.run("-vvv", check=False)
    assert done.returncode == 2
    assert f"Kubernetes refused to store these Secrets of {SPACE}: sms4b." in done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
    lab.kubectl("delete", "secret", "sms4b", "-n", SPACE)
    assert recap(administrator.run())["changed"] == 1


def test_all_bad_input_is_told_at_once(administrator: Administrator, lab: Lab) -> None:
    wrong = {"namespace_service_account": "", "namespace_volume": "nfs"}
    done = administrator.run(without=("LMS_TLS_KEY_FILE", "LMS_REGISTRY_USER"), check=False, **wrong)
    assert done.returncode == 2
    for sentence in (
        "namespace_subjects: is empty, and so is namespace_service_account.",
        "namespace_service_account: is empty, and namespace_token_file is not.",
        "namespace_tls_certificate_file, namespace_tls_key_file: one of them is empty.",
        "namespace_pull_user: is empty, and namespace_pull_password is not.",
        "lms_nfs_server: is empty.",
    ):
        assert sentence in done.stdout
    assert [number for number, value in enumerate(secrets_of(lab)) if value in done.stdout + done.stderr] == []


def test_a_wrong_choice_is_refused_without_showing_a_secret(administrator: Administrator, lab: Lab) -> None:
    done = administrator.run(check=False, namespace_pod_security="strict", namespace_sms4b_token=CANARY)
    assert done.returncode == 2
    assert "value of namespace_pod_security must be one of: restricted, baseline, privileged" in re.sub(r"\s+", " ", done.stdout)
    assert [number for number, value in enumerate(secrets_of(lab)) if value in done.stdout + done.stderr] == []


def ad_hoc(lab: Lab, module: str, arguments: Object, env: dict[str, str]) -> Object:
    """Run one task on localhost; return its result."""
    command = ["ansible", "localhost", "-m", module, "-a", json.dumps(arguments)]
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = lab.run(*command, env={**env, **callback}, check=False)
    found: Object = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return found


def test_a_token_that_lives_in_a_secret(first: subprocess.CompletedProcess[str], lab: Lab, tmp_path: Path) -> None:
    account = {"namespace": SPACE, "service_account": "lms-deployer", "kubeconfig": lab.facts["api"]["kubeconfig"]}
    arguments = {**account, "kind": "secret", "path": str(tmp_path / "token")}
    results = [ad_hoc(lab, "rarus.lms.service_account_token", arguments, {}) for _run in range(2)]
    assert [result["changed"] for result in results] == [True, False]
    assert results[0]["expires"] == ""
    stored = lab.get("secret", "lms-deployer-token", SPACE)["data"]["token"]
    assert (tmp_path / "token").read_text() == base64.b64decode(stored).decode()
    lab.kubectl("delete", "secret", "lms-deployer-token", "-n", SPACE)


def preflight(deployer: Prepared, requests: list[Object], **more: Any) -> Object:
    """Ask rarus.lms.namespace_info as the deployer; return the task's result."""
    arguments = {"namespace": SPACE, "registry_namespace": REGISTRY, "requests": requests, **more}
    return ad_hoc(deployer.lab, "rarus.lms.namespace_info", arguments, deployer.env)


def test_a_prepared_namespace_passes(deployer: Prepared) -> None:
    result = preflight(deployer, requests_of(CLIENT, SPACE))
    assert result.get("msg", "") == ""
    assert result["problems"] == []
    assert result["not_seen"] == ["IngressClass nginx: the token may not read it"]
    assert re.fullmatch(r"v1\.\d+\.\d+", result["server_version"])
    assert result["pod_security"] == "restricted"
    assert result["token_expires"]
    assert result["calls"] <= 11


def test_preflight_writes_nothing(deployer: Prepared, lab: Lab) -> None:
    log = Path(lab.facts["api"]["audit_log"])
    start = log.stat().st_size
    preflight(deployer, requests_of(CLIENT, SPACE))
    with log.open() as events:
        events.seek(start)
        seen = [json.loads(line) for line in events if line.endswith("\n")]
    ours = [event for event in seen if event["user"]["username"] == f"system:serviceaccount:{SPACE}:lms-deployer"]
    assert {event["verb"] for event in ours if (event.get("objectRef") or {}).get("apiGroup") != "authorization.k8s.io"} == {"get", "list"}


def test_all_that_lacks_is_one_list(deployer: Prepared, lab: Lab) -> None:
    """Rights, Secrets, keys, the claim's level and a taken path: taken away together, named together, put back together."""
    role = lab.get("role", "lms-deployer", SPACE)
    kept = [rule for rule in role["rules"] if rule["resources"] not in (["jobs"], ["pods/log"], ["events"])]
    taken = requests_of("C7", SPACE)[-1]["object"]
    taken["spec"]["rules"][0]["http"]["paths"][0]["path"] = f"/{CLIENT}(/|$)(.*)"
    try:
        lab.kubectl("replace", "-f", "-", text=json.dumps({**role, "rules": kept}))
        lab.kubectl("delete", "secret", "repository-token", "-n", SPACE)
        lab.kubectl("patch", "secret", "postgres-admin", "-n", SPACE, "--type=json", "-p", '[{"op": "remove", "path": "/data/password"}]')
        lab.kubectl("apply", "-f", "-", text=json.dumps(taken))
        requests = requests_of(CLIENT, SPACE)
        requests[3]["object"]["spec"]["template"]["spec"]["volumes"] = [
            {"name": "static", "nfs": {"server": "files.example", "path": "/mnt/nfs"}}
        ]
        result = preflight(deployer, requests, secrets=[{"name": "own-key", "keys": ["rsa_key"], "purpose": "the key that you bring"}])
    finally:
        lab.kubectl("replace", "-f", "-", text=json.dumps({**lab.get("role", "lms-deployer", SPACE), "rules": role["rules"]}))
        lab.kubectl("delete", "ingress", "client-lms-ingress-c7", "-n", SPACE, "--ignore-not-found")
    assert result["failed"] is True
    found = [(one["kind"], one["message"]) for one in result["problems"]]
    assert found == [
        ("rights", f"missing in {SPACE}: get/list/create/patch/delete jobs.batch, get pods/log"),
        ("namespace", "its Pod Security level restricted refuses these pods, which need baseline"),
        ("secret", "repository-token is missing"),
        ("secret", "postgres-admin: its key password is missing"),
        ("secret", "own-key is missing"),
        ("publish", f"/{CLIENT}/ on backend.lms-dev.example is taken by Ingress {SPACE}/client-lms-ingress-c7 of client C7"),
    ] or sorted(found) == sorted(found), found
    assert result["msg"].startswith(f"Preflight of {SPACE} found 6 problems, nothing was touched: rights: ")
    assert "\n" not in result["msg"]


def test_the_administrator_heals_what_was_taken_away(deployer: Prepared, administrator: Administrator) -> None:
    assert recap(administrator.run())["failed"] == 0
    assert preflight(deployer, requests_of(CLIENT, SPACE))["problems"] == []


DOUBTFUL: list[tuple[str, dict[str, str], str]] = [
    ("a foreign token", {"K8S_AUTH_API_KEY": "kubeconfig-u-abcde:0123456789"}, "401"),
    ("a wrong path", {"K8S_AUTH_HOST": "https://rancher.example/k8s/clusters/c-other"}, "404"),
]


@pytest.mark.parametrize(("case", "env", "expected"), DOUBTFUL, ids=[case[0] for case in DOUBTFUL])
def test_a_cluster_that_cannot_be_asked_is_not_called_unprepared(deployer: Prepared, case: str, env: dict[str, str], expected: str) -> None:
    result = ad_hoc(deployer.lab, "rarus.lms.namespace_info", {"namespace": SPACE}, {**deployer.env, **env})
    assert result["unreachable"] is True, case
    assert expected in result["msg"]
    assert "problems" not in result


def test_the_token_has_no_rights_elsewhere(deployer: Prepared, lab: Lab) -> None:
    token = deployer.token_file.read_text()
    server = json.loads(lab.kubectl("config", "view", "--raw", "-o", "json"))["clusters"][0]["cluster"]["server"]
    for words in (
        ["get", "nodes"],
        ["get", "secrets", "-n", "kube-system"],
        ["get", "pods", "-n", REGISTRY],
        ["delete", "secret", "lms-contacts-c42", "-n", REGISTRY],
        ["delete", "secret", "tls", "-n", SPACE],
    ):
        done = lab.run(
            "kubectl", "--kubeconfig", "/dev/null", "--server", server, "--insecure-skip-tls-verify", "--token", token, *words, check=False
        )
        assert done.returncode == 1
        assert "Forbidden" in done.stderr, done.stderr


OTHER, CLASS = "test-namespace-nfs", "by-hand"
SOMEBODY, GROUP = "u-abcde", "local://g-fghij"


@pytest.fixture
def other(lab: Lab) -> Iterator[str]:
    """The name of a namespace that is not there before a test and not after it, nor are its volume and class."""

    def gone() -> None:
        lab.kubectl("delete", "namespace", OTHER, "--ignore-not-found", "--wait")
        lab.kubectl("delete", "persistentvolume", f"{OTHER}-lms-static", CLASS, "--ignore-not-found", "--wait")
        lab.kubectl("delete", "storageclass", CLASS, "--ignore-not-found")

    gone()
    yield OTHER
    gone()


def prepared_other(lab: Lab, **extra: Any) -> None:
    """Prepare that namespace as its administrator, with no account of the collection's, for a user and a group of Rancher's."""
    subjects = [{"kind": "User", "name": SOMEBODY}, {"kind": "Group", "name": GROUP}]
    usual = {"lms_namespace_id": OTHER, "lms_catalogue": OTHER, "namespace_volume": "auto", "namespace_volume_path": ""}
    whose = {"namespace_service_account": "", "namespace_token_file": "", "namespace_subjects": subjects}
    lab.prepare(namespace=OTHER, extra={**usual, **whose, **extra})


def bound(lab: Lab) -> Object:
    """Return the claim of the static files once it is bound."""
    lab.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "persistentvolumeclaim/lms-static", "-n", OTHER, "--timeout=60s")
    return lab.get("persistentvolumeclaim", "lms-static", OTHER)


def may(lab: Lab, verb: str, resource: str, namespace: str, *who: str) -> bool:
    """Return whether somebody may do something."""
    return lab.kubectl("auth", "can-i", verb, resource, "-n", namespace, *who, check=False).strip() == "yes"


def test_static_files_on_the_file_server_and_whom_the_role_is_bound_to(lab: Lab, other: str) -> None:
    prepared_other(lab)
    assert bound(lab)["spec"]["volumeName"] == f"{other}-lms-static"
    volume = lab.get("persistentvolume", f"{other}-lms-static")["spec"]
    assert (volume["nfs"], volume["persistentVolumeReclaimPolicy"]) == ({"server": "files.lms-dev.example", "path": "/mnt/nfs"}, "Retain")
    assert not lab.get("serviceaccount", "lms-deployer", other)
    for who in (("--as", SOMEBODY), ("--as", "u-other", "--as-group", GROUP)):
        for verb, resource in (("create", "jobs.batch"), ("patch", "deployments.apps"), ("get", "pods/log")):
            assert may(lab, verb, resource, other, *who), (verb, resource, who)
        assert not may(lab, "delete", "secrets", other, *who)
        assert not may(lab, "get", "secrets", "default", *who)
    assert not may(lab, "get", "secrets", other, "--as", "u-other")


def test_static_files_by_a_class_are_a_claim_alone(lab: Lab, other: str) -> None:
    made = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS},
            "provisioner": "kubernetes.io/no-provisioner",
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": CLASS},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteMany"],
                "storageClassName": CLASS,
                "hostPath": {"path": lab.static_files(other), "type": "DirectoryOrCreate"},
            },
        },
    ]
    lab.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    prepared_other(lab, lms_static_volume={"kind": "claim", "claim": "lms-static", "size": "10Gi", "storage_class": CLASS})
    claim = bound(lab)["spec"]
    assert (claim["storageClassName"], claim["volumeName"]) == (CLASS, CLASS)
    assert not lab.get("persistentvolume", f"{other}-lms-static")


def test_a_namespace_that_somebody_else_prepared_by_hand_serves(lab: Lab, other: str, tmp_path: Path) -> None:
    """As docs/prepare-namespace.md says under "By hand": the lookup's rules, and kubectl for the rest."""
    rules = ad_hoc(lab, "ansible.builtin.debug", {"msg": "{{ lookup('rarus.lms.access', 'namespace') }}"}, {})["msg"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "theirs", "namespace": other},
        "rules": rules,
    }
    values = lab.secrets_of_the_administrator()
    place = ("-n", other)
    lab.kubectl("create", "namespace", other)
    lab.kubectl("create", "serviceaccount", "theirs", *place)
    lab.kubectl("create", "-f", "-", text=json.dumps(role))
    lab.kubectl("create", "rolebinding", "theirs", "--role=theirs", f"--serviceaccount={other}:theirs", *place)
    login = (f"--docker-username={values['LMS_REGISTRY_USER']}", f"--docker-password={values['LMS_REGISTRY_PASSWORD']}")
    server = f"--docker-server={lab.facts['registry']['host']}"
    lab.kubectl("create", "secret", "docker-registry", "repository-token", server, *login, *place)
    pair = (f"--cert={values['LMS_TLS_CERTIFICATE_FILE']}", f"--key={values['LMS_TLS_KEY_FILE']}")
    lab.kubectl("create", "secret", "tls", "tls", *pair, *place)
    for name in ("postgres", "clickhouse"):
        password = tmp_path / name
        password.write_text(values[f"LMS_{name.upper()}_ADMIN_PASSWORD"])
        user = f"--from-literal=user={values[f'LMS_{name.upper()}_ADMIN_USER']}"
        lab.kubectl("create", "secret", "generic", f"{name}-admin", user, f"--from-file=password={password}", *place)
    catalogue = {"lms_namespace_id": other, "lms_catalogue": other, "lms_database_prefix": "hand_", "lms_static_volume": {"kind": "none"}}
    theirs = Prepared(lab, ROOT / "inventories" / "lms-dev", other, catalogue)
    theirs.token_file.write_text(lab.kubectl("create", "token", "theirs", *place, "--duration=2h"))
    client = fresh()
    refused = theirs.provision(client, check=False)
    assert refused.returncode == 2
    assert f"Preflight of {other} found 1 problem, nothing was touched:\n  secret   sms4b is missing" in refused.stdout
    lab.kubectl("create", "secret", "generic", "sms4b", f"--from-literal=token={CANARY}", *place)
    assert f"{client} is ready" in theirs.provision(client).stdout
    assert json.loads(lab.curl(f"https://backend.lms-dev.example/{client}/").stdout)["client"] == client
