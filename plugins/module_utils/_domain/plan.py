# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the rendered requests and the live objects, judged from metadata and the records alone."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .names import CLIENT_LABEL, HASH, MANAGED_BY, MANAGER
from .record import managed_fields, managed_hash, object_key

__all__ = ["Edit", "JobPlan", "Plan", "Request", "compare", "describe", "key_of", "plan_jobs", "was_done"]

Object = t.Mapping[str, t.Any]

ENVIRONMENT = "environment"
# Kinds whose objects hold data or the memory of what was done: never called orphaned.
KEPT_KINDS = frozenset({"Secret", "PersistentVolumeClaim", "Job"})


def key_of(obj: Object) -> str:
    """Return what identifies the object within its namespace, as records have it: without the version, as it is served in several."""
    return object_key(str(obj["apiVersion"]), str(obj["kind"]), str(obj["metadata"]["name"]))


@dataclass(frozen=True)
class Request:
    """One rendered object of one client, as the lookup rarus.lms.requests returns it. stage is databases or environment."""

    client: str
    stage: str
    object: dict[str, t.Any]

    @property
    def key(self) -> str:
        """Return what identifies the object within its namespace."""
        return key_of(self.object)

    @property
    def base_name(self) -> str:
        """Return a Job's name without the part of the hash that ends it, as records name the Job."""
        return _base_name(self.object)

    @property
    def hash(self) -> str:
        """Return the hash of the rendered text, which the lookup has set."""
        return _annotation(self.object, HASH)

    def __str__(self) -> str:
        """Return the object as messages name it: Deployment lms-dev/lms-deployment-c42."""
        return describe(self.object)


@dataclass(frozen=True)
class Edit:
    """Fields of ours that somebody else has set or removed. fields are paths such as spec.replicas; empty when one was removed."""

    request: Request
    managers: tuple[str, ...]
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Return the edit as a reason."""
        by = f"edited by {', '.join(self.managers)}" if self.managers else "edited by somebody"
        return f"{by} ({', '.join(self.fields)})" if self.fields else by


@dataclass
class Plan:
    """What to apply, why, whose edits that takes back, what nobody asks for any more, and what must not be touched."""

    differing: list[Request] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unchanged: list[Request] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    orphaned: list[Object] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class JobPlan:
    """Jobs by what is to be done: done and running need nothing, delete are live objects to remove first, create are requests."""

    done: list[Request] = field(default_factory=list)
    running: list[Request] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    create: list[Request] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def compare(requests: t.Sequence[Request], live: t.Mapping[str, Object], recorded: t.Mapping[str, t.Mapping[str, str]]) -> Plan:
    """Compare requests (no Jobs among them) with live objects.

    live: by key, the metadata of every object of these clients, and of every object that bears a requested name.
    recorded: by client id, the objects of its record: by key, the hash of our managedFields entry as this collection left it.
    """
    plan = Plan()
    for request in requests:
        found = live.get(request.key)
        no = refusal(request, found)
        if no:
            plan.refused.append(no)
            continue
        left = recorded.get(request.client, {}).get(request.key)
        edit = _edit(request, found, left)
        reason = _reason(request, found, left, edit)
        if edit:
            plan.edits.append(edit)
        if reason:
            plan.differing.append(request)
            plan.reasons.append(reason)
        else:
            plan.unchanged.append(request)
    plan.orphaned = _orphaned(requests, live)
    return plan


def plan_jobs(
    requests: t.Sequence[Request], live: t.Mapping[str, Object], recorded: t.Mapping[str, t.Mapping[str, str]], *, redo: bool = False
) -> JobPlan:
    """Decide what becomes of each requested Job.

    live: whole Jobs by key; recorded: by client id, the databases of its record: by base name, the hash of the Job that was done.
    redo: repeat what was done. Of live Jobs with one base name the databases are as the newest has left them: an older one is repeated.
    """
    plan = JobPlan()
    for request in requests:
        found = live.get(request.key)
        no = refusal(request, found)
        if no:
            plan.refused.append(no)
        elif found is None:
            (plan.done if was_done(request, recorded) and not redo else plan.create).append(request)
        elif _gone_wrong(found) or _is_overtaken(request, found, live) or (redo and _has_condition(found, "Complete")):
            plan.delete.append(found)
            plan.create.append(request)
        else:
            (plan.done if _has_condition(found, "Complete") else plan.running).append(request)
    return plan


def was_done(request: Request, recorded: t.Mapping[str, t.Mapping[str, str]]) -> bool:
    """Return whether the client's record says that this very Job was done."""
    return bool(request.hash) and recorded.get(request.client, {}).get(request.base_name) == request.hash


def refusal(request: Request, found: Object | None) -> str:
    """Return why the live object must not be touched, as one sentence; empty when it may be."""
    if found is None:
        return ""
    labels = found["metadata"].get("labels") or {}
    owner, client = labels.get(MANAGED_BY), labels.get(CLIENT_LABEL)
    if owner != MANAGER:
        by = f"label {MANAGED_BY} is {owner}" if owner else f"it has no label {MANAGED_BY}"
        return f"{request} exists and is not this collection's: {by}."
    if client != request.client:
        return f"{request} exists and belongs to client {client or 'nobody'}: label {CLIENT_LABEL} is not {request.client}."
    return ""


def describe(obj: Object) -> str:
    """Return the object as messages name it: Deployment lms-dev/lms-deployment-c42."""
    metadata = obj["metadata"]
    return f"{obj['kind']} {metadata.get('namespace', '')}/{metadata['name']}".replace(" /", " ")


