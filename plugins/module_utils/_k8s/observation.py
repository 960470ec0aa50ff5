# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the diagnosis judges: one list a kind for all clients, and on need logs, events, and proofs of absence."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from .._domain.client_id import ClientId
from .._domain.diagnosis.model import LogKey, Obj, Seen, Wanted, dig, name_of
from .._domain.names import (
    APP_LABEL,
    CLIENT_LABEL,
    MANAGED_BY,
    MANAGER,
    app_label,
    credentials_secret_name,
    deployment_name,
    rsa_secret_name,
    service_name,
)
from .._domain.redaction import Redactor, is_secret_key, log_tail
from .api import Api, ApiError
from .resources import Ref

__all__ = ["Observer"]

# Lists of several kinds are read at once by this many threads.
READERS = 4
# A selector that names more clients than this makes too long a URL; then the whole namespace is listed.
MOST_NAMED = 100
# The events of more pods than this are read by one list of the namespace's.
MOST_SINGLE_EVENTS = 3
LOG_LINES = 20
LOG_BYTES = 16384
# What the kubelet answers instead of the log of a container that is gone.
NO_LOG = "unable to retrieve container logs"
SERVICE_LABEL = "kubernetes.io/service-name"
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
ROUTES = {"ingress": ("networking.k8s.io/v1", "Ingress"), "httproute": ("gateway.networking.k8s.io/v1", "HTTPRoute")}
API_VERSIONS = {"IngressClass": "networking.k8s.io/v1"}
CLUSTER_WIDE = {"IngressClass"}


