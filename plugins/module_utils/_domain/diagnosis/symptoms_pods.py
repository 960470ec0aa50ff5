# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes says is wrong with pods: their conditions, their containers' states, and the events about them."""

from __future__ import annotations

import re
import typing as t

from .model import LogKey, Obj, Seen, Symptom, condition, dig, is_old, name_of, seconds_of
from .nodes import nodes_told, taint_facts, wanted_labels

__all__ = [
    "IMAGE_REASONS",
    "STARTING",
    "container_states",
    "events_of",
    "is_gone",
    "is_ready",
    "pod_symptoms",
    "references",
    "secrets_of",
    "unbound_claims",
]

# Waiting reasons that are no fault.
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
# A container that ended this often by itself is in a crash loop.
CRASHES_THAT_SETTLE = 2
# One that runs again has to last this much longer than it did before to be taken as mended: the kubelet tells of an end with a delay.
SECONDS_THAT_PROVE = 3
# A probe that failed less often than this says only that the container has just begun.
PROBE_FAILURES = 3
# What a pod's own conditions and containers do not tell: reasons of events, and the subject that they speak of.
EVENT_SUBJECTS = {
    "FailedMount": "mount",
    "FailedAttachVolume": "mount",
    "FailedMapVolume": "mount",
    "Unhealthy": "probe",
    "FailedCreatePodSandBox": "pod",
    "FailedCreatePodContainer": "pod",
    "NetworkNotReady": "pod",
    "NodeNotReady": "node",
    "FailedPostStartHook": "pod",
    "FailedToRetrieveImagePullSecret": "pull_secret",
}
_UNRESOLVED = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_VARIABLE_SOURCES = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap", "secretRef": "Secret", "configMapRef": "ConfigMap"}
_OWN_SECRETS = ("lms-credentials-", "rsa-secret-")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}
_NOT_FOUND = re.compile(r"(secret|configmap)s? \"?([^\s\"]+?)\"? not found", re.IGNORECASE)
_VOLUME = re.compile(r'volume "([^"]+)"')


def is_gone(pod: Obj) -> bool:
    """Return whether a pod is on its way out: what is wrong with it matters to nobody."""
    return dig(pod, "metadata", "deletionTimestamp") is not None


def is_ready(pod: Obj) -> bool:
    """Return whether a pod takes requests."""
    return condition(pod, "Ready").get("status") == "True" and not is_gone(pod)


def container_states(pod: Obj) -> list[Obj]:
    """Return the statuses of a pod's containers of all kinds, init containers first."""
    return [
        status
        for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for status in dig(pod, "status", kind, default=[])
    ]


def pod_symptoms(pod: Obj, seen: Seen, *, retried: bool = True) -> list[Symptom]:
    """Return what is wrong with one pod.

    retried: its containers start again after they ended (a Deployment's); of a Job's pod every ended container is a symptom by itself.
    """
    facts = _pod_facts(pod, seen)
    found = _condition_symptoms(pod, facts, seen)
    for status in container_states(pod):
        found += _container_symptoms(pod, status, facts, seen, retried=retried)
    if is_ready(pod):
        return found
    return found + _event_symptoms(pod, facts, seen)


def references(pod: Obj, *, optional: bool = False) -> set[tuple[str, str]]:
    """Return (kind, name) of the Secrets, ConfigMaps and claims that a pod cannot start without, and of its pull secrets.

    optional: of those too that it starts without.
    """
    spec = dig(pod, "spec", default={})
    found = {("Secret", str(one.get("name", ""))) for one in spec.get("imagePullSecrets") or []}
    for volume in spec.get("volumes") or []:
        found |= _volume_references(volume, optional=optional)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        sources = [dig(entry, "valueFrom", default={}) for entry in container.get("env") or []]
        for source in [*sources, *(container.get("envFrom") or [])]:
            for key, kind in _VARIABLE_SOURCES.items():
                if dig(source, key, "name") and (optional or not dig(source, key, "optional")):
                    found.add((kind, dig(source, key, "name")))
    return {(kind, name) for kind, name in found if name}


def secrets_of(pod: Obj) -> set[str]:
    """Return the names of all Secrets that a pod may know values of, its pull secrets among them."""
    return {name for kind, name in references(pod, optional=True) if kind == "Secret"}


