# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogues as operators keep them: one more by one folder, with templates of its own; wrong ones refused before anything is touched."""

from __future__ import annotations

import json
import re
import shlex
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
    fill(catalogue, name)
    return catalogue


def fill(catalogue: Path, name: str, **given: str) -> None:
    """Name a copied catalogue, and write settings into it, in the place of those that it has."""
    for file in catalogue.rglob("*.yml"):
        file.write_text(file.read_text().replace("lms-dev:", f"{name}:").replace("lms_namespace_id: lms-dev", f"lms_namespace_id: {name}"))
    file = settings(catalogue)
    kept = [line for line in file.read_text().splitlines() if line.partition(":")[0] not in given]
    file.write_text("\n".join([*kept, *(f"{setting}: {value}" for setting, value in given.items()), ""]))


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
    own = {"lms_publish": "none", "lms_database_prefix": "north_", "lms_templates_dir": "../requests", "lms_clickhouse_cluster": "lab"}
    fill(catalogue, "lms-north", **own)
    north = lab.prepare(catalogue, namespace="lms-north", extra={"namespace_extra_rules": MAY_APPLY_POLICIES})
    client = fresh()
    assert f"{client} is ready" in north.provision(client).stdout
    jobs = lab.get("jobs", namespace="lms-north", selector=f"rarus.lms/client={client}")["items"]
    assert "ON CLUSTER 'lab'" in [one.get("value") for job in jobs for one in job["spec"]["template"]["spec"]["containers"][0]["env"]]
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
        (["-e", "redo=databses"], "redo must be one or more of: databases. Got no match for: databses", WRONG),
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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that the collection is installed in, built from what git has of this checkout."""
    home = tmp_path_factory.mktemp("home")
    galaxy, tree = str(Path(sys.executable).parent / "ansible-galaxy"), home / "checkout"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    build = [galaxy, "collection", "build", "--output-path", str(home), str(tree)]
    artefact = subprocess.run(build, capture_output=True, text=True, check=True).stdout.split()[-1]
    install = [galaxy, "collection", "install", artefact, "-p", str(home / ".ansible" / "collections"), "--no-deps", "--offline", "--force"]
    subprocess.run(install, check=True, capture_output=True)
    return home


def test_the_installed_collection_runs_by_its_full_name_from_any_folder(dev: Prepared, installed: Path, tmp_path: Path) -> None:
    client = fresh()
    command = ["ansible-playbook", "rarus.lms.provision_client", "-i", str(LMS_DEV), "-e", f"client={client}"]
    found = {"ANSIBLE_COLLECTIONS_PATH": str(installed / ".ansible" / "collections")}
    assert f"{client} is ready" in dev.lab.run(*command, cwd=tmp_path, env={**dev.env, **found}).stdout


def test_the_lines_of_the_readme_end_with_ready(lab: Lab, installed: Path) -> None:
    """Its section "Your own cluster", typed as it stands but for the values, and for where the collection is installed from."""
    space, client = "lms-readme", fresh()
    section = (ROOT / "README.md").read_text().partition("## Your own cluster")[2]
    install, *lines = section.split("```")[1].strip().splitlines()
    assert install == "ansible-galaxy collection install rarus.lms"
    values = {**lab.secrets_of_the_administrator(), "K8S_AUTH_KUBECONFIG": lab.facts["api"]["kubeconfig"]}
    values |= {"K8S_AUTH_SSL_CA_CERT": lab.facts["api"]["ca_file"]}
    typed = "\n".join(lines).replace("client=C42", f"client={client}")
    typed = re.sub(r"\b([A-Z0-9_]+)=([^\s$]+)", lambda found: f"{found[1]}={shlex.quote(values.pop(found[1]))}", typed)
    # Users of the databases' administrators are those that the role has by default.
    assert set(values) == {"LMS_POSTGRES_ADMIN_USER", "LMS_CLICKHOUSE_ADMIN_USER"}
    copied_it, *others = typed.splitlines()
    bash = ["env", "-u", "ANSIBLE_COLLECTIONS_PATH", f"HOME={installed}", "bash", "-ec"]
    lab.run(*bash, copied_it, cwd=installed)
    fill(
        installed / "my-lms",
        space,
        lms_database_prefix="readme_",
        namespace_volume="host_path",
        namespace_volume_path=lab.static_files(space),
    )
    done = lab.run(*bash, "\n".join(others), cwd=installed)
    assert f"{client} is ready" in done.stdout
    assert json.loads(lab.curl(f"https://backend.lms-dev.example/{client}/").stdout)["client"] == client
    assert (installed / "my-lms.token").stat().st_mode & 0o777 == 0o600