class Observer:
    """One namespace, seen for the diagnosis. What the token may not read is noted in `not_seen`, where the diagnosis can do without.

    redact_secrets: names of Secrets whose values are taken out of logs, beside each client's own.
    """

    def __init__(self, api: Api, namespace: str, *, redact_secrets: t.Sequence[str] = ()) -> None:
        self.api = api
        self.namespace = namespace
        self.not_seen: dict[str, str] = {}
        self._redact_secrets = redact_secrets
        self._redactors: dict[ClientId, Redactor] = {}
        self._logs: dict[tuple[ClientId, LogKey], list[str]] = {}
        self._asked: set[str] = set()
        self._present: set[tuple[str, str]] = set()

    def environments(self, clients: t.Sequence[ClientId], publish: str) -> dict[ClientId, Seen]:
        """Return what is live of the clients' environments, by one list a kind."""
        ids, apps = [one.id for one in clients], [app_label(one) for one in clients]
        services = [service_name(one) for one in clients]
        reads: dict[str, t.Callable[[], list[Obj]]] = {
            "deployments": partial(self._list, "apps/v1", "Deployment", _any_of(CLIENT_LABEL, ids)),
            "replica_sets": partial(self._list, "apps/v1", "ReplicaSet", _any_of(APP_LABEL, apps)),
            "pods": partial(self._list, "v1", "Pod", _any_of(APP_LABEL, apps)),
            "slices": partial(self._optional_list, "discovery.k8s.io/v1", "EndpointSlice", _any_of(SERVICE_LABEL, services)),
        }
        if publish in ROUTES:
            reads["routes"] = partial(self._list, *ROUTES[publish], _any_of(CLIENT_LABEL, ids))
        with ThreadPoolExecutor(READERS) as readers:
            started = {name: readers.submit(read) for name, read in reads.items()}
            found = {name: one.result() for name, one in started.items()}
        deployments = {name_of(one): one for one in found["deployments"]}
        replica_sets, pods = _by_label(found["replica_sets"], APP_LABEL), _by_label(found["pods"], APP_LABEL)
        slices, routes = _by_label(found["slices"], SERVICE_LABEL), _by_label(found.get("routes", []), CLIENT_LABEL)
        return {
            client: Seen(
                client=client,
                namespace=self.namespace,
                publish=publish,
                deployment=deployments.get(deployment_name(client)),
                replica_sets=replica_sets[app_label(client)],
                pods=pods[app_label(client)],
                slices=slices[service_name(client)],
                routes=routes[client.id],
                not_seen={kind: told for kind, told in self.not_seen.items() if kind == "EndpointSlice"},
            )
            for client in clients
        }

    def jobs(self, clients: t.Sequence[ClientId]) -> dict[ClientId, Seen]:
        """Return the clients' Jobs, by one list, and by another the pods of those that have not ended well."""
        jobs = self._list("batch/v1", "Job", _any_of(CLIENT_LABEL, [one.id for one in clients]))
        mine = _by_label(jobs, CLIENT_LABEL)
        open_jobs = [one for client in clients for one in mine[client.id] if not dig(one, "status", "completionTime")]
        uids = [str(dig(one, "metadata", "uid", default="")) for one in open_jobs]
        pods = _by_label(self._list("v1", "Pod", _any_of(JOB_UID_LABEL, uids)) if uids else [], JOB_UID_LABEL)
        return {
            client: Seen(
                client=client,
                namespace=self.namespace,
                jobs=mine[client.id],
                pods=[pod for one in mine[client.id] for pod in pods[str(dig(one, "metadata", "uid", default=""))]],
            )
            for client in clients
        }

    def sharpened(self, seen: Seen, wanted: Wanted) -> Seen:
        """Return what was seen with what the diagnosis wants beside it, and notes on what of that this token may not read."""
        self._asked.clear()
        sharper = replace(
            seen,
            events=self._events(wanted.events) if wanted.events else seen.events,
            logs={**seen.logs, **{key: self._log(seen.client, key) for key in sorted(wanted.logs)}},
            absent=seen.absent | {one for one in sorted(wanted.references) if self._is_absent(*one)},
            nodes=self._nodes() if wanted.nodes else seen.nodes,
        )
        unread = {kind: self.not_seen[kind] for kind in sorted(self._asked) if kind in self.not_seen}
        return replace(sharper, not_seen={**seen.not_seen, **unread})

    def forget_logs(self) -> None:
        """Read logs anew from now on; those of containers that still run have grown."""
        self._logs.clear()

    def redactor(self, client: ClientId) -> Redactor:
        """Return what takes the values of the client's Secrets, and of the named ones, out of text. Reads them once."""
        if client not in self._redactors:
            names = dict.fromkeys([credentials_secret_name(client), rsa_secret_name(client), *self._redact_secrets])
            self._redactors[client] = Redactor(value for name in names for value in self._secret_values(name))
        return self._redactors[client]

    def _list(self, api_version: str, kind: str, labels: str) -> list[Obj]:
        return self.api.list(api_version, kind, self.namespace, label_selector=labels)

    def _optional_list(self, api_version: str, kind: str, labels: str) -> list[Obj]:
        """Return a list, empty and noted where this token may not read it."""
        found = self._unless_forbidden(kind, lambda: self._list(api_version, kind, labels))
        return found or []

    def _unless_forbidden(self, kind: str, read: t.Callable[[], t.Any]) -> t.Any:
        """Return what is read, None and a note where this token may not read it; asked once only."""
        self._asked.add(kind)
        if kind in self.not_seen:
            return None
        try:
            return read()
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            self.not_seen[kind] = f"{kind}: this token may not read it"
            return None

    def _events(self, uids: t.Collection[str]) -> list[Obj]:
        """Return the events about some objects."""
        if len(uids) > MOST_SINGLE_EVENTS:
            return self._events_by("") or []
        return [event for uid in sorted(uids) for event in self._events_by(f"involvedObject.uid={uid}") or []]

    def _events_by(self, fields: str) -> list[Obj] | None:
        found: list[Obj] | None = self._unless_forbidden(
            "Event", lambda: self.api.list("v1", "Event", self.namespace, field_selector=fields)
        )
        return found

    def _nodes(self) -> list[Obj] | None:
        found: list[Obj] | None = self._unless_forbidden("Node", lambda: self.api.list("v1", "Node"))
        return found

    def _is_absent(self, kind: str, name: str) -> bool:
        """Return whether the API has proven that an object does not exist; what was there once is not asked for again."""
        if (kind, name) in self._present:
            return False
        ref = Ref(API_VERSIONS.get(kind, "v1"), kind, name, "" if kind in CLUSTER_WIDE else self.namespace)
        found = self._unless_forbidden(kind, lambda: self.api.get(ref, metadata_only=True))
        if found is not None:
            self._present.add((kind, name))
        return found is None and kind not in self.not_seen

    def _log(self, client: ClientId, key: LogKey) -> list[str]:
        """Return the last lines of a container's log, secrets taken out; empty where it cannot be had, which must not hide the verdict."""
        self._asked.add("Pod/log")
        if "Pod/log" in self.not_seen:
            return []
        if (client, key) not in self._logs:
            try:
                text = self._log_text(key)
            except ApiError as error:
                self.not_seen["Pod/log"] = f"logs: {error.message}"
                return []
            self._logs[client, key] = log_tail(text, self.redactor(client), lines=LOG_LINES, limit_bytes=LOG_BYTES) if text else []
        return self._logs[client, key]

    def _log_text(self, key: LogKey) -> str:
        """Return the log of the run that ended; the container may have started again since it was looked at."""
        for previous in (key.previous, not key.previous):
            text = self.api.logs(self.namespace, key.pod, key.container, previous=previous, tail_lines=LOG_LINES, limit_bytes=LOG_BYTES)
            if text and not text.startswith(NO_LOG):
                return text
        return ""

    def _secret_values(self, name: str) -> list[str]:
        """Return the values of a Secret that have to be hidden; empty where it is absent or not to be read."""
        read = partial(self.api.get, Ref("v1", "Secret", name, self.namespace))
        found = self._unless_forbidden("values of Secrets", read)
        data = dig(found, "data", default={})
        return [_decoded(str(value)) for key, value in data.items() if is_secret_key(key)]


def _any_of(label: str, values: t.Sequence[str]) -> str:
    """Return the selector of objects with one of these values, or with the label at all where they are many."""
    if len(values) <= MOST_NAMED:
        return f"{label} in ({','.join(values)})"
    return f"{MANAGED_BY}={MANAGER}" if label == CLIENT_LABEL else label


def _by_label(objects: t.Iterable[Obj], label: str) -> defaultdict[str, list[Obj]]:
    grouped: defaultdict[str, list[Obj]] = defaultdict(list)
    for obj in objects:
        grouped[str(dig(obj, "metadata", "labels", label, default=""))].append(obj)
    return grouped


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value
