# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the diagnosis judges: one list a kind for all clients, and on need logs, events, and proofs of absence."""

from __future__ import annotations

import base64
import binascii
import operator
import time
import typing as t
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from http import HTTPStatus

from .._core.clock import utc_now
from .._core.errors import ConflictError
from .._domain.client_id import ClientId
from .._domain.diagnosis.jobs import wanted_by_jobs
from .._domain.diagnosis.model import LogKey, Obj, PublicAnswer, Seen, Wanted, dig, name_of
from .._domain.diagnosis.recognise import PROGRAM_ENDS
from .._domain.diagnosis.symptoms_path import Claims, by_claim, rivals
from .._domain.diagnosis.symptoms_pods import container_states, secrets_of
from .._domain.names import (
    APP_LABEL,
    CLIENT_LABEL,
    JOB_UID_LABEL,
    MANAGED_BY,
    MANAGER,
    app_label,
    credentials_secret_name,
    deployment_name,
    rsa_secret_name,
    service_name,
)
from .._domain.probe_job import Question
from .._domain.public_path import JOB, PublicPath
from .._domain.redaction import Redactor, is_secret_key, log_tail, passwords_of_login
from .api import Api, ApiError
from .probe_job import ask_by_job
from .public_path import ask, authority
from .resources import Ref

__all__ = ["Observer"]

# Lists of several kinds are read at once by this many threads.
READERS = 4
# A selector that names more clients than this makes too long a URL; then the whole namespace is listed.
MOST_NAMED = 100
# The events of more pods than this are read by one list of the namespace's.
MOST_SINGLE_EVENTS = 3
# More objects of a kind than this are looked for in one list of the namespace's.
MOST_SINGLE_REFERENCES = 10
# Seconds by which the clock of this machine may be behind the cluster's, after its own answers were looked at.
CLOCKS_APART = 2
# What `kubectl rollout restart` writes as well.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
LOG_LINES = 20
LOG_BYTES = 16384
# What the kubelet answers instead of the log of a container that is gone.
NO_LOG = ("unable to retrieve container logs", "failed to try resolving symlinks in path", "failed to open log file")
SERVICE_LABEL = "kubernetes.io/service-name"
ROUTES = {"ingress": ("networking.k8s.io/v1", "Ingress"), "httproute": ("gateway.networking.k8s.io/v1", "HTTPRoute")}
API_VERSIONS = {"IngressClass": "networking.k8s.io/v1"}
CLUSTER_WIDE = {"IngressClass"}