def unbound_claims(pod: Obj, seen: Seen) -> list[Obj]:
    """Return those claims of a pod's that are bound to no volume, as far as claims were read."""
    mine = {name for kind, name in references(pod) if kind == "PersistentVolumeClaim"}
    return [one for one in seen.claims if name_of(one) in mine and dig(one, "status", "phase") != "Bound"]


def _volume_references(volume: Obj, *, optional: bool) -> set[tuple[str, str]]:
    """Return what one volume cannot be mounted without; projected sources included."""
    found: set[tuple[str, str]] = set()
    for source in [volume, *dig(volume, "projected", "sources", default=[])]:
        for key, kind, field in (
            ("secret", "Secret", "secretName"),
            ("secret", "Secret", "name"),
            ("configMap", "ConfigMap", "name"),
            ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
        ):
            if dig(source, key, field) and (optional or not dig(source, key, "optional")):
                found.add((kind, dig(source, key, field)))
    return found


def _pod_facts(pod: Obj, seen: Seen) -> dict[str, t.Any]:
    """Return what sentences about a pod may name."""
    spec = dig(pod, "spec", default={})
    pull = [str(one.get("name", "")) for one in spec.get("imagePullSecrets") or []]
    admin, key = _administrator(spec)
    unbound = unbound_claims(pod, seen)
    return {
        "pod": name_of(pod),
        "node": spec.get("nodeName") or "",
        "pull_secrets": ", ".join(pull),
        "missing_pull_secrets": ", ".join(name for name in pull if ("Secret", name) in seen.absent),
        "no_pull_secret": "" if pull else "yes",
        "affinity": wanted_labels(spec),
        "admin_secret": f"Secret {seen.namespace}/{admin}" if admin else "the administrator's Secret",
        "admin_password": f"the key `{key}` of Secret {seen.namespace}/{admin}" if admin else "the administrator's Secret",
        "claim": ", ".join(f"claim {seen.namespace}/{name_of(one)}" for one in unbound) or "a claim of the pod",
        "storage_class": ", ".join(str(dig(one, "spec", "storageClassName") or "none") for one in unbound) or "not seen",
    }


def _administrator(spec: Obj) -> tuple[str, str]:
    """Return the Secret that a database Job logs in by, and the key of the password in it."""
    for volume in spec.get("volumes") or []:
        name = str(dig(volume, "secret", "secretName", default=""))
        if name and not name.startswith(_OWN_SECRETS):
            items = dig(volume, "secret", "items", default=[])
            return name, next((str(one.get("key")) for one in items if one.get("path") == "password"), "password")
    return "", "password"


def _reference(pod: Obj) -> str:
    return f"Pod {dig(pod, 'metadata', 'namespace', default='')}/{name_of(pod)}"


def _condition_symptoms(pod: Obj, facts: Obj, seen: Seen) -> list[Symptom]:
    """Return what the pod as a whole says: not scheduled, evicted, refused by its node."""
    found = []
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        message = str(scheduled.get("message", ""))
        unbound = unbound_claims(pod, seen)
        told = [f"{name_of(one)}: {_message(event)}" for one in unbound for event in events_of(one, seen)[-1:]]
        found.append(
            Symptom(
                "scheduling",
                f"PersistentVolumeClaim {seen.namespace}/{name_of(unbound[0])}" if unbound else _reference(pod),
                str(scheduled.get("reason", "")),
                message,
                since=str(scheduled.get("lastTransitionTime", "")),
                evidence=(*told, *nodes_told(seen)),
                facts={**facts, **taint_facts(pod.get("spec") or {}, message, seen)},
            )
        )
    node = next((one for one in seen.nodes or () if name_of(one) == facts["node"]), None)
    ready = condition(node, "Ready")
    if node is not None and ready.get("status") != "True":
        found.append(
            Symptom(
                "node",
                _reference(pod),
                str(ready.get("reason") or "NodeNotReady"),
                str(ready.get("message", "")),
                since=str(ready.get("lastTransitionTime", "")),
                facts=facts,
            )
        )
    if reason := dig(pod, "status", "reason"):
        found.append(Symptom("pod", _reference(pod), str(reason), str(dig(pod, "status", "message", default="")), facts=facts))
    return found


