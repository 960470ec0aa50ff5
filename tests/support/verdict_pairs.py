# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two faults of one client at once, as far as they can be there together, drawn at random; the seed names the draw.

A half strikes in a place: a container of the pod or a second one beside it, the whole pod (or that there is none), the public path, a
database Job or a second one. A pod that cannot start has no container that could say something of its own, so these two are no pair.
"""

from __future__ import annotations

import copy
import itertools
import random
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .verdict_faults import FAULTS, NAMESPACE, Fault, environment
from .verdict_jobs import JOB_FAULTS, JobFault, job
from .verdict_paths import PATH_FAULTS, unreachable

__all__ = ["SORTS", "Half", "Pair", "jobs_of_pairs", "misnamed", "objects_of_pair", "pairs", "publish_of", "reasons_of"]

Obj = dict[str, t.Any]
FIRST_CLIENT = 501
# Of a container alone although the pod has a volume for it.
WITH_VOLUME = frozenset({130, 133, 137, 138, 139, 140, 141})
# The whole pod cannot be made, has no node, or is not started by its node.
OF_A_POD = frozenset({111, 112, 113, 114, 118, 119, 122, 124, 127, 131, 132, 144, 150, 151, 152})
# What is wrong with a path, whatever its pods do.
OF_A_PATH = frozenset({301, 302, 311, 314, 316, 317, 318})
# Jobs that fail by what they run, and nothing around them has to be arranged for.
OF_A_JOB = frozenset(fault.number for fault in JOB_FAULTS if fault.ends and fault.alone)
PLACES: Mapping[str, Sequence[Fault | JobFault]] = {
    "container": tuple(
        fault
        for fault in FAULTS
        if fault.number in WITH_VOLUME
        or (fault.object == "Pod" and fault.phase == "failed" and fault.early and not fault.pod and "memory" not in fault.container)
    ),
    "pod": tuple(fault for fault in FAULTS if fault.number in OF_A_POD),
    "path": tuple(fault for fault in PATH_FAULTS if fault.number in OF_A_PATH),
    "job": tuple(fault for fault in JOB_FAULTS if fault.number in OF_A_JOB and not fault.clickhouse),
    "second job": tuple(fault for fault in JOB_FAULTS if fault.number in OF_A_JOB and fault.clickhouse),
}
PLACES = {**PLACES, "second container": PLACES["container"]}
SORTS = (
    ("container", "second container"),
    ("container", "path"),
    ("container", "job"),
    ("pod", "path"),
    ("pod", "second job"),
    ("path", "job"),
    ("job", "second job"),
)
# Where Kubernetes says nothing, as what is looked for is not there.
OWN_REASONS = {"path_missing": {"NotFound"}, "tls_secret_missing": {"TLSSecretNotFound"}}
# Kubernetes has two words for these, by turns.
TURNS = ({"ErrImagePull", "ImagePullBackOff"}, {"RunContainerError", "StartError"})


@dataclass(frozen=True)
class Half:
    """One of two faults, and where it strikes."""

    place: str
    fault: Fault | JobFault

    def moved(self, number: int) -> t.Any:
        """Return the fault as a client's of that number."""
        return replace(self.fault, number=number)

    def where(self, number: int) -> tuple[str, str]:
        """Return how the finding's object has to begin, and its container."""
        name = f"c{number}"
        if isinstance(self.fault, JobFault):
            job_name = self.moved(number).name
            of_the_job = self.fault.container == ""
            return (f"Job {NAMESPACE}/{job_name}" if of_the_job else f"Pod {NAMESPACE}/{job_name}-"), self.fault.container
        if self.place == "path":
            return f"{self.fault.object} {NAMESPACE}/client-lms-{'ingress' if self.fault.object == 'Ingress' else 'route'}-{name}", ""
        container = {"container": name, "second container": "second"}.get(self.place, "")
        return f"{self.fault.object} {NAMESPACE}/lms-deployment-{name}", container


@dataclass(frozen=True)
class Pair:
    """Two faults of the client of that number."""

    number: int
    halves: tuple[Half, Half]

    @property
    def client(self) -> str:
        """The client's id."""
        return f"C{self.number}"

    def in_place(self, *places: str) -> t.Any:
        """Return the fault in one of these places, as this client's; None where there is none."""
        return next((half.moved(self.number) for half in self.halves if half.place in places), None)


def pairs(seed: int, count: int) -> list[Pair]:
    """Return that many different pairs of faults, of each sort as many as of another, each with the number of its client."""
    draw = random.Random(seed)
    sorts = itertools.islice(itertools.cycle(draw.sample(SORTS, len(SORTS))), count)
    drawn: list[tuple[Half, Half]] = []
    for places in sorts:
        every = [(Half(places[0], one), Half(places[1], other)) for one in PLACES[places[0]] for other in PLACES[places[1]] if one != other]
        drawn.append(draw.choice([halves for halves in every if halves not in drawn]))
    return [Pair(FIRST_CLIENT + number, halves) for number, halves in enumerate(drawn)]


