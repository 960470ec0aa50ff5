# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs everything about one client's environment into an archive to attach to a ticket, without secrets."""

from __future__ import annotations

import io
import json
import tarfile
import time
import typing as t

from .._core.errors import UnknownStateError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.archive import without_secrets
from .._domain.client_id import ClientId
from .._domain.diagnosis.model import Obj, dig, name_of
from .._domain.names import APP_LABEL, CLIENT_LABEL, app_label, record_name, service_name
from .._domain.redaction import Redactor
from .._k8s.api import Api
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._k8s.resources import Ref
from .client_logs import pods_of_client, read_logs, redactor_of
from .report_file import checked_path, write_file

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "client": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "verdict": {"type": "dict", "default": {}},
    "redact_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
}
LOG_LINES = 1000
# Kinds that bear the client's label, those of which only metadata is read marked so, and those of the namespace that may be the cause.
OWN_KINDS = (
    ("apps/v1", "Deployment", False),
    ("batch/v1", "Job", False),
    ("v1", "ConfigMap", False),
    ("v1", "Secret", True),
    ("v1", "Service", False),
    ("networking.k8s.io/v1", "Ingress", False),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", False),
)
SHARED_KINDS = (
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("v1", "ServiceAccount"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
)
README = """Everything about {client} in namespace {namespace}, read at {api} by rarus.lms {version}.

verdict.json   what was found, and what was shown     record.json    the client's record (no contacts)
objects/       as the API gives them; of Secrets the names only, of variables that sound secret no values
events.json    events about these objects             logs/          the last {lines} lines of each container, and of its run before
versions.json  of the cluster and the collection      missing.json   what could not be read, and why

Values of the client's Secrets, of those its pods refer to and of the administrators' were taken out of all of it.
"""


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Write the archive (.tar.gz, mode 0600) and return its path and its files' names; in check mode nothing is written."""
    client, path = ClientId.parse(params["client"]), params["path"]
    checked_path(path, "path")
    api, namespace = connect(params), params["namespace"]
    pods = pods_of_client(api, namespace, client)
    redact = redactor_of(api, namespace, client, pods, params["redact_secrets"])
    missing: dict[str, str] = {}
    files = {
        "README.txt": README.format(client=client, namespace=namespace, api=api.root, version=VERSION, lines=LOG_LINES),
        "verdict.json": params["verdict"],
        "versions.json": {"collection": VERSION, "cluster": _unless_refused(api.version, "version", missing)},
        "record.json": _record(api, params, client, missing),
        **_objects(api, namespace, client, pods, missing),
    }
    names = {name.rpartition("/")[2].removesuffix(".json").partition("-")[2] for name in files if name.startswith("objects/")}
    events = _unless_refused(lambda: api.list("v1", "Event", namespace), "events", missing) or []
    files["events.json"] = [without_secrets(one) for one in events if dig(one, "involvedObject", "name", default="") in names]
    for log in read_logs(api, namespace, pods, redact, lines=LOG_LINES, previous=True):
        name = f"logs/{log.pod}-{log.container}{'-previous' if log.previous else ''}.txt"
        files[name] = "\n".join(log.lines or [f"({log.problem})"]) + "\n"
    files["missing.json"] = missing
    if not context.check_mode:
        write_file(path, _packed(client, files, redact), "path")
    told = f"{client}: {len(files)} files {'would be' if context.check_mode else 'are'} in {path}, secrets taken out"
    context.report(told)
    return {"changed": not context.check_mode, "path": path, "files": sorted(files), "missing": missing}


def _record(api: Api, params: t.Mapping[str, t.Any], client: ClientId, missing: dict[str, str]) -> Obj | None:
    ref = Ref("v1", "ConfigMap", record_name(client), params["registry_namespace"] or params["namespace"])
    found: Obj | None = _unless_refused(lambda: api.get(ref), "record", missing)
    return None if found is None else without_secrets(found)


def _objects(api: Api, namespace: str, client: ClientId, pods: t.Sequence[Obj], missing: dict[str, str]) -> dict[str, Obj]:
    """Return the files of the objects: the client's by its labels, and what they share with others."""
    lists: list[tuple[str, str, str, bool]] = [(version, kind, f"{CLIENT_LABEL}={client}", only) for version, kind, only in OWN_KINDS]
    lists += [("apps/v1", "ReplicaSet", f"{APP_LABEL}={app_label(client)}", False)]
    lists += [("discovery.k8s.io/v1", "EndpointSlice", f"kubernetes.io/service-name={service_name(client)}", False)]
    lists += [(version, kind, "", False) for version, kind in SHARED_KINDS]
    found = list(pods)
    for version, kind, labels, only in lists:
        read = _listing(api, version, kind, namespace, labels, only)
        found += _unless_refused(read, kind, missing) or []
    found += _unless_refused(lambda: api.list("v1", "Node"), "Node", missing) or []
    return {f"objects/{one.get('kind', 'Pod')}-{name_of(one)}.json": without_secrets(one) for one in found}


def _listing(api: Api, version: str, kind: str, namespace: str, labels: str, only: bool) -> t.Callable[[], list[Obj]]:
    return lambda: api.list(version, kind, namespace, label_selector=labels, metadata_only=only)


def _unless_refused(read: t.Callable[[], t.Any], what: str, missing: dict[str, str]) -> t.Any:
    """Return what is read; None and a note where it may not be, or is not served."""
    try:
        return read()
    except UnknownStateError as error:
        missing[what] = error.message
        return None


def _packed(client: ClientId, files: t.Mapping[str, t.Any], redact: Redactor) -> bytes:
    """Return the archive; every text in it goes through the redactor, once more at the very end."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            text = content if isinstance(content, str) else json.dumps(redact.tree(content), indent=2, ensure_ascii=False) + "\n"
            data = redact(text).encode()
            entry = tarfile.TarInfo(f"{client}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


OPERATION = Operation(name="environment_archive", argument_spec=ARGUMENT_SPEC, run=run)
