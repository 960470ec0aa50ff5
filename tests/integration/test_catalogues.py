# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogues as operators keep them: one more by one folder, with templates of its own; wrong ones refused before anything is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.ids import fresh
from support.lab import PLAYBOOKS, ROOT, Lab, Prepared

LMS_DEV = ROOT / "inventories" / "lms-dev"
# Exit codes of ansible-playbook: what was given cannot be right, and what it is cannot be found out by asking.
WRONG, UNKNOWN = 2, 4

SERVICE = """
{"apiVersion": "v1", "kind": "Service",
 "metadata": {"name": "lms-service-{{client-name}}", "annotations": {"team": "north"}},
 "spec": {"type": "ClusterIP", "selector": {"app": "{{client-id}}-lms"}, "ports": [{"port": 8080, "targetPort": 8080, "protocol": "TCP"}]}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: lms-{{ client_name }}
spec:
  podSelector:
    matchLabels:
      app: {{ client_id }}-lms
  policyTypes: [Ingress]
  ingress:
    - ports:
        - port: 8080
"""
MAY_APPLY_POLICIES = [{"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["get", "list", "create", "patch"]}]


def copied(folder: Path, name: str) -> Path:
    """Return a copy of the catalogue lms-dev under another name, as docs/new-catalogue.md says."""
    catalogue = folder / name
    shutil.copytree(LMS_DEV, catalogue)
    for file in catalogue.rglob("*.yml"):
        file.write_text(file.read_text().replace("lms-dev:", f"{name}:").replace("lms_namespace_id: lms-dev", f"lms_namespace_id: {name}"))
    return catalogue


def settings(catalogue: Path) -> Path:
    """Return the file with a catalogue's settings."""
    return catalogue / "group_vars" / "lms_catalogues.yml"


def refusal(dev: Prepared, *words: str, client: str = "C1", code: int = WRONG) -> str:
    """Return what an operator reads who is refused: nothing but the sentences, and that exit code."""
    command = ["ansible-playbook", "provision_client.yml", "-e", json.dumps({"client": client}), *words]
    done = dev.lab.run(*command, env=dev.env, cwd=PLAYBOOKS, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Prepared:
    """The namespace lms-dev."""
    return lab.prepare()


def test_a_third_catalogue_is_one_folder_and_may_have_templates_of_its_own(lab: Lab, tmp_path: Path) -> None:
    catalogue = copied(tmp_path, "lms-north")
    templates = tmp_path / "requests"
    templates.mkdir()
    (templates / "service.json").write_text(SERVICE)
    (templates / "policy.yml").write_text(POLICY)
    file = settings(catalogue)
    given = {"lms_publish": "none", "lms_database_prefix": "north_", "lms_templates_dir": "../requests"}
    kept = [line for line in file.read_text().splitlines() if line.partition(":")[0] not in given]
    file.write_text("\n".join([*kept, *(f"{name}: {value}" for name, value in given.items()), ""]))
    north = lab.prepare(catalogue, namespace="lms-north", extra={"namespace_extra_rules": MAY_APPLY_POLICIES})
    client = fresh()
    assert f"{client} is ready" in north.provision(client).stdout
    service = lab.get("service", f"lms-service-{client.lower()}", "lms-north")
    assert service["metadata"]["annotations"]["team"] == "north"
    assert lab.get("networkpolicy", f"lms-{client.lower()}", "lms-north")["spec"]["podSelector"] == {
        "matchLabels": {"app": f"{client}-lms"}
    }
    assert "nothing changed" in north.provision(client).stdout


def test_a_client_of_one_catalogue_is_refused_in_another_that_shares_the_registry(dev: Prepared, tmp_path: Path) -> None:
    client = fresh()
    dev.provision(client)
    other = copied(tmp_path, "lms-other")
    settings(other).write_text(settings(LMS_DEV).read_text())
    shown = refusal(dev, "-i", str(other), client=client)
    assert "lms-dev" in shown
    assert "lms-other" in shown


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["-i", "nowhere"], "Expected exactly one settings catalogue, found none.", WRONG),
        (["-i", str(LMS_DEV), "-i", str(ROOT / "inventories/lms-prod")], "found lms-dev and lms-prod.", WRONG),
        (["-e", "lms_keys_token_ttl_hours=eight"], "lms_keys_token_ttl_hours: ", WRONG),
        (["-e", "lms_docker_image='a b'"], "lms_docker_image: ", WRONG),
        (["-e", "lms_postgres_host="], "lms_postgres_host: is empty.", WRONG),
        (["-e", "lms_api_root_url=rancher.example"], "lms_api_root_url: ", WRONG),
        (["-e", "lms_api_root_url=https://rancher.example/k8s/clusters/c-other"], "Is the path of api_root_url", UNKNOWN),
        (["-e", "lms_api_token=nonsense"], "token", UNKNOWN),
        (["-e", "lms_api_ca_file=/etc/hostname"], "ca_cert: /etc/hostname is not a PEM file.", WRONG),
    ],
)
def test_bad_input_gets_one_sentence(dev: Prepared, words: list[str], sentence: str, code: int) -> None:
    shown = refusal(dev, *words, code=code)
    assert sentence in shown
    assert len(shown.splitlines()) == 1, shown


@pytest.mark.parametrize("given", ["42", "c42", "C042", "C0", "C-1", "C42\n", "C٤٢", "C" + "1" * 40, "", ["C42"]])
def test_a_wrong_client_id_gets_one_sentence(dev: Prepared, given: str) -> None:
    shown = refusal(dev, client=given)
    assert shown.startswith("client: ")
    assert "is not a client id. Expected C and a number without leading zeros, such as C42." in shown
    assert len(shown.splitlines()) == 1, shown


def test_the_installed_collection_runs_by_its_full_name_from_any_folder(dev: Prepared, tmp_path: Path) -> None:
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    tree = tmp_path / "checkout"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    built = subprocess.run(
        [galaxy, "collection", "build", "--output-path", tmp_path, tree], capture_output=True, text=True, check=True
    ).stdout
    artefact = built.split()[-1]
    subprocess.run(
        [galaxy, "collection", "install", artefact, "-p", tmp_path / "installed", "--no-deps", "--offline", "--force"],
        check=True,
        capture_output=True,
    )
    client = fresh()
    command = ["ansible-playbook", "rarus.lms.provision_client", "-i", str(LMS_DEV), "-e", f"client={client}"]
    done = dev.lab.run(*command, cwd=tmp_path, env={**dev.env, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "installed")})
    assert f"{client} is ready" in done.stdout
