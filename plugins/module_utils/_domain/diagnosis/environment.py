# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on one client's environment, and what would have to be read to make it sharper."""

from __future__ import annotations

from ..names import deployment_name, service_name
from .jobs import job_findings, wanted_by_jobs
from .model import Finding, Obj, Phase, PublicAnswer, Seen, Severity, Symptom, Verdict, Wanted, dig, name_of
from .recognise import recognise
from .symptoms_path import PATH_KINDS, answer_symptoms, deletion_symptoms, neighbour_symptoms, path_symptoms, route_judgements
from .symptoms_pods import container_states, events_of, is_ready, pod_symptoms, references, unbound_claims
from .symptoms_rollout import (
    has_ready_endpoint,
    image_symptoms,
    missing_symptoms,
    new_pods,
    new_replica_set,
    observed,
    of_quotas,
    rollout_symptoms,
)

__all__ = ["image_of", "judge", "pods_of", "wanted"]

# Symptoms whose cause may be a reference to something that does not exist.
_REFERRING = {"container", "mount"}
_PULL_STEPS = {"Pulling": "pulling image", "Pulled": "image pulled, creating container"}


def judge(seen: Seen) -> Verdict:
    """Return the verdict on what was seen of one environment."""
    if seen.deployment is None:
        findings = (*job_findings(seen), *_without_consequences(recognise([*deletion_symptoms(seen), *missing_symptoms(seen)], seen)))
        failed = any(one.severity is Severity.FATAL for one in findings)
        missing = f"there is no Deployment {deployment_name(seen.client)}"
        return Verdict(Phase.FAILED if failed else Phase.ABSENT, findings, (missing,))
    deleting = dig(seen.deployment, "metadata", "deletionTimestamp") is not None
    if dig(seen.deployment, "spec", "replicas", default=1) == 0 and not deleting:
        return Verdict(Phase.SUSPENDED, progress=("scaled to zero",))
    findings = tuple(_without_consequences(recognise(_symptoms(seen), seen)))
    broken_path = any(one.severity is Severity.FATAL and one.object.startswith(("Ingress", "HTTPRoute", "Service")) for one in findings)
    serving = has_ready_endpoint(seen) and _path_accepted(seen) and not broken_path
    rolled_out = _rolled_out(seen)
    if rolled_out and serving and not deleting and _answers(seen):
        phase = Phase.READY
    elif any(one.severity is Severity.FATAL for one in findings):
        phase = Phase.DEGRADED if serving else Phase.FAILED
    else:
        phase = Phase.PROGRESSING
    overdue = any(symptom.reason == "ProgressDeadlineExceeded" for symptom in rollout_symptoms(seen))
    return Verdict(phase, findings, tuple(_progress(seen, findings, rolled_out=rolled_out)), serving, overdue)


def wanted(seen: Seen, *, last: bool = False) -> Wanted:
    """Return what would make the judgement sharper; nothing where all is well.

    last: nobody looks again, so the log of a container that runs without becoming ready is wanted too.
    """
    if seen.deployment is None:
        return wanted_by_jobs(seen) | Wanted(namespace=seen.recorded)
    published = bool(seen.routes) and seen.publish in PATH_KINDS
    whole = _rolled_out(seen) and has_ready_endpoint(seen) and _path_accepted(seen)
    needed = Wanted(
        references=frozenset(_path_references(seen)),
        neighbours=published and whole,
        answer=seen.probed and whole,
        quotas=of_quotas(one.message for one in rollout_symptoms(seen)),
        namespace=bool(deletion_symptoms(seen)),
    )
    for pod in new_pods(seen):
        if is_ready(pod):
            continue
        symptoms = pod_symptoms(pod, seen)
        needed |= Wanted(
            logs=frozenset(one.log for one in symptoms if one.log is not None and (last or one.subject == "crash")),
            events=frozenset({str(dig(pod, "metadata", "uid", default=""))}),
            references=frozenset(references(pod)) if any(symptom.subject in _REFERRING for symptom in symptoms) else frozenset(),
            nodes=any(symptom.subject == "scheduling" for symptom in symptoms) or (last and not symptoms),
            claims=any(_of_a_claim(symptom) for symptom in symptoms),
        )
        unbound = {str(dig(claim, "metadata", "uid", default="")) for claim in unbound_claims(pod, seen)}
        needed |= Wanted(events=frozenset(unbound))
    return needed


def _of_a_claim(symptom: Symptom) -> bool:
    return symptom.subject == "scheduling" and "persistentvolume" in symptom.message.lower().replace(" ", "")


def pods_of(seen: Seen) -> list[Obj]:
    """Return the pods with their containers' states as the API gives them, the newest first."""
    pods = sorted(seen.pods, key=lambda pod: str(dig(pod, "metadata", "creationTimestamp", default="")), reverse=True)
    return [
        {
            "name": name_of(pod),
            "phase": dig(pod, "status", "phase", default=""),
            "node": dig(pod, "spec", "nodeName", default=""),
            "containers": [_container(status) for status in container_states(pod)],
        }
        for pod in pods
    ]


def _container(status: Obj) -> Obj:
    fields = {"name": "name", "ready": "ready", "restarts": "restartCount", "image": "image", "image_id": "imageID"}
    return {key: status.get(field) for key, field in fields.items()} | {"state": status.get("state") or {}}


def image_of(seen: Seen) -> str:
    """Return the image that runs, with its digest: `registry.example/lms/backend:dev@sha256:...`; empty where none runs."""
    for pod in sorted(new_pods(seen), key=is_ready, reverse=True):
        named = {one.get("name"): one.get("image") for one in dig(pod, "spec", "containers", default=[])}
        for status in dig(pod, "status", "containerStatuses", default=[]):
            _name, mark, digest = str(status.get("imageID") or "").partition("@")
            if mark:
                return f"{str(named.get(status.get('name'))).partition('@')[0]}@{digest}"
    return ""


