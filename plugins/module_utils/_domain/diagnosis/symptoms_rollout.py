# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes says is wrong with a rollout and with the public path: Deployment, ReplicaSets, Service, Ingress or HTTPRoute."""

from __future__ import annotations

from ..names import ingress_name, route_name, service_name
from .model import Obj, Seen, Symptom, condition, dig, name_of
from .symptoms_pods import is_gone, is_ready

__all__ = [
    "has_ready_endpoint",
    "new_pods",
    "new_replica_set",
    "observed",
    "path_symptoms",
    "rollout_symptoms",
    "route_judgements",
]

REVISION = "deployment.kubernetes.io/revision"
PATH_KINDS = {"ingress": "Ingress", "httproute": "HTTPRoute"}


def observed(deployment: Obj) -> bool:
    """Return whether the controller has seen the newest specification; before that its status tells of the one before."""
    return int(dig(deployment, "status", "observedGeneration", default=0)) >= int(dig(deployment, "metadata", "generation", default=0))


def new_replica_set(seen: Seen) -> Obj | None:
    """Return the ReplicaSet of the newest revision: the one whose pods are judged."""
    if seen.deployment is None:
        return None
    uid = dig(seen.deployment, "metadata", "uid", default="")
    revision = dig(seen.deployment, "metadata", "annotations", REVISION)
    return next(
        (one for one in seen.replica_sets if _owner(one) == uid and dig(one, "metadata", "annotations", REVISION) == revision),
        None,
    )


def new_pods(seen: Seen) -> list[Obj]:
    """Return the pods of the newest revision that are not on their way out."""
    newest = new_replica_set(seen)
    uid = dig(newest, "metadata", "uid", default=None)
    return [pod for pod in seen.pods if uid and _owner(pod) == uid and not is_gone(pod)]


def _owner(obj: Obj) -> str:
    owners = dig(obj, "metadata", "ownerReferences", default=[])
    return str(next((one.get("uid") for one in owners if one.get("controller")), ""))


def rollout_symptoms(seen: Seen) -> list[Symptom]:
    """Return what the Deployment and its newest ReplicaSet say: pods that cannot be created, a pause, no progress."""
    if seen.deployment is None or not observed(seen.deployment):
        return []
    found: list[Symptom] = []
    newest = new_replica_set(seen)
    name = name_of(seen.deployment)
    for kind, owner in (("ReplicaSet", newest), ("Deployment", seen.deployment)):
        failure = condition(owner, "ReplicaFailure")
        if owner is not None and failure.get("status") == "True" and not found:
            retry = f"`kubectl -n {seen.namespace} rollout restart deployment {name}` has it tried at once"
            found.append(_of_condition("creation", f"{kind} {seen.namespace}/{name_of(owner)}", failure, retry=retry))
    reference = f"Deployment {seen.namespace}/{name}"
    if dig(seen.deployment, "spec", "paused", default=False):
        found.append(Symptom("rollout", reference, "DeploymentPaused", facts={"deployment": name}))
    progressing = condition(seen.deployment, "Progressing")
    if progressing.get("status") == "False":
        seconds = dig(seen.deployment, "spec", "progressDeadlineSeconds", default=600)
        found.append(_of_condition("rollout", reference, progressing, seconds=seconds, deployment=name))
    return found


def _of_condition(subject: str, reference: str, told: Obj, **facts: object) -> Symptom:
    """Return a condition as a symptom."""
    return Symptom(
        subject,
        reference,
        str(told.get("reason", "")),
        str(told.get("message", "")),
        since=str(told.get("lastTransitionTime", "")),
        facts=facts,
    )


def has_ready_endpoint(seen: Seen) -> bool:
    """Return whether the Service sends requests to a pod; where slices may not be read, whether a pod is ready."""
    if "EndpointSlice" in seen.not_seen:
        return any(is_ready(pod) for pod in seen.pods)
    endpoints = [endpoint for one in seen.slices for endpoint in one.get("endpoints") or []]
    return any(dig(endpoint, "conditions", "ready", default=True) for endpoint in endpoints)


def path_symptoms(seen: Seen) -> list[Symptom]:
    """Return what is wrong between the public name and the pods. Asked for once pods are ready: before that all of it is a consequence."""
    found = []
    service = service_name(seen.client)
    reference = f"Service {seen.namespace}/{service}"
    if ("Service", service) in seen.absent:
        found.append(Symptom("service", reference, "NotFound", facts={"service": service}))
    elif any(is_ready(pod) for pod in new_pods(seen)) and not has_ready_endpoint(seen):
        found.append(Symptom("service", reference, "NoEndpoints", facts={"service": service}))
    if seen.publish in PATH_KINDS and not seen.routes:
        name = ingress_name(seen.client) if seen.publish == "ingress" else route_name(seen.client)
        found.append(Symptom(seen.publish, f"{PATH_KINDS[seen.publish]} {seen.namespace}/{name}", "NotFound", facts={"name": name}))
    for route in seen.routes:
        found += _ingress_symptoms(route, seen) if seen.publish == "ingress" else _route_symptoms(route, seen)
    return found


def _ingress_symptoms(ingress: Obj, seen: Seen) -> list[Symptom]:
    """Return what is wrong with an Ingress: its class and its TLS Secrets, as far as they were proven absent."""
    reference = f"Ingress {seen.namespace}/{name_of(ingress)}"
    found = []
    name = str(dig(ingress, "spec", "ingressClassName", default=""))
    if ("IngressClass", name) in seen.absent:
        found.append(Symptom("ingress", reference, "IngressClassNotFound", facts={"class": name}))
    for tls in dig(ingress, "spec", "tls", default=[]):
        secret = str(tls.get("secretName") or "")
        if ("Secret", secret) in seen.absent:
            found.append(Symptom("ingress", reference, "TLSSecretNotFound", facts={"secret": secret}))
    return found


def route_judgements(route: Obj) -> list[tuple[str, list[Obj] | None]]:
    """Return for each parent that an HTTPRoute names what it says (conditions of this generation), None where it has not judged yet."""
    generation = dig(route, "metadata", "generation", default=0)
    told = dig(route, "status", "parents", default=[])
    judged = []
    for parent in dig(route, "spec", "parentRefs", default=[]):
        name = "/".join(filter(None, [str(parent.get("namespace") or ""), str(parent.get("name", ""))]))
        said = [each for one in told if _same_parent(parent, one.get("parentRef") or {}) for each in one.get("conditions") or []]
        judged.append((name, [each for each in said if int(each.get("observedGeneration", generation)) >= generation] or None))
    return judged


def _same_parent(one: Obj, other: Obj) -> bool:
    return all((one.get(key) or None) == (other.get(key) or None) for key in ("name", "sectionName", "port")) and (
        not one.get("namespace") or not other.get("namespace") or one["namespace"] == other["namespace"]
    )


def _route_symptoms(route: Obj, seen: Seen) -> list[Symptom]:
    """Return what the parents of an HTTPRoute say of it."""
    reference = f"HTTPRoute {seen.namespace}/{name_of(route)}"
    found = []
    for parent, conditions in route_judgements(route):
        if conditions is None:
            found.append(Symptom("httproute", reference, "NotJudged", settled=False, facts={"parent": parent}))
        for told in conditions or []:
            if told.get("type") in ("Accepted", "ResolvedRefs") and told.get("status") != "True":
                found.append(_of_condition("httproute", reference, told, parent=parent, condition=told.get("type")))
    return found