def _container_symptoms(pod: Obj, status: Obj, pod_facts: Obj, seen: Seen, *, retried: bool) -> list[Symptom]:
    """Return what one container's state says is wrong."""
    spec = _spec_of(pod, str(status.get("name", "")))
    waiting, terminated = dig(status, "state", "waiting"), dig(status, "state", "terminated")
    ended = terminated or dig(status, "lastState", "terminated", default={})
    facts = {
        **pod_facts,
        "container": str(status.get("name", "")),
        "image": str(spec.get("image") or status.get("image") or ""),
        "restarts": status.get("restartCount", 0),
        "exit_code": ended.get("exitCode", ""),
        "memory": str(dig(spec, "resources", "limits", "memory", default="none")),
    }
    if waiting is not None:
        reason = str(waiting.get("reason", ""))
        if reason == "CrashLoopBackOff" and ended:
            return [_crash(pod, status, ended, facts, seen, retried=retried)]
        if reason in STARTING or not reason:
            return []
        message = str(waiting.get("message", ""))
        if reason in IMAGE_REASONS:
            message = _pull_message(pod, message, seen)
        facts |= _named(pod, message, seen)
        old = _is_old(pod, _last_try(pod, reason, seen), seen)
        return [Symptom("container", _reference(pod), reason, message, container=facts["container"], stale=old, facts=facts)]
    wrong_end = terminated is not None and (terminated.get("exitCode") != 0 or (retried and not _is_init(pod, status)))
    came_back = terminated is None and status.get("restartCount", 0) > 0 and ended
    if wrong_end or came_back:
        return [_crash(pod, status, ended, facts, seen, retried=retried)]
    return []


def _crash(pod: Obj, status: Obj, ended: Obj, facts: Obj, seen: Seen, *, retried: bool) -> Symptom:
    """Return the symptom of a container that ended: with its exit code, where its log stands, and what the liveness probe said.

    A container that runs again is settled only where a probe keeps on killing it, or where it has not lasted longer yet than it did before;
    one that serves is merely worth a note.
    """
    restarts = int(status.get("restartCount", 0))
    running = dig(status, "state", "running") is not None
    killed = [line for line in _probe_failures(pod, seen) if not line.startswith("Readiness")]
    crashes = restarts if running else restarts + 1
    old = _is_old(pod, str(ended.get("finishedAt") or ""), seen)
    falls_again = not old and (bool(killed) or _is_between_crashes(status, ended, seen))
    return Symptom(
        "restart" if running and is_ready(pod) else "crash",
        _reference(pod),
        str(ended.get("reason") or "Error"),
        str(ended.get("message") or ""),
        container=facts["container"],
        since=str(ended.get("finishedAt") or ""),
        settled=not retried or (crashes >= CRASHES_THAT_SETTLE and (not running or falls_again)),
        stale=old and not running,
        log=LogKey(name_of(pod), facts["container"], previous=dig(status, "state", "terminated") is None, ends=crashes),
        facts={**facts, "kill": killed[-1] if killed else "", "unresolved": _unresolved(pod, facts["container"]), "crashes": crashes},
    )


def _is_between_crashes(status: Obj, ended: Obj, seen: Seen) -> bool:
    """Return whether a container that runs again was seen so early that it proves nothing: its last run may have lasted as long."""
    lasted = seconds_of(ended.get("finishedAt")) - seconds_of(ended.get("startedAt"))
    return bool(seen.now) and seen.now - seconds_of(dig(status, "state", "running", "startedAt")) <= lasted + SECONDS_THAT_PROVE


def _is_old(pod: Obj, time: str, seen: Seen) -> bool:
    return is_old(time, dig(pod, "metadata", "creationTimestamp"), seen)


def _last_try(pod: Obj, reason: str, seen: Seen) -> str:
    """Return when a container that does not start was last tried, as far as events tell; "Error: ImagePullBackOff" is no try."""
    what = "pull image" if reason in IMAGE_REASONS else ""
    tries = [event for event in events_of(pod, seen) if event.get("reason") == "Failed" and what in _message(event)]
    return _time_of(tries[-1]) if tries else ""


