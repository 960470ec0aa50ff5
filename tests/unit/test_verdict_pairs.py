# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds pairs of faults sees each way in which one of the two may be named wrongly."""

from __future__ import annotations

import typing as t

import pytest
from support.verdict_faults import FAULTS
from support.verdict_pairs import SORTS, Half, Pair, misnamed, objects_of_pair, pairs, reasons_of

CRASH = next(fault for fault in FAULTS if fault.cause == "crash")
MISSING = next(fault for fault in FAULTS if fault.cause == "image_not_found")
PAIR = Pair(501, (Half("container", CRASH), Half("second container", MISSING)))
POD = "Pod verdict/lms-deployment-c501-6d9f-x2k1p"
REASONS = {POD: {"Error", "ImagePullBackOff"}}
TOLD: dict[str, t.Any] = {
    "message": "the container ends",
    "beside": [],
    "findings": [
        {"object": POD, "container": "c501", "cause": "crash", "reason": "Error", "severity": "fatal", "message": "the container ends"},
        {
            "object": POD,
            "container": "second",
            "cause": "image_not_found",
            "reason": "ErrImagePull",
            "severity": "fatal",
            "message": "none",
        },
    ],
}


def changed(number: int, **more: t.Any) -> dict[str, t.Any]:
    """Return what was told, with one finding otherwise."""
    return {**TOLD, "findings": [{**one, **more} if place == number else one for place, one in enumerate(TOLD["findings"])]}


def test_a_pair_that_is_told_as_it_should_be() -> None:
    assert misnamed(PAIR, TOLD, REASONS) == []


WRONG = {
    "one of them": {**TOLD, "findings": TOLD["findings"][:1]},
    "no container": changed(1, container=""),
    "the other's container": changed(1, container="c501"),
    "another object": changed(0, object="Pod verdict/lms-deployment-c502-6d9f-x2k1p"),
    "another cause": changed(0, cause="program_ended"),
    "a reason that is nobody's": changed(0, reason="Broken"),
    "what may heal first": changed(0, severity="waiting"),
    "another cause on the screen": {**TOLD, "message": "none"},
}


@pytest.mark.parametrize("told", WRONG.values(), ids=WRONG)
def test_a_pair_that_is_told_otherwise(told: dict[str, t.Any]) -> None:
    assert misnamed(PAIR, told, REASONS) != []


def test_reasons_are_those_of_the_status_and_of_events() -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"namespace": "verdict", "name": "p"},
        "spec": {"reason": "none of these"},
        "status": {"containerStatuses": [{"lastState": {"terminated": {"reason": "Error"}}}]},
    }
    event = {"kind": "Event", "reason": "FailedMount", "involvedObject": {"kind": "Pod", "namespace": "verdict", "name": "p"}}
    assert reasons_of([pod, event]) == {"Pod verdict/p": {"Error", "FailedMount"}}


def test_a_seed_names_its_draw() -> None:
    drawn = pairs(7, 20)
    assert drawn == pairs(7, 20)
    assert drawn != pairs(8, 20)
    assert {tuple(half.place for half in pair.halves) for pair in drawn} == set(SORTS)
    assert [pair for pair in drawn if pair.halves[0].fault == pair.halves[1].fault] == []
    assert len({pair.client for pair in drawn}) == len([pair for pair in drawn if objects_of_pair(pair)])