def publish_of(pair: Pair) -> str:
    """Return how the client of a pair is published."""
    path = pair.in_place("path")
    return "none" if path is None else {"Ingress": "ingress", "HTTPRoute": "httproute"}[path.object]


def jobs_of_pairs(drawn: Iterable[Pair]) -> dict[str, list[str]]:
    """Return the names of the Jobs of clients that have an environment beside them."""
    beside = [pair for pair in drawn if pair.halves[0].place != "job"]
    return {pair.client: [fault.name] for pair in beside if (fault := pair.in_place("job", "second job"))}


def objects_of_pair(pair: Pair) -> list[Obj]:
    """Return what a pair is made of: an environment with both faults, and Jobs; of two Jobs no environment, as provisioning ends there."""
    jobs = [job(half.moved(pair.number)) for half in pair.halves if isinstance(half.fault, JobFault)]
    path, whole = pair.in_place("path"), pair.in_place("container", "pod")
    if path is None and whole is None:
        return jobs
    routes = [obj for obj in unreachable(path) if obj["kind"] in ("Ingress", "HTTPRoute")] if path else []
    serving = environment(whole or Fault(pair.number, "", {"readinessProbe": None}))
    if second := pair.in_place("second container"):
        _add_container(serving[0]["spec"]["template"]["spec"], environment(second)[0]["spec"]["template"]["spec"])
    return [*serving, *routes, *jobs]


def _add_container(pod: Obj, other: Obj) -> None:
    """Put the container of another pod beside a pod's own, with its volumes."""
    second = copy.deepcopy(other["containers"][0])
    second["name"] = "second"
    pod["containers"].append(second)
    pod["volumes"] = list({one["name"]: one for one in [*pod.get("volumes", []), *other.get("volumes", [])]}.values())


def reasons_of(listed: Iterable[Obj]) -> dict[str, set[str]]:
    """Return Kubernetes' own reasons by the object that they are said of (`Pod verdict/name`): in its status, and in events about it."""
    found: dict[str, set[str]] = {}
    for obj in listed:
        about = obj["involvedObject"] if obj["kind"] == "Event" else {"kind": obj["kind"], **obj["metadata"]}
        said = {obj["reason"]} if obj["kind"] == "Event" else set(_reasons(obj.get("status", {})))
        found.setdefault(f"{about['kind']} {about.get('namespace', '')}/{about['name']}", set()).update(said)
    return found


def _reasons(part: t.Any) -> Iterable[str]:
    """Return every reason at any depth."""
    if isinstance(part, dict):
        yield from (str(value) for key, value in part.items() if key == "reason")
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _reasons(value)


def misnamed(pair: Pair, told: Obj, reasons: Mapping[str, set[str]]) -> list[str]:
    """Return what is not told of a pair as it should be.

    told has the findings, the message that the screen begins with, and beside them those of the Jobs (`beside`).
    """
    findings, wrong = [*told["findings"], *told["beside"]], []
    for half in pair.halves:
        begins, container = half.where(pair.number)
        mine = [one for one in findings if one["object"].startswith(begins) and one["container"] == container]
        if half.fault.cause not in [one["cause"] for one in mine]:
            wrong.append(f"{begins} {container}: {[one['cause'] for one in mine]}, not {half.fault.cause}")
        wrong += [
            f"{one['object']}: {one['reason']} is no reason of Kubernetes', which says {sorted(reasons.get(one['object'], ()))}"
            for one in mine
            if not _says(one, reasons)
        ]
    return wrong + _disorder(told)


def _says(finding: Obj, reasons: Mapping[str, set[str]]) -> bool:
    """Return whether Kubernetes gives the reason of a finding for its object."""
    known = {*reasons.get(finding["object"], ()), *OWN_REASONS.get(finding["cause"], ())}
    turns = [turn for turn in TURNS if finding["reason"] in turn and known & turn]
    return finding["reason"] in known or bool(turns)


def _disorder(told: Obj) -> list[str]:
    """Return where a cause that may heal comes before one that will not, and where the screen begins with another than the first."""
    severities = [one["severity"] for one in told["findings"]]
    wrong = [] if severities == sorted(severities, key=["fatal", "waiting", "note"].index) else [f"the order is {severities}"]
    first = told["findings"][0]["message"] if told["findings"] else "nothing"
    return wrong if told["message"] in ("", first) else [*wrong, f"it begins with {told['message']!r}, not {first!r}"]
