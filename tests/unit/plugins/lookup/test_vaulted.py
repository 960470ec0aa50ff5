# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalogue's values may be Ansible Vault variables: single ones (`!vault`), or a whole file of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.playbook import evaluate
from support.requests import write_catalogue

PASSWORD = "the vault's own password"
TOKEN = "token-canary0123"
ROOT_URL = "https://rancher.example/k8s/clusters/c-1"
LOOKUPS = {"connection": "lookup('rarus.lms.connection')", "settings": "lookup('rarus.lms.settings')"}


def vaulted(folder: Path, *words: str, text: str = "") -> str:
    """Run ansible-vault with the vault's password; return what it prints."""
    password = folder / "vault-password"
    password.write_text(PASSWORD)
    argv = [sys.executable, "-m", "ansible", "vault", words[0], f"--vault-password-file={password}", *words[1:]]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, cwd=folder).stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("vaulted")
    catalogue = write_catalogue(folder / "shop", "shop")
    variables = catalogue / "group_vars" / "lms_catalogues"
    variables.mkdir(parents=True)
    single = {"lms_api_token": TOKEN, "lms_sms4b_sender": "0042", "own_word": "hidden"}
    texts = [vaulted(folder, "encrypt_string", "--stdin-name", name, text=value) for name, value in single.items()]
    templated = json.dumps({"lms_environment": {"WORD": "{{ own_word }}"}})
    (variables / "single.yml").write_text("\n".join([*texts, templated[1:-1], ""]))
    (variables / "whole.yml").write_text(json.dumps({"lms_api_root_url": ROOT_URL}))
    vaulted(folder, "encrypt", str(variables / "whole.yml"))
    assert not [file for file in variables.iterdir() if TOKEN in file.read_text() or ROOT_URL in file.read_text()]
    hosts = json.loads((catalogue / "hosts.yml").read_text())
    del hosts["lms_catalogues"]["hosts"]["shop"]["lms_sms4b_sender"]
    (catalogue / "hosts.yml").write_text(json.dumps(hosts))
    return evaluate(folder, catalogue, LOOKUPS, f"--vault-password-file={folder / 'vault-password'}")


def test_the_token_may_be_a_vault_variable(found: dict[str, Any]) -> None:
    assert found["connection"] == {"host": ROOT_URL, "api_key": TOKEN}


def test_settings_may_be_vault_variables_and_keep_their_type(found: dict[str, Any]) -> None:
    settings = found["settings"]
    assert (settings["sms4b_sender"], settings["environment"], settings["api_root_url"]) == ("0042", {"WORD": "hidden"}, ROOT_URL)
    assert TOKEN not in json.dumps(settings)
