# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two faults in one environment: a container each in one pod, drawn at random; the seed names the draw."""

from __future__ import annotations

import copy
import itertools
import random
import typing as t

from .verdict_faults import FAULTS, Fault, environment

__all__ = ["Pair", "objects_of_pair", "pairs"]

Obj = dict[str, t.Any]
Pair = tuple[int, Fault, Fault]
FIRST_CLIENT = 501
# Faults of one container alone, which say so in its own state, whatever the pod's other containers do.
OF_A_CONTAINER = tuple(
    fault for fault in FAULTS if fault.object == "Pod" and fault.early and not fault.pod and "memory" not in fault.container
)


def pairs(seed: int, count: int) -> list[Pair]:
    """Return that many different pairs of faults, each with the number of its client."""
    every = list(itertools.combinations(OF_A_CONTAINER, 2))
    drawn = random.Random(seed).sample(every, count)
    return [(FIRST_CLIENT + number, one, other) for number, (one, other) in enumerate(drawn)]


def objects_of_pair(pair: Pair) -> list[Obj]:
    """Return the environment of a pair: the first fault's, with the second's container beside its own."""
    number, one, other = pair
    objects = environment(Fault(number, one.cause, one.container))
    beside = environment(Fault(number, other.cause, other.container))[0]["spec"]["template"]["spec"]["containers"][0]
    second = copy.deepcopy(beside)
    second["name"] = "second"
    objects[0]["spec"]["template"]["spec"]["containers"].append(second)
    return objects
