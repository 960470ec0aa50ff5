# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes says is wrong with a rollout: Deployment, ReplicaSets, endpoints."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ..names import deployment_name
from .causes_rollout import EXCEEDED_QUOTA
from .model import Obj, Seen, Symptom, condition, dig, is_old, name_of
from .symptoms_pods import is_gone, is_ready

__all__ = [
    "has_ready_endpoint",
    "image_symptoms",
    "missing_symptoms",
    "new_pods",
    "new_replica_set",
    "observed",
    "of_condition",
    "of_quotas",
    "rollout_symptoms",
    "with_quota",
]

SHOWN_OF_A_DIGEST = len("sha256:") + 8
REVISION = "deployment.kubernetes.io/revision"


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
            told = of_condition("creation", f"{kind} {seen.namespace}/{name_of(owner)}", failure)
            found.append(_aged(with_quota(told, seen), seen))
    reference = f"Deployment {seen.namespace}/{name}"
    if dig(seen.deployment, "spec", "paused", default=False):
        found.append(Symptom("rollout", reference, "DeploymentPaused", facts={"deployment": name}))
    progressing = condition(seen.deployment, "Progressing")
    if progressing.get("status") == "False":
        seconds = dig(seen.deployment, "spec", "progressDeadlineSeconds", default=600)
        found.append(_aged(of_condition("rollout", reference, progressing, seconds=seconds, deployment=name), seen))
    return found


def of_quotas(messages: t.Iterable[str]) -> bool:
    """Return whether one of the messages is that a quota has kept a pod from being made."""
    return any(re.search(EXCEEDED_QUOTA, one) for one in messages)


def with_quota(symptom: Symptom, seen: Seen) -> Symptom:
    """Return why a pod was not made with how full the quota is by now, as far as quotas were read: others may have made room since."""
    told = re.search(EXCEEDED_QUOTA, symptom.message)
    quota = next((one for one in seen.quotas if told and name_of(one) == told["quota"]), None)
    if told is None or quota is None:
        return symptom
    asked = [part.partition("=")[0] for part in told["requested"].split(",")]
    hard, used = (dig(quota, "status", field, default={}) for field in ("hard", "used"))
    full = [f"{resource} {used.get(resource, 0)} of {hard[resource]}" for resource in asked if resource in hard]
    return replace(symptom, evidence=(*symptom.evidence, f"quota {told['quota']} by now: {', '.join(full)}")) if full else symptom


def _aged(symptom: Symptom, seen: Seen) -> Symptom:
    """Return a condition's symptom as stale where it has been so since before the run began."""
    return replace(symptom, stale=is_old(symptom.since, dig(new_replica_set(seen), "metadata", "creationTimestamp"), seen))


def missing_symptoms(seen: Seen) -> list[Symptom]:
    """Return that the Deployment is gone, where the client's record says that it was made."""
    name = deployment_name(seen.client)
    gone = Symptom("rollout", f"Deployment {seen.namespace}/{name}", "NotFound", facts={"deployment": name})
    return [gone] if seen.recorded and seen.deployment is None else []


def image_symptoms(seen: Seen) -> list[Symptom]:
    """Return that the image's tag has moved on in its registry, where it was asked."""
    if not seen.newer_image:
        return []
    image, _mark, digest = seen.newer_image.partition("@")
    name = deployment_name(seen.client)
    facts = {"tagged": image, "digest": digest[:SHOWN_OF_A_DIGEST], "deployment": name}
    return [Symptom("tag", f"Deployment {seen.namespace}/{name}", "NewerDigest", seen.newer_image, facts=facts)]


def of_condition(subject: str, reference: str, told: Obj, **facts: object) -> Symptom:
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