def _named(pod: Obj, message: str, seen: Seen) -> dict[str, str]:
    """Return what of a pod's references a message of the kubelet's names: the absent one, and the client's own Secret."""
    absent = [(_KINDS[kind.lower()], name) for kind, name in _NOT_FOUND.findall(message)]
    volume = _VOLUME.search(message)
    mounted = [one for one in dig(pod, "spec", "volumes", default=[]) if volume and one.get("name") == volume.group(1)]
    secrets = [name for one in mounted for _kind, name in _volume_references(one, optional=True)] + message.replace("/", " ").split()
    own = next((name for name in secrets if name.startswith(_OWN_SECRETS)), "")
    return {
        "absent": ", ".join(f"{kind} {seen.namespace}/{name}" for kind, name in absent if (kind, name) in seen.absent),
        "own_secret": f"Secret {seen.namespace}/{own}" if own else "",
    }


def _probe_failures(pod: Obj, seen: Seen) -> list[str]:
    return [_message(event) for event in events_of(pod, seen) if event.get("reason") == "Unhealthy"]


def _unresolved(pod: Obj, container: str) -> str:
    """Return the first `NAME: $(OTHER)` in a container's env that no entry above it defines, and that stays literal text therefore.

    Variables of `envFrom` are not seen here; where there are any, nothing is said.
    """
    spec = _spec_of(pod, container)
    known: set[str] = set()
    for entry in [] if spec.get("envFrom") else spec.get("env") or []:
        for name in _UNRESOLVED.findall((entry.get("value") or "").replace("$$", "")):
            if name not in known:
                return f"{entry.get('name')}: $({name})"
        known.add(str(entry.get("name")))
    return ""


def _spec_of(pod: Obj, container: str) -> Obj:
    """Return the part of a pod's specification that is about one container."""
    containers = [*dig(pod, "spec", "initContainers", default=[]), *dig(pod, "spec", "containers", default=[])]
    return next((one for one in containers if one.get("name") == container), {})


def _is_init(pod: Obj, status: Obj) -> bool:
    return any(one.get("name") == status.get("name") for one in dig(pod, "status", "initContainerStatuses", default=[]))


def _pull_message(pod: Obj, message: str, seen: Seen) -> str:
    """Return why an image could not be pulled; during back-off older kubelets say it in an event only."""
    if re.search(r'Back-off pulling image "[^"]*"$', message) is None:
        return message
    told = [_message(event) for event in events_of(pod, seen) if event.get("reason") == "Failed" and "pull image" in _message(event)]
    return told[-1] if told else message


def _event_symptoms(pod: Obj, facts: Obj, seen: Seen) -> list[Symptom]:
    """Return what only events tell, the newest of each reason."""
    newest: dict[str, Symptom] = {}
    for event in events_of(pod, seen):
        reason = str(event.get("reason", ""))
        subject = EVENT_SUBJECTS.get(reason)
        if subject is None or (subject == "probe" and not _is_failing(event)):
            continue
        newest[reason] = Symptom(
            subject,
            _reference(pod),
            reason,
            _message(event),
            container=_container_of(event),
            since=str(event.get("firstTimestamp") or event.get("eventTime") or ""),
            stale=subject == "mount" and _is_old(pod, _time_of(event), seen),
            log=LogKey(name_of(pod), _container_of(event), previous=False) if subject == "probe" else None,
            facts={**facts, "container": _container_of(event), **_named(pod, _message(event), seen)},
        )
    started = any(dig(status, "state", "running") or status.get("restartCount") for status in container_states(pod))
    return [symptom for symptom in newest.values() if not started or symptom.subject in ("probe", "node")]


def _is_failing(event: Obj) -> bool:
    """Return whether a probe says more than that the container has just begun; liveness is told where it has one killed."""
    return int(event.get("count") or PROBE_FAILURES) >= PROBE_FAILURES and not _message(event).startswith("Liveness")


def _container_of(event: Obj) -> str:
    found = re.search(r"\{(.*)\}", str(dig(event, "involvedObject", "fieldPath", default="")))
    return found.group(1) if found else ""


def events_of(obj: Obj, seen: Seen) -> list[Obj]:
    """Return the events about one object, oldest first."""
    uid = dig(obj, "metadata", "uid", default="")
    mine = [event for event in seen.events if dig(event, "involvedObject", "uid") == uid]
    return sorted(mine, key=_time_of)


def _time_of(event: Obj) -> str:
    """Return when an event was last told."""
    return str(dig(event, "series", "lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _message(event: Obj) -> str:
    return str(event.get("message") or "")
