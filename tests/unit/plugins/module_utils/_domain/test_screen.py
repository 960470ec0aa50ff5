# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that operators read, held against design: at most 100 columns, the cause first."""

from __future__ import annotations

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.screen import WIDTH, failure, progress, ready, short_image, stage

IMAGE = "registry.example/lms/backend:dev@sha256:1f2e90c4" + "0" * 56


def test_a_finished_stage() -> None:
    assert stage("preflight", "rights, namespace, catalogue", 0.31) == f"  preflight    {'rights, namespace, catalogue':<54}   0.3 s"


def test_progress_names_its_stage_once() -> None:
    assert progress("rollout", 0.81, "pod 6d9f-x2k1p: pulling image") == "  rollout      0.8 s  pod 6d9f-x2k1p: pulling image"
    assert progress("", 4.1, "pod 6d9f-x2k1p: started") == "               4.1 s  pod 6d9f-x2k1p: started"
    assert progress("", 104.1, "x").index("x") == progress("", 4.1, "x").index("x")


def test_progress_is_never_wider_than_a_screen() -> None:
    assert len(progress("rollout", 1.0, "word " * 50)) <= WIDTH


def test_ready_with_and_without_changes() -> None:
    address = "https://backend.lms-dev.example/C42/"
    assert ready("C42", address, 13.14, image=IMAGE) == [
        f"C42 is ready after 13.1 s   {address}",
        "             image registry.example/lms/backend:dev@sha256:1f2e90c4",
    ]
    assert ready("C42", address, 1.4, image=IMAGE, changed=False) == [f"C42 is ready, nothing changed (1.4 s)   {address}"]
    assert ready("C42", "", 1.4, changed=False) == ["C42 is ready, nothing changed (1.4 s)"]


def test_a_failure_has_its_facts_below_one_another() -> None:
    lines = failure(
        "C42 in lms-dev FAILED after 5.2 s: no", [("object", ["Job x"]), ("log", ["one", "two"]), ("also", []), ("next", ["y"])]
    )
    assert lines == [
        "C42 in lms-dev FAILED after 5.2 s: no",
        "  object   Job x",
        "  log      one",
        "           two",
        "  next     y",
    ]


@pytest.mark.parametrize("text", ["word " * 60, "x" * 250, "a\tb " * 40], ids=["words", "one word", "tabs"])
def test_a_failure_is_never_wider_than_a_screen(text: str) -> None:
    lines = failure(text, [("log", [text])])
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.count("x") for line in lines) == 2 * text.count("x")


def test_images_without_a_digest_stay() -> None:
    assert short_image("registry.example/lms/backend:dev") == "registry.example/lms/backend:dev"
    assert short_image(IMAGE).endswith(":dev@sha256:1f2e90c4")
