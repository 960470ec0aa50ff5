# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import types
import typing as t
from importlib import metadata

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.deps import CRYPTOGRAPHY, KUBERNETES, Library
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Library]:
    """Return a library of a version that is not really there."""

    def made(version: str) -> Library:
        module = types.ModuleType("kubernetes")
        monkeypatch.setattr(module, "__version__", version, raising=False)
        monkeypatch.setitem(sys.modules, "kubernetes", module)
        return Library("kubernetes", minimum=KUBERNETES.minimum, purpose=KUBERNETES.purpose, broken=KUBERNETES.broken)

    return made


@pytest.mark.parametrize("version", ["30.0.0", "35.0.0", "36.0.2", "37.0.2", "37.0.2+snapshot"])
def test_a_fit_version_is_taken(library: t.Callable[[str], Library], version: str) -> None:
    assert library(version).require().__version__ == version


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("36.0.0", "36.0.0 does not send the token"),
        ("36.0.1", "36.0.1 does not send the token"),
        ("24.2.0", "24.2.0 is older than 30.0.0"),
    ],
)
def test_an_unfit_version_is_refused_with_the_way_out(library: t.Callable[[str], Library], version: str, words: str) -> None:
    with pytest.raises(LmsError) as caught:
        library(version).require()
    message = caught.value.as_result()["msg"]
    assert words in message
    assert "pip install 'kubernetes>=30.0.0,!=36.0.0,!=36.0.1'" in message


def test_a_missing_library_is_said_when_it_is_needed() -> None:
    missing = Library.load("no_such_library_of_ours", minimum=(1,), purpose="testing")
    with pytest.raises(LmsError, match=r"no_such_library_of_ours cannot be imported .* testing needs it") as caught:
        missing.require()
    assert "\n" not in caught.value.as_result()["msg"]
    with pytest.raises(LmsError):
        missing.part("anything")


def test_a_library_of_others_is_judged_by_its_version_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    KUBERNETES.expect()
    monkeypatch.setattr(metadata, "version", lambda _name: "36.0.1")
    with pytest.raises(LmsError, match=r"36\.0\.1 does not send the token"):
        KUBERNETES.expect()
    with pytest.raises(LmsError, match="no_such_library_of_ours cannot be imported"):
        monkeypatch.undo()
        Library("no_such_library_of_ours", minimum=(1,), purpose="testing").expect()


def test_submodules_are_found_by_their_names() -> None:
    assert CRYPTOGRAPHY.part("exceptions").__name__ == "cryptography.exceptions"


def test_a_library_is_imported_when_it_is_asked_for() -> None:
    program = "import sys; from ansible_collections.rarus.lms.plugins.action import namespace_info; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert "urllib3" in seen
    assert {"kubernetes", "phonenumbers", "email_validator", "pyrage"} & set(seen) == set()
