# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive for a ticket: what is in it, and that no secret is."""

from __future__ import annotations

import base64
import json
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_archive import run
from support.archives import texts_of
from support.client_objects import CANARIES, with_canaries
from support.fake_api import FakeApi


def pack(api: FakeApi, path: Path, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Run the operation."""
    given = {"client": "C42", "namespace": "lms-dev", "registry_namespace": "", "redact_secrets": ["postgres-admin"]}
    verdict = {"environments": [{"message": f"knows {CANARIES[0]}"}]}
    return run({**api.params, **given, "path": str(path), "verdict": verdict, **options}, Context(check_mode=check_mode))


def test_everything_is_in_it_and_no_secret(fake_api: FakeApi, tmp_path: Path) -> None:
    fake_api.add(*with_canaries())
    fake_api.answer("GET", "/log", body=f"{' '.join(CANARIES[:3])} {base64.b64encode(CANARIES[0].encode()).decode()}\n", times=2)
    told = pack(fake_api, tmp_path / "x.tar.gz")
    files = texts_of(tmp_path / "x.tar.gz")
    assert [place for place, text in files.items() for canary in CANARIES if canary[:12] in text] == []
    assert set(files) == {f"C42/{name}" for name in told["files"]}
    assert {"C42/objects/Pod-pod-1.json", "C42/objects/Secret-lms-credentials-c42.json", "C42/logs/pod-1-c42-previous.txt"} <= set(files)
    assert "data" not in json.loads(files["C42/objects/Secret-lms-credentials-c42.json"])
    assert stat.S_IMODE((tmp_path / "x.tar.gz").stat().st_mode) == 0o600


def test_what_may_not_be_read_is_listed(fake_api: FakeApi, tmp_path: Path) -> None:
    fake_api.add(*with_canaries())
    fake_api.fail("GET", "/resourcequotas", 403, "Forbidden", times=9)
    assert list(pack(fake_api, tmp_path / "x.tar.gz")["missing"]) == ["ResourceQuota"]


def test_what_else_may_be_the_cause_is_in_it(fake_api: FakeApi, tmp_path: Path) -> None:
    shared = {
        "LimitRange": ("v1", "lms-dev"),
        "ServiceAccount": ("v1", "lms-dev"),
        "NetworkPolicy": ("networking.k8s.io/v1", "lms-dev"),
        "Gateway": ("gateway.networking.k8s.io/v1", "lms-dev"),
        "Node": ("v1", ""),
    }
    fake_api.add(*with_canaries())
    fake_api.add(
        *({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": place}} for kind, (version, place) in shared.items())
    )
    assert {f"objects/{kind}-x.json" for kind in shared} <= set(pack(fake_api, tmp_path / "x.tar.gz")["files"])


def test_check_mode_writes_nothing(fake_api: FakeApi, tmp_path: Path) -> None:
    fake_api.add(*with_canaries())
    pack(fake_api, tmp_path / "x.tar.gz", check_mode=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused_first(fake_api: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path: "):
        pack(fake_api, tmp_path / "none" / "x.tar.gz")
    assert fake_api.requests == []
