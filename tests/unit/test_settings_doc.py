# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/settings.md is the table of settings, written for people. With RARUS_LMS_GOLDEN=write in the environment it is written anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.rarus.lms.plugins.module_utils._domain.macros import MACROS, OF_A_CLIENT, SECRET_MACROS, hyphened
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import REQUIRED, SETTINGS, Setting

ROOT = Path(__file__).parents[2]
INVENTORIES = ("lms-dev", "lms-prod")
# The parameters of the specification that a catalogue sets (section 5), by their macros.
SECTION_5 = {
    "api_root_url", "namespace_id", "clickhouse_host", "clickhouse_admin_secret", "postgres_host", "postgres_admin_secret",
    "keys_token_ttl_hours", "keys_rsa_path", "sms4b_passcode_lifetime_seconds", "sms4b_sender", "sms4b_secret", "public_dns",
    "docker_image", "nfs_server",
}  # fmt: skip
INTRODUCTION = """\
# Settings of a catalogue

<!-- Written from plugins/module_utils/_domain/settings.py by tests/unit/test_settings_doc.py; do not edit. -->

A catalogue sets these variables in `inventories/<catalogue>/group_vars/lms_catalogues.yml`. They are read and checked together before
anything is touched: a wrong or missing one is named with what was given and what is expected, a likely typo too.

- Numbers and truth values may be texts (`"8"`, `"yes"`), as AWX surveys give them; lists of ids may be texts with commas.
- An empty value is the same as none.
- **own**: a client may have its own, in `lms_client_settings` under its id and without `lms_`:
  `lms_client_settings: {C42: {replicas: 2}}`. `environment` and `secret_environment` join the catalogue's, everything else replaces.
- **macro**: a request template may use it, with underscores or hyphens: `{{ docker_image }}` or `{{docker-image}}`.
- No secret is a setting but `lms_api_token`, which belongs in a vault or in the environment. Everything else that is secret is a
  reference: the name of an existing Secret, and its key.
"""


def _default(setting: Setting) -> str:
    if setting.default is REQUIRED:
        return "**required**" if setting.name != "catalogue" else "host's name"
    return f"`{json.dumps(setting.default)}`" if setting.default != "" else ""


def _row(setting: Setting) -> str:
    marks = ", ".join(word for word, holds in (("own", setting.own), ("macro", setting.macro)) if holds)
    sentence = f"{setting.sentence} *{setting.kind.expected}*"
    cells = (f"`{setting.variable}`", setting.kind.type, _default(setting), marks, sentence)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |"


def _document() -> str:
    rows = ["| variable | type | default | | what it is, and *what is expected* |", "| --- | --- | --- | --- | --- |"]
    return INTRODUCTION + "\n" + "\n".join([*rows, *map(_row, SETTINGS)]) + "\n"


def test_the_document_is_the_table() -> None:
    path = ROOT / "docs" / "settings.md"
    if os.environ.get("RARUS_LMS_GOLDEN") == "write":
        path.write_text(_document())
    assert path.read_text() == _document()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_says_what_it_is(setting: Setting) -> None:
    assert setting.sentence.endswith(".")
    assert setting.sentence[0].isupper()
    assert setting.kind.expected


def test_every_macro_is_listed() -> None:
    text = (ROOT / "docs" / "templates.md").read_text()
    settings = {setting.name for setting in SETTINGS if setting.macro}
    assert settings | set(OF_A_CLIENT) == MACROS
    for name in [*OF_A_CLIENT, *SECRET_MACROS]:
        assert f"`{hyphened(name)}`" in text, name


@pytest.mark.parametrize("catalogue", INVENTORIES)
def test_a_catalogue_of_this_repository_says_every_setting_of_the_specification(catalogue: str) -> None:
    path = ROOT / "inventories" / catalogue / "group_vars" / "lms_catalogues.yml"
    lines = path.read_text().splitlines()
    assert {f"lms_{name}" for name in SECTION_5} <= set(yaml.safe_load(path.read_text()))
    for number, line in enumerate(lines):
        if line.startswith("lms_") and not line.startswith("lms_api_root_url"):
            assert lines[number - 1].startswith("# "), line
