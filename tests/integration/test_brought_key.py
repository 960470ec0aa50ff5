# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key that an operator brings, by a Secret, a file or a vault: refused before anything is touched, taken once, never shown."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployer import audit_of
from support.ids import fresh
from support.lab import ROOT, Lab, Prepared

SPACE = "test-brought-key"
BRINGS = ("-e", json.dumps({"lms_rsa_key_secret": {"name": "brought", "key": "pem"}}))
EXPECTED = "Expected a private RSA key of 2048 bits or more, PEM, not encrypted"
# Each with another way to bring it.
UNFIT = [
    ("not PEM", ["rand", "-base64", "64"], "is not PEM", "the catalogue's Secret"),
    ("EC", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "is a key of another kind (ECPrivateKey)", "no id"),
    ("1024 bits", ["genrsa", "1024"], "has 1024 bits", "a Secret of its own"),
    ("encrypted", ["genrsa", "-aes256", "-passout", "pass:canary", "2048"], "is encrypted", "a file"),
]


def openssl(*words: str) -> str:
    """Return what openssl makes."""
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def dev(lab: Lab) -> Iterator[Prepared]:
    """A namespace of this file's own."""
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found", "--wait")
    bare = {"lms_static_volume": {"kind": "none"}, "namespace_volume": "none", "lms_publish": "none"}
    prefix = {"lms_database_prefix": "brought_"}
    extra = {"lms_namespace_id": SPACE, "lms_catalogue": SPACE, **bare, **prefix}
    yield lab.prepare(ROOT / "inventories" / "lms-dev", namespace=SPACE, extra=extra)
    lab.kubectl("delete", "namespace", SPACE, "--wait=false")


def bring(lab: Lab, pem: str, name: str = "brought") -> None:
    """Put a key into a Secret of the operator's."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SPACE}, "stringData": {"pem": pem}}
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(secret))


def key_of(lab: Lab, client: str) -> str:
    """Return the client's private key, as the administrator reads it."""
    return base64.b64decode(lab.get("secret", f"rsa-secret-{client.lower()}", SPACE)["data"]["rsa_key"]).decode()


def records(lab: Lab) -> set[str]:
    """Return the names of what is kept of clients: records, the counter of ids, Leases."""
    return {one["metadata"]["name"] for one in lab.get("configmap,lease", namespace=SPACE)["items"] if "lms-" in one["metadata"]["name"]}


def quiet_run(dev: Prepared, client: str, *words: str) -> list[str]:
    """Provision a client that is as it shall be; return what the API was asked, sorted."""
    audit = audit_of(dev)
    assert "nothing changed" in dev.provision(client, *words).stdout
    assert audit.writes() == []
    return sorted(audit.requests())


@pytest.mark.parametrize(("case", "words", "sentence", "way"), UNFIT, ids=[case[0] for case in UNFIT])
def test_an_unfit_key_is_refused_before_anything_is_touched(
    dev: Prepared, lab: Lab, tmp_path: Path, case: str, words: list[str], sentence: str, way: str
) -> None:
    unfit, file, client = openssl(*words), tmp_path / "c42.pem", fresh()
    bring(lab, unfit)
    file.write_text(unfit)
    own = json.dumps({"lms_client_settings": {client: {"rsa_key_secret": {"name": "brought", "key": "pem"}}}})
    given = {
        "the catalogue's Secret": ("-e", f"client={client}", *BRINGS),
        "no id": ("-e", json.dumps({"organisation": f"Brot {client}"}), *BRINGS),
        "a Secret of its own": ("-e", f"client={client}", "-e", own),
        "a file": ("-e", f"client={client}", "-e", f"rsa_key_file={file}"),
    }[way]
    before, audit = records(lab), audit_of(dev)
    refused = dev.playbook("provision_client", *given, check=False)
    assert refused.returncode == 2, refused.stdout
    assert f"Preflight of {SPACE} found 1 problem, nothing was touched:" in refused.stdout
    where = f"rsa_key_file: {file}" if way == "a file" else f"rsa_key_secret: key pem of Secret {SPACE}/brought"
    assert f"{where} {sentence}. {EXPECTED}" in refused.stdout
    assert unfit.splitlines()[1] not in refused.stdout + refused.stderr
    assert audit.writes() == []
    assert records(lab) == before


