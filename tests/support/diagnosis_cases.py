# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the diagnosis: tests/unit/plugins/module_utils/_domain/diagnosis/cases/*.yml, laid over base.yml.

A case of an environment may give deployment, replica_set, pod, container (the pod's status), slice, ingress, route (null: there is none),
ready, publish, events, absent, nodes, neighbours, claims, recorded, began (and watched), now, waited, answer (of the public path), log.
One of a Job (jobs.yml) may give job (failed, gone), job_spec, job_status, job_pod,
job_container, clickhouse, events, log. The rest is what is expected: cause, message, severity, phase, object, reason, next, evidence,
exit_code.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import replace
from pathlib import Path

import yaml
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import wanted
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.jobs import wanted_by_jobs
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import PublicAnswer, Seen

__all__ = ["BASE", "ENVIRONMENT_CASES", "JOB_CASES", "case_id", "laid_over", "seen_of_case", "seen_of_job_case"]

CASES = Path(__file__).parents[1] / "unit" / "plugins" / "module_utils" / "_domain" / "diagnosis" / "cases"
Case = dict[str, t.Any]


def read(name: str) -> t.Any:
    """Return one file of cases."""
    return yaml.safe_load((CASES / f"{name}.yml").read_text())


def laid_over(base: t.Any, more: t.Any) -> t.Any:
    """Return a copy of base with more laid over it: dictionaries are merged, everything else is replaced, null takes a key away."""
    if not isinstance(base, dict) or not isinstance(more, dict):
        return copy.deepcopy(more)
    merged = copy.deepcopy(base)
    for key, value in more.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = laid_over(merged[key], value) if key in merged else copy.deepcopy(value)
    return merged


BASE: Case = read("base")
CRASHED = {
    "restartCount": 1,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}
ENVIRONMENT_CASES: list[Case] = [
    *(case for name in ("images", "configuration", "crashes", "nodes", "rollouts", "paths") for case in read(name)),
    *({"container": CRASHED, **case} for case in read("logs")),
]
JOB_CASES: list[Case] = read("jobs")


def case_id(case: Case) -> str:
    """Return what pytest calls a case."""
    return str(case["cause"])


def seen_of_case(case: Case) -> Seen:
    """Return what the API would have shown of the environment of a case, logs included."""
    base = laid_over(BASE, BASE["ready"]) if case.get("ready") else BASE
    part = {
        name: laid_over(base[name], case.get(name, {})) if case.get(name, {}) is not None else None
        for name in ("deployment", "replica_set", "pod", "slice", "ingress", "route")
    }
    if part["pod"] is not None:
        state = case.get("container", {}).get("state")
        container = laid_over(base["container"], {**case.get("container", {}), **({"state": {}} if state else {})})
        part["pod"]["status"].setdefault("containerStatuses", [container | ({"state": state} if state else {})])
    routes = {"ingress": part["ingress"], "httproute": part["route"]}.get(case.get("publish", "none"))
    seen = Seen(
        client=ClientId(42),
        namespace="lms-dev",
        publish=case.get("publish", "none"),
        deployment=part["deployment"],
        replica_sets=[part["replica_set"]] if part["replica_set"] else [],
        pods=[part["pod"]] if part["pod"] else [],
        slices=[part["slice"]] if part["slice"] else [],
        routes=[routes] if routes else [],
        events=case.get("events", []),
        absent=frozenset((kind, name) for kind, name in case.get("absent", [])),
        nodes=case.get("nodes"),
        neighbours=case.get("neighbours", []),
        probed="answer" in case,
        newer_image=case.get("newer_image", ""),
        claims=case.get("claims", []),
        quotas=case.get("quotas", []),
        leaving=case.get("leaving", ""),
        recorded=case.get("recorded", False),
        began=case.get("began", 0.0),
        watched=case.get("began", 0.0),
        now=case.get("now", 0.0),
        waited=case.get("waited", True),
        answer=PublicAnswer("https://backend.lms-dev.example/C42/", **case["answer"]) if "answer" in case else None,
    )
    return with_log(seen, case, wanted(seen, last=True).logs)


def seen_of_job_case(case: Case) -> tuple[str, Case | None, Seen]:
    """Return the Job's name, the Job, and what the API would have shown of it and its pod."""
    conditions = {
        "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}]
    }
    changes = {"spec": case.get("job_spec", {}), "status": case.get("job_status", conditions if case.get("job") == "failed" else {})}
    job = laid_over(BASE["job"], changes)
    pods = []
    if case.get("job_pod", {}) is not None:
        pod = laid_over(BASE["job_pod"], case.get("job_pod", {}))
        if case.get("clickhouse"):
            pod["spec"]["containers"][0]["name"] = "clickhouse-setup"
        container = laid_over(BASE["job_container"], {**case.get("job_container", {}), "name": pod["spec"]["containers"][0]["name"]})
        pod["status"]["containerStatuses"] = [container]
        pods = [pod]
    events, quotas = case.get("events", []), case.get("quotas", [])
    seen = Seen(client=ClientId(42), namespace="lms-dev", jobs=[job], pods=pods, events=events, quotas=quotas)
    return job["metadata"]["name"], None if case.get("job") == "gone" else job, with_log(seen, case, wanted_by_jobs(seen).logs)


def with_log(seen: Seen, case: Case, keys: t.Iterable[t.Any]) -> Seen:
    """Return what was seen with the log of a case under the keys that the diagnosis asks for."""
    log: list[str] = case.get("log", [])
    return replace(seen, logs=dict.fromkeys(keys, log)) if log else seen