def _symptoms(seen: Seen) -> list[Symptom]:
    """Return everything that Kubernetes says is wrong with the newest rollout and the public path."""
    found = rollout_symptoms(seen)
    if seen.deployment is not None and observed(seen.deployment):
        for pod in new_pods(seen):
            found += pod_symptoms(pod, seen)
    path = path_symptoms(seen) + neighbour_symptoms(seen) + answer_symptoms(seen)
    return found + deletion_symptoms(seen) + path + image_symptoms(seen)


def _without_consequences(findings: list[Finding]) -> list[Finding]:
    """Return the findings without those that others explain.

    A missed deadline is explained by anything else, a failing probe by a crash, an object that goes by a namespace that does.
    """
    causes = {one.cause for one in findings if one.severity is not Severity.NOTE}
    crashed = {(one.object, name) for one in findings if one.exit_code is not None for name in (one.container, "")}
    return [
        one
        for one in findings
        if not (one.cause in ("rollout_deadline", "rollout_stuck") and causes - {"rollout_deadline", "rollout_stuck"})
        and not (one.cause in ("readiness", "startup", "probe") and (one.object, one.container) in crashed)
        and not (one.cause in ("being_deleted", "deployment_gone") and "namespace_terminating" in causes)
    ]


def _rolled_out(seen: Seen) -> bool:
    """Return whether the newest revision is whole: seen by the controller, its pods updated, ready, and none of an older one left.

    Available (minReadySeconds) is what lets older ones go: where there is none, nobody has to wait for it.
    """
    deployment = seen.deployment
    if deployment is None or not observed(deployment):
        return False
    replicas = int(dig(deployment, "spec", "replicas", default=1))
    status = dig(deployment, "status", default={})
    updated = int(status.get("updatedReplicas") or 0)
    return (
        updated >= replicas
        and int(status.get("replicas") or 0) <= updated
        and int(dig(new_replica_set(seen), "status", "readyReplicas", default=0)) >= replicas
        and any(is_ready(pod) for pod in new_pods(seen))
    )


def _answers(seen: Seen) -> bool:
    """Return whether the public path, where it is asked at all, answered as it should."""
    return not seen.probed or (seen.answer is not None and seen.answer.reason == PublicAnswer.SERVED)


def _path_accepted(seen: Seen) -> bool:
    """Return whether the public path is there, and every Gateway has accepted it (nothing tells this of an Ingress)."""
    if seen.publish == "none":
        return True
    if seen.publish == "ingress":
        return bool(seen.routes)
    judged = [each for route in seen.routes for each in route_judgements(route)]
    return bool(judged) and all(_accepted(conditions) for _parent, conditions in judged)


def _accepted(conditions: list[Obj] | None) -> bool:
    told = {one.get("type"): one.get("status") for one in conditions or []}
    return told.get("Accepted") == "True" and told.get("ResolvedRefs") == "True"


def _path_references(seen: Seen) -> set[tuple[str, str]]:
    """Return what the public path rests on and the lists do not show."""
    found = set()
    if seen.publish == "ingress":
        for ingress in seen.routes:
            found.add(("IngressClass", str(dig(ingress, "spec", "ingressClassName", default=""))))
            found |= {("Secret", str(tls.get("secretName") or "")) for tls in dig(ingress, "spec", "tls", default=[])}
    if any(is_ready(pod) for pod in new_pods(seen)) and not has_ready_endpoint(seen):
        found.add(("Service", service_name(seen.client)))
    return {(kind, name) for kind, name in found if name}


def _progress(seen: Seen, findings: tuple[Finding, ...], *, rolled_out: bool) -> list[str]:
    """Return what is going on, a line for each pod of the newest revision and for what is waited for after them."""
    if seen.deployment is None or not observed(seen.deployment):
        return ["waiting for the controller to see the new specification"]
    lines = []
    for pod in new_pods(seen):
        mine = next((one for one in findings if one.object.endswith(f"/{name_of(pod)}") and one.severity is not Severity.NOTE), None)
        if mine is not None:
            lines.append(f"pod {_short(pod, seen)}: {mine.message}")
        elif not is_ready(pod):
            lines.append(f"pod {_short(pod, seen)}: {_step(pod, seen)}")
    lines += [f"{one.object}: {one.message}" for one in findings if not one.object.startswith("Pod ") and one.severity is not Severity.NOTE]
    ready = sum(is_ready(pod) for pod in new_pods(seen))
    replicas = dig(seen.deployment, "spec", "replicas", default=1)
    if not lines:
        waited = (
            "waiting for the public path" if rolled_out and not _answers(seen) else "" if rolled_out else "waiting for the rollout to end"
        )
        lines.append(", ".join(filter(None, [f"{ready} of {replicas} ready", waited])))
    return lines


def _short(pod: Obj, seen: Seen) -> str:
    return name_of(pod).removeprefix(deployment_name(seen.client) + "-")


def _step(pod: Obj, seen: Seen) -> str:
    """Return how far a pod has come that nothing is wrong with."""
    if any(dig(status, "state", "running") for status in dig(pod, "status", "containerStatuses", default=[])):
        return "started, waiting for readiness"
    if not dig(pod, "spec", "nodeName"):
        return "waiting for a node"
    told = [str(event.get("reason")) for event in events_of(pod, seen) if event.get("reason") in _PULL_STEPS]
    return _PULL_STEPS[told[-1]] if told else "creating container"