def test_an_unfit_key_of_a_record_is_refused_before_the_client_s_lease(dev: Prepared, lab: Lab) -> None:
    client = fresh()
    bring(lab, openssl("genrsa", "1024"), "its")
    dev.playbook("register_client", "-e", f"client={client}")
    own = json.dumps({"settings": {"rsa_key_secret": {"name": "its", "key": "pem"}}})
    dev.playbook("edit_client", "-e", f"client={client}", "-e", own)
    audit = audit_of(dev)
    refused = dev.provision(client, check=False)
    assert refused.returncode == 2
    assert f"rsa_key_secret: key pem of Secret {SPACE}/its has 1024 bits." in refused.stdout
    assert audit.writes() == []
    good = openssl("genrsa", "2048")
    bring(lab, good, "its")
    assert f"{client} is ready" in dev.provision(client).stdout
    assert key_of(lab, client) == good


def test_a_secret_is_asked_for_until_the_client_has_its_key(dev: Prepared, lab: Lab) -> None:
    client = fresh()
    good = openssl("genrsa", "3072")
    bring(lab, good)
    assert "rsa (brought)" in dev.provision(client, *BRINGS).stdout
    assert key_of(lab, client) == good
    with_secret = quiet_run(dev, client, *BRINGS)
    lab.kubectl("delete", "secret", "brought", "-n", SPACE)
    assert quiet_run(dev, client, *BRINGS) == with_secret
    assert len(with_secret) - len(quiet_run(dev, client)) == 1
    rotated = dev.playbook("rotate_credentials", "-e", f"client={client}", "-e", "credentials=rsa", *BRINGS, check=False)
    assert f"rsa_key_secret: there is no Secret {SPACE}/brought" in rotated.stdout
    assert "nothing was touched" in rotated.stdout


def test_a_key_by_a_file_and_the_next_one_by_a_vault(dev: Prepared, lab: Lab, tmp_path: Path) -> None:
    client = fresh()
    first, second = openssl("genrsa", "2048"), openssl("genrsa", "2048")
    file, password, vaulted = tmp_path / "first.pem", tmp_path / "password", tmp_path / "key.yml"
    file.write_text(first)
    password.write_text("of the vault")
    vaulted.write_text(json.dumps({"rsa_key_pem": second}))
    vault = [str(Path(sys.executable).parent / "ansible-vault"), "encrypt", "--vault-password-file", str(password), str(vaulted)]
    subprocess.run(vault, check=True, capture_output=True)
    given = ("-e", f"rsa_key_file={file}", "-vvvv", "--diff")
    by_vault = ("-e", f"@{vaulted}", "--vault-password-file", str(password), "-vvvv", "--diff")
    runs = [dev.provision(client, *given)]
    assert key_of(lab, client) == first
    audit = audit_of(dev)
    runs += [dev.provision(client, *given)]
    assert audit.writes() == []
    assert "nothing changed" in runs[1].stdout
    runs += [dev.provision(client, *by_vault, check=False)]
    assert f"rsa_key: the text is another key than {client} has, which stays as it is." in runs[2].stdout
    assert audit.writes() == []
    runs += [dev.playbook("rotate_credentials", "-e", f"client={client}", "-e", "credentials=rsa", *by_vault)]
    assert key_of(lab, client) == second
    vaulted.write_text(json.dumps({"rsa_key_pem": second.replace("PRIVATE", "PUBLIC")}))
    runs += [dev.provision(fresh(), "-e", f"@{vaulted}", "-vvvv", check=False)]
    assert "rsa_key: the text holds a public key or a certificate" in runs[4].stdout
    shown = "".join(run.stdout + run.stderr for run in runs)
    canaries = [line for key in (first, second) for line in key.splitlines()[1:-1]]
    assert [number for number, line in enumerate(canaries) if line in shown] == []
