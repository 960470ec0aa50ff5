# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of a client's pods, those of its database Jobs among them: bounded, and cleaned of the Secrets that they may know."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from .._domain.client_id import ClientId
from .._domain.diagnosis.model import Obj, dig, name_of
from .._domain.diagnosis.symptoms_pods import container_states
from .._domain.names import APP_LABEL, CLIENT_LABEL, JOB_UID_LABEL, app_label
from .._domain.redaction import Redactor, log_tail
from .._k8s.api import Api, ApiError
from .._k8s.observation import Observer

__all__ = ["Log", "pods_of_client", "read_logs", "redactor_of"]

# No line is longer, and no log is, whatever was asked for.
LINE_CHARACTERS = 2000
LOG_BYTES = 200_000


@dataclass(frozen=True)
class Log:
    """The last lines of one run of one container; problem says why there are none."""

    pod: str
    container: str
    previous: bool
    lines: list[str]
    problem: str = ""

    def as_result(self) -> Obj:
        """Return the log as data."""
        return {"pod": self.pod, "container": self.container, "previous": self.previous, "lines": self.lines, "problem": self.problem}


def pods_of_client(api: Api, namespace: str, client: ClientId) -> list[Obj]:
    """Return the client's pods, its Jobs' first, each kind in the order of their names."""
    jobs = api.list("batch/v1", "Job", namespace, label_selector=f"{CLIENT_LABEL}={client}")
    uids = [str(dig(job, "metadata", "uid", default="")) for job in jobs]
    of_jobs = api.list("v1", "Pod", namespace, label_selector=f"{JOB_UID_LABEL} in ({','.join(uids)})") if uids else []
    own = api.list("v1", "Pod", namespace, label_selector=f"{APP_LABEL}={app_label(client)}")
    return [*sorted(of_jobs, key=name_of), *sorted(own, key=name_of)]


def redactor_of(api: Api, namespace: str, client: ClientId, pods: t.Iterable[Obj], more: t.Iterable[str]) -> Redactor:
    """Return what takes out the values of the client's Secrets, of all that its pods refer to, and of those that are named.

    Raises ApiError where a Secret may not be read: without its values nothing could be promised.
    """
    observer = Observer(api, namespace, redact_secrets=sorted(more))
    observer.saw(client, pods)
    redact = observer.redactor(client)
    for kind in observer.not_seen:
        raise ApiError(
            f"The logs of {client} are not shown: {kind} of namespace {namespace} may not be read, so they could not be taken out.",
            hint="playbooks/prepare_namespace.yml, run by an administrator, grants that.",
            status=HTTPStatus.FORBIDDEN,
        )
    return redact


def read_logs(
    api: Api, namespace: str, pods: t.Iterable[Obj], redact: Redactor, *, lines: int, previous: bool, container: str = ""
) -> list[Log]:
    """Return the last lines of each container of the pods; previous: of their runs before too. container: of that name only."""
    found = []
    for pod in pods:
        for status in container_states(pod):
            name = str(status.get("name", ""))
            if container in ("", name):
                runs = (True, False) if previous and status.get("restartCount") else (False,)
                found += [_read(partial(api.logs, namespace, name_of(pod), name), run, pod, name, redact, lines) for run in runs]
    return found


def _read(logs: t.Callable[..., str], previous: bool, pod: Obj, container: str, redact: Redactor, lines: int) -> Log:
    try:
        text = logs(previous=previous, tail_lines=lines, limit_bytes=LOG_BYTES)
    except ApiError as error:
        return Log(name_of(pod), container, previous, [], redact(error.message))
    kept = log_tail(text, redact, lines=lines, width=LINE_CHARACTERS, limit_bytes=LOG_BYTES)
    return Log(name_of(pod), container, previous, kept, "" if kept else "the log is empty")