def _reason(request: Request, found: Object | None, left: str | None, edit: Edit | None) -> str:
    """Return why the object must be applied; empty when it need not be."""
    if found is None:
        return "new"
    reasons = ["setting changed"] if _annotation(found, HASH) != request.hash else []
    if edit:
        reasons.append(str(edit))
    if not reasons and managed_hash(found["metadata"]) != left:
        reasons.append("applied by a run that did not get to record it")
    return ", ".join(reasons)


def _edit(request: Request, found: Object | None, left: str | None) -> Edit | None:
    """Return who edited fields of ours since the record was written; None when nobody did, or nothing was recorded."""
    if found is None or left is None or managed_hash(found["metadata"]) == left or _is_as_applied(request, found):
        return None
    owned: dict[str, list[str]] = {}
    others: list[str] = []
    for entry in found["metadata"].get("managedFields") or []:
        if entry.get("manager") == MANAGER or entry.get("subresource") == "status":
            continue
        others.append(str(entry.get("manager")))
        paths = list(_shared_paths(request.object, entry.get("fieldsV1") or {}))
        if paths:
            owned[str(entry.get("manager"))] = paths
    fields = tuple(sorted({path for paths in owned.values() for path in paths}))
    return Edit(request, tuple(owned) or tuple(dict.fromkeys(others)), fields)


def _is_as_applied(request: Request, found: Object) -> bool:
    """Return whether the object is just what applying the request leaves: our text's hash, and every field of it still ours."""
    ours = managed_fields(found["metadata"])
    if ours is None or _annotation(found, HASH) != request.hash:
        return False
    metadata = {key: value for key, value in request.object["metadata"].items() if key in ("labels", "annotations")}
    content = {key: value for key, value in request.object.items() if key not in ("apiVersion", "kind")} | {"metadata": metadata}
    return all(_owns(value, ours.get(f"f:{name}"), whole=not isinstance(value, dict)) for name, value in content.items())


def _owns(wanted: t.Any, fields: Object | None, *, whole: bool = True) -> bool:
    """Return whether fieldsV1 hold every part of a wanted value. whole: empty ones stand for all that is below them."""
    if not fields:
        return fields is not None and whole
    if isinstance(wanted, dict):
        return all(_owns(value, fields.get(f"f:{name}")) for name, value in wanted.items() if value is not None)
    steps = [(name.partition(":"), below) for name, below in fields.items() if name != "."]
    return isinstance(wanted, list) and all(
        any(_step([item], mark, text)[1] is not None and _owns(item, below) for (mark, _colon, text), below in steps) for item in wanted
    )


def _shared_paths(wanted: t.Any, fields: Object, path: str = "") -> t.Iterator[str]:
    """Yield each path of the wanted object that the manager with these fieldsV1 owns."""
    for name, below in fields.items():
        if name == ".":
            continue
        mark, _colon, text = name.partition(":")
        child, step = _step(wanted, mark, text)
        if step is None:
            continue
        here = f"{path}{step}".lstrip(".")
        if below:
            yield from _shared_paths(child, below, here)
        else:
            yield here


def _step(wanted: t.Any, mark: str, text: str) -> tuple[t.Any, str | None]:
    """Follow one key of fieldsV1 into the wanted object: the value there and the path's next part, (None, None) when it is not wanted."""
    if mark == "f" and isinstance(wanted, dict) and text in wanted:
        return wanted[text], f".{text}"
    if mark == "k" and isinstance(wanted, list):
        keys = json.loads(text)
        for item in wanted:
            if all(item.get(key, value) == value for key, value in keys.items()):
                return item, f"[{', '.join(str(value) for value in keys.values())}]"
    if mark == "v" and isinstance(wanted, list) and json.loads(text) in wanted:
        return None, f"[{json.loads(text)}]"
    return None, None


def _orphaned(requests: t.Sequence[Request], live: t.Mapping[str, Object]) -> list[Object]:
    """Return live objects of the clients whose environment is requested, that no request makes any more."""
    wanted = {request.key for request in requests}
    clients = {request.client for request in requests if request.stage == ENVIRONMENT}
    return [found for key, found in live.items() if key not in wanted and _is_ours_to_remove(found, clients)]


def _is_ours_to_remove(found: Object, clients: t.Container[str]) -> bool:
    metadata = found["metadata"]
    labels = metadata.get("labels") or {}
    owned = labels.get(MANAGED_BY) == MANAGER and labels.get(CLIENT_LABEL) in clients
    return owned and found["kind"] not in KEPT_KINDS and bool(_annotation(found, HASH)) and not metadata.get("ownerReferences")


def _is_overtaken(request: Request, found: Object, live: t.Mapping[str, Object]) -> bool:
    """Return whether another Job with this one's base name was made since, so that what this one has done may not hold any more."""
    made = str(found["metadata"].get("creationTimestamp", ""))
    others = [one for key, one in live.items() if key != request.key and _base_name(one) == request.base_name and not refusal(request, one)]
    return any(str(one["metadata"].get("creationTimestamp", "")) >= made for one in others)


def _base_name(job: Object) -> str:
    return str(job["metadata"]["name"]).rpartition("-")[0]


def _gone_wrong(job: Object) -> bool:
    return _has_condition(job, "Failed") or bool(job["metadata"].get("deletionTimestamp"))


def _has_condition(job: Object, wanted: str) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(condition.get("type") == wanted and condition.get("status") == "True" for condition in conditions)


def _annotation(obj: Object, name: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))