class Observer:
    """One namespace, seen for the diagnosis. What the token may not read is noted in `not_seen`, where the diagnosis can do without.

    redact_secrets: names of Secrets whose values are taken out of texts, beside each client's own and those that its pods refer to.
    overview: nothing is read for each client by itself, neither logs nor public paths. looks_around: routes of others are read too.
    makes_jobs: a Job may ask public paths, where that is set. settle_seconds: how long a public path may be wrong before it counts.
    since: when the run began that waits (seconds since 1970 by this machine's clock), 0 for none. waited: the diagnosis is a wait's.
    restarted: whose pods were made anew.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        redact_secrets: t.Sequence[str] = (),
        overview: bool = False,
        looks_around: bool = True,
        makes_jobs: bool = True,
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.settle_seconds = 0.0
        self.overview = overview
        self._looks_around = looks_around
        self._makes_jobs = makes_jobs
        self.since = 0.0
        self.waited = True
        self.restarted: set[ClientId] = set()
        self._unrestarted: set[ClientId] = set()
        self._watched = 0.0
        self._routes: dict[str, list[Obj]] = {}
        self._claims: dict[str, Claims] = {}
        self._unanswered: dict[ClientId, float] = {}
        self.not_seen: dict[str, str] = {}
        self._redact_secrets = redact_secrets
        self._secrets: defaultdict[ClientId, set[str]] = defaultdict(set)
        self._values: dict[str, list[str]] = {}
        self._redactors: dict[tuple[str, ...], Redactor] = {}
        self._logs: dict[tuple[ClientId, LogKey], list[str]] = {}
        self._asked: set[str] = set()
        self._present: set[tuple[str, str]] = set()

    def environments(self, paths: t.Mapping[ClientId, PublicPath]) -> dict[ClientId, Seen]:
        """Return what is live of the clients' environments, by one list a kind; paths says how each client is published."""
        ids, apps = [one.id for one in paths], [app_label(one) for one in paths]
        services = [service_name(one) for one in paths]
        reads: dict[str, t.Callable[[], list[Obj]]] = {
            "deployments": partial(self._list, "apps/v1", "Deployment", _any_of(CLIENT_LABEL, ids)),
            "replica_sets": partial(self._list, "apps/v1", "ReplicaSet", _any_of(APP_LABEL, apps)),
            "pods": partial(self._list, "v1", "Pod", _any_of(APP_LABEL, apps)),
            "slices": partial(self._optional_list, "discovery.k8s.io/v1", "EndpointSlice", _any_of(SERVICE_LABEL, services)),
        }
        for publish in sorted({path.publish for path in paths.values()} & set(ROUTES)):
            every, mine = partial(self._all_routes, publish), partial(self._list, *ROUTES[publish], _any_of(CLIENT_LABEL, ids))
            reads[publish] = every if self.overview else mine
        with ThreadPoolExecutor(READERS) as readers:
            started = {name: readers.submit(read) for name, read in reads.items()}
            found = {name: one.result() for name, one in started.items()}
        deployments = {name_of(one): one for one in found["deployments"]}
        if self.overview:
            found["pods"] = [_without_output(pod) for pod in found["pods"]]
        replica_sets, pods = _by_label(found["replica_sets"], APP_LABEL), _by_label(found["pods"], APP_LABEL)
        slices = _by_label(found["slices"], SERVICE_LABEL)
        routes = {publish: _by_label(found.get(publish, []), CLIENT_LABEL) for publish in ROUTES}
        now = self.api.now()
        self._watched = self._watched or now
        began = now - (time.time() - self.since) - CLOCKS_APART if self.since else 0.0
        for client, path in paths.items():
            template = dig(deployments.get(deployment_name(client)), "spec", "template", default={})
            self.saw(client, [*pods[app_label(client)], template], routes[path.publish][client.id] if path.publish in ROUTES else [])
        return {
            client: Seen(
                client=client,
                namespace=self.namespace,
                publish=path.publish,
                deployment=deployments.get(deployment_name(client)),
                replica_sets=replica_sets[app_label(client)],
                pods=pods[app_label(client)],
                slices=slices[service_name(client)],
                routes=routes[path.publish][client.id] if path.publish in ROUTES else [],
                probed=not self.overview and path.asked(client) and (self._makes_jobs or path.probe != JOB),
                not_seen={kind: told for kind, told in self.not_seen.items() if kind == "EndpointSlice"},
                now=now,
                waited=self.waited,
                began=began,
                watched=self._watched if self.since else 0.0,
            )
            for client, path in paths.items()
        }

    def jobs(self, clients: t.Sequence[ClientId]) -> dict[ClientId, Seen]:
        """Return the clients' Jobs, by one list, and by another the pods of those that have not ended well."""
        jobs = self._list("batch/v1", "Job", _any_of(CLIENT_LABEL, [one.id for one in clients]))
        mine = _by_label(jobs, CLIENT_LABEL)
        open_jobs = [one for client in clients for one in mine[client.id] if not dig(one, "status", "completionTime")]
        uids = [str(dig(one, "metadata", "uid", default="")) for one in open_jobs]
        pods = _by_label(self._list("v1", "Pod", _any_of(JOB_UID_LABEL, uids)) if uids else [], JOB_UID_LABEL)
        found = {}
        for client in clients:
            own = [pod for one in mine[client.id] for pod in pods[str(dig(one, "metadata", "uid", default=""))]]
            self.saw(client, [*own, *(dig(one, "spec", "template", default={}) for one in mine[client.id])])
            found[client] = Seen(client=client, namespace=self.namespace, jobs=mine[client.id], pods=own, waited=self.waited)
        return found

    def saw(self, client: ClientId, pods: t.Iterable[Obj], routes: t.Iterable[Obj] = ()) -> None:
        """Remember which Secrets a client's pods (or their templates) and Ingresses refer to: their values are taken out of its texts."""
        tls = {str(one.get("secretName") or "") for route in routes for one in dig(route, "spec", "tls", default=[])}
        self._secrets[client] |= (tls - {""}).union(*map(secrets_of, pods))

    def restart(self, seen: Seen) -> str:
        """Have a Deployment's pods made anew, once, as `kubectl rollout restart` does; return what was done in words.

        Empty where nothing was: it was done before, or somebody has changed the Deployment meanwhile.
        """
        if seen.deployment is None or seen.client in {*self.restarted, *self._unrestarted}:
            return ""
        template = dig(seen.deployment, "spec", "template", default={})
        metadata = template.get("metadata") or {}
        annotations = {**(metadata.get("annotations") or {}), RESTARTED_AT: utc_now()}
        spec = {**seen.deployment["spec"], "template": {**template, "metadata": {**metadata, "annotations": annotations}}}
        try:
            self.api.replace({**seen.deployment, "spec": spec})
        except ConflictError:
            return ""
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            self._unrestarted.add(seen.client)
            return "that was so before this run; this token may not have the pods made anew, so Kubernetes' next try is waited for"
        self.restarted.add(seen.client)
        return "that was so before this run: the pods are made anew"

    def sharpened(
        self, found: t.Mapping[ClientId, Seen], wants: t.Mapping[ClientId, Wanted], paths: t.Mapping[ClientId, PublicPath] | None = None
    ) -> dict[ClientId, Seen]:
        """Return what was seen with what the diagnosis wants beside it, and notes on what of that this token may not read.

        Logs and public paths (`paths`) are read for each client, all else for all clients together.
        """
        together = reduce(operator.or_, wants.values(), Wanted())
        if not together:
            return dict(found)
        answers = self._answers(found, {client: path for client, path in (paths or {}).items() if client in wants and wants[client].answer})
        self._asked.clear()
        events = self._events(together.events) if together.events else []
        absent = self._absent(together.references)
        nodes = self._nodes() if together.nodes else None
        claims = self._optional_list("v1", "PersistentVolumeClaim", "") if together.claims else []
        quotas = self._optional_list("v1", "ResourceQuota", "") if together.quotas else []
        leaving = self._leaving() if together.namespace else ""
        result = {}
        for client, seen in found.items():
            wanted = wants[client]
            result[client] = replace(
                seen,
                events=[*seen.events, *(one for one in events if dig(one, "involvedObject", "uid") in wanted.events)],
                logs={**seen.logs, **{key: self._log(client, key) for key in sorted(wanted.logs) if not self.overview}},
                absent=seen.absent | (absent & wanted.references),
                nodes=nodes if wanted.nodes else seen.nodes,
                claims=claims if wanted.claims else seen.claims,
                quotas=quotas if wanted.quotas else seen.quotas,
                leaving=leaving if wanted.namespace else seen.leaving,
                neighbours=self._rivals(seen) if wanted.neighbours else seen.neighbours,
                answer=answers.get(client, seen.answer),
            )
        unread = {kind: self.not_seen[kind] for kind in sorted(self._asked) if kind in self.not_seen}
        return {
            client: replace(
                one, not_seen={**one.not_seen, **{kind: told for kind, told in unread.items() if _concerns(kind, wants[client])}}
            )
            for client, one in result.items()
        }

    def forget_logs(self) -> None:
        """Read logs anew from now on; those of containers that still run have grown."""
        self._logs.clear()

    def redactor(self, client: ClientId) -> Redactor:
        """Return what takes the values of the client's Secrets out of text: its own, those that its pods refer to, and the named."""
        own = (credentials_secret_name(client), rsa_secret_name(client))
        names = tuple(dict.fromkeys([*own, *self._redact_secrets, *sorted(self._secrets[client])]))
        values = {name: self._secret_values(name) for name in names}
        known = tuple(name for name in names if name in self._values)
        if known not in self._redactors:
            self._redactors[known] = Redactor(value for name in known for value in values[name])
        return self._redactors[known]

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
            told = self._events_by("") or []
            return [_without_probe_output(event) for event in told] if self.overview else told
        return [event for uid in sorted(uids) for event in self._events_by(f"involvedObject.uid={uid}") or []]

    def _events_by(self, fields: str) -> list[Obj] | None:
        found: list[Obj] | None = self._unless_forbidden(
            "Event", lambda: self.api.list("v1", "Event", self.namespace, field_selector=fields)
        )
        return found

    def _nodes(self) -> list[Obj] | None:
        found: list[Obj] | None = self._unless_forbidden("Node", lambda: self.api.list("v1", "Node"))
        return found

    def _leaving(self) -> str:
        """Return since when the namespace is being deleted, empty where it is not, or may not be read."""
        read = partial(self.api.get, Ref("v1", "Namespace", self.namespace), metadata_only=True)
        return str(dig(self._unless_forbidden("Namespace", read), "metadata", "deletionTimestamp", default=""))

    def _absent(self, references: t.Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which objects the API has proven not to exist; what was there once is not asked for again. Many of a kind: by one list."""
        asked = sorted(set(references) - self._present)
        kinds = Counter(kind for kind, _name in asked)
        lists = {kind for kind, count in kinds.items() if count > MOST_SINGLE_REFERENCES and kind not in CLUSTER_WIDE}
        there = {(kind, name) for kind in sorted(lists) for name in self._names(kind) or []}
        unlisted = {kind for kind in lists if kind in self.not_seen}
        for kind, name in asked:
            if kind not in lists or kind in unlisted:
                there |= {(kind, name)} if self._is_there(kind, name) else set()
        self._present |= there
        return {(kind, name) for kind, name in asked if (kind, name) not in there}

    def _names(self, kind: str) -> list[str] | None:
        """Return the names of all objects of a kind in the namespace, None where they may not be listed."""
        read = partial(self.api.list, API_VERSIONS.get(kind, "v1"), kind, self.namespace, metadata_only=True)
        found: list[Obj] | None = self._unless_forbidden(kind, read)
        return None if found is None else [name_of(one) for one in found]

    def _is_there(self, kind: str, name: str) -> bool:
        """Return whether an object exists, or may not be asked for."""
        ref = Ref(API_VERSIONS.get(kind, "v1"), kind, name, "" if kind in CLUSTER_WIDE else self.namespace)
        return self._unless_forbidden(kind, lambda: self.api.get(ref, metadata_only=True)) is not None or kind in self.not_seen

    def _all_routes(self, publish: str) -> list[Obj]:
        """Return all routes of the namespace, whoever made them; read once."""
        if publish not in self._routes:
            self._routes[publish] = self._list(*ROUTES[publish], "")
        return self._routes[publish]

    def _rivals(self, seen: Seen) -> list[Obj]:
        """Return the routes that claim what a client's own do."""
        if not self._looks_around:
            return []
        if seen.publish not in self._claims:
            self._claims[seen.publish] = by_claim(self._all_routes(seen.publish))
        return rivals(seen.routes, self._claims[seen.publish])

    def _answers(self, found: t.Mapping[ClientId, Seen], paths: t.Mapping[ClientId, PublicPath]) -> dict[ClientId, PublicAnswer]:
        """Return what the public paths answer; what is wrong with one is settled once it has been so for a while."""
        by_job = {client: path for client, path in paths.items() if path.probe == JOB}
        answers = {
            client: ask(path.address(client), expected=path.probe_status, ca_file=path.probe_ca_file)
            for client, path in paths.items()
            if client not in by_job
        }
        if by_job:
            answers |= self._answers_by_job(next(found[client] for client in by_job), by_job)
        return {client: self._settled(client, answer) for client, answer in answers.items()}

    def _answers_by_job(self, one: Seen, paths: t.Mapping[ClientId, PublicPath]) -> dict[ClientId, PublicAnswer]:
        """Return what a Job in the cluster is answered, which runs where and as the pods of one of the clients do."""
        image = next(path.probe_image for path in paths.values())
        questions = {
            client: Question(path.address(client), path.probe_status, authority(path.probe_ca_file)) for client, path in paths.items()
        }
        return ask_by_job(self.api, self.namespace, image, questions, dig(one.deployment, "spec", "template", "spec"), self._explained)

    def _explained(self, seen: Seen) -> Seen:
        """Return what was seen of a Job with what says why it does not go on; its log is read by whoever made it."""
        return self.sharpened({seen.client: seen}, {seen.client: replace(wanted_by_jobs(seen), logs=frozenset())})[seen.client]

    def _settled(self, client: ClientId, answer: PublicAnswer) -> PublicAnswer:
        if answer.reason == PublicAnswer.SERVED:
            return answer
        since = self._unanswered.setdefault(client, time.monotonic())
        return replace(answer, settled=time.monotonic() - since >= self.settle_seconds)

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
        """Return the values of a Secret that have to be hidden, read once; empty where it is absent (as yet) or not to be read."""
        if name in self._values:
            return self._values[name]
        found = self._unless_forbidden("values of Secrets", partial(self.api.get, Ref("v1", "Secret", name, self.namespace)))
        if found is None:
            return []
        values = [_decoded(str(value)) for key, value in dig(found, "data", default={}).items() if is_secret_key(key)]
        self._values[name] = [*values, *(part for value in values for part in passwords_of_login(value))]
        return self._values[name]


def _without_output(pod: Obj) -> Obj:
    """Return a pod without what its programs wrote: the kubelet keeps the end of a log as the message of how a container ended."""
    for status in container_states(pod):
        for state in (status.get("state"), status.get("lastState")):
            ended = dig(state, "terminated", default={})
            if ended.get("reason") in PROGRAM_ENDS:
                ended.pop("message", None)
    return pod


def _without_probe_output(event: Obj) -> Obj:
    """Return an event without what a probe read from the program."""
    probed = event.get("reason") == "Unhealthy"
    return {**event, "message": f"{str(event.get('message')).partition(':')[0]}: see status_client.yml"} if probed else event


def _concerns(kind: str, wanted: Wanted) -> bool:
    """Return whether what could not be read matters to a client: nodes, the namespace and references are read for all clients together."""
    together = {"Node": wanted.nodes, "Namespace": wanted.namespace}
    if kind in together:
        return together[kind]
    return bool(wanted) and (kind not in CLUSTER_WIDE or kind in {referred for referred, _name in wanted.references})


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
