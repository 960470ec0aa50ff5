# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the Kubernetes API: reads that tell absent from doubtful, creates that fail on "exists", replaces that fail on "changed"."""

from __future__ import annotations

import secrets
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from .._core.errors import ConflictError
from .._domain.names import FIELD_MANAGER, WRITE
from .faults import Answer, ApiError, refused
from .resources import KNOWN, Ref, Resource, group_path, resource_path
from .transport import Transport

__all__ = ["Answer", "Api", "ApiError"]

PAGE = 500
RESTARTS = 3
LOG_READ_BYTES = 262144
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# POSTs that write nothing and may therefore be repeated.
REVIEWS = ("/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")

T = t.TypeVar("T")
Object = dict[str, t.Any]
Objects = list[Object]
Listed = list[T]


class Api:
    """One cluster's API, by `connect`.

    Everything that is neither the thing asked for nor a proof of its absence raises ApiError (an UnknownStateError with `status`
    and `reason`), whose sentence says what to do. A write that lost against somebody else's raises ConflictError.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._discovered: dict[tuple[str, str], Resource] = {}

    @property
    def calls(self) -> int:
        """Return how many requests were sent so far."""
        return self._transport.calls

    @property
    def root(self) -> str:
        """Return the root URL of the API, without a last slash."""
        return self._transport.target.root

    def now(self) -> float:
        """Return the time by the API's clock in seconds since 1970, to a second: controllers' own clocks may be apart."""
        return time.time() + self._transport.ahead

    def get(self, ref: Ref, *, metadata_only: bool = False) -> Object | None:
        """Return an object, or None on Kubernetes' own word that this very object does not exist."""
        action = f"reading {ref}"
        answer = self._transport.exchange("GET", self._path(ref), action=action, accept=METADATA if metadata_only else "application/json")
        if self._is_absent(answer, ref):
            return None
        found = self._expected(answer, action, kinds=(ref.kind, "PartialObjectMetadata"))
        if (found.get("metadata") or {}).get("name") != ref.name:
            raise self._strange(answer, action)
        return _item(found, ref.api_version, ref.kind, metadata_only)

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Objects:
        """Return all objects of a kind, read page by page, of one namespace or (where it is empty) of all.

        metadata_only: apiVersion, kind and metadata alone; specs and the data of Secrets do not leave the cluster.
        """
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        accept = METADATA_LIST if metadata_only else "application/json"
        return self._listed(lambda item: _item(item, api_version, kind, metadata_only), (api_version, kind, namespace), query, accept)

    def read_each(
        self, read: t.Callable[[Object], T], api_version: str, kind: str, namespace: str = "", *, label_selector: str = ""
    ) -> Listed[T]:
        """Return what `read` makes of each object of a kind, where a list of whole objects would be too long to keep.

        read: called page by page, and again from the first object where the list expired; what it raises ends the list.
        """
        query = {"labelSelector": label_selector}
        return self._listed(lambda item: read(_item(item, api_version, kind)), (api_version, kind, namespace), query, "application/json")

    def _listed(self, read: t.Callable[[Object], T], place: tuple[str, str, str], query: t.Mapping[str, str], accept: str) -> Listed[T]:
        """Return what `read` makes of each item of a list, read page by page; place: apiVersion, kind, and namespace or ""."""
        api_version, kind, namespace = place
        action = f"listing {kind} objects in {namespace or 'all namespaces'}"
        path = resource_path(api_version, self._resource(api_version, kind), namespace)
        asked = {"limit": PAGE, **{key: value for key, value in query.items() if value}}
        for _restart in range(RESTARTS):
            items = self._pages(read, path, asked, action, accept, kind)
            if items is not None:
                return items
        raise ApiError(
            f"{self.root} let {action} expire {RESTARTS} times.", hint="Run the same again later.", status=HTTPStatus.GONE, reason="Expired"
        )

    def create(self, obj: t.Mapping[str, t.Any]) -> Object:
        """Create an object and return it as stored; ConflictError where one of that name exists.

        A create whose answer was lost is repeated; "exists" is then recognised as our own by a token in an annotation.
        """
        ref = Ref.of(obj)
        return self._write(
            "POST", resource_path(ref.api_version, self._resource(ref.api_version, ref.kind), ref.namespace), obj, f"creating {ref}"
        )

    def replace(self, obj: t.Mapping[str, t.Any]) -> Object:
        """Replace an object that was read before; ConflictError where it was changed or deleted since (metadata.resourceVersion)."""
        ref = Ref.of(obj)
        if not (obj.get("metadata") or {}).get("resourceVersion"):
            raise ValueError(f"replace of {ref} without a resourceVersion would overwrite what others wrote")
        return self._write("PUT", self._path(ref), obj, f"updating {ref}")

    def delete(self, ref: Ref, *, uid: str = "", propagation: str = "Background") -> bool:
        """Delete an object, that of one uid where it is given; return False where it was gone already."""
        action = f"deleting {ref}"
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        answer = self._transport.exchange("DELETE", self._path(ref), action=action, body=options)
        if self._is_absent(answer, ref):
            return answer.attempts > 1
        self._expected(answer, action)
        return True

    def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail_lines: int = 20, limit_bytes: int = 8192
    ) -> str:
        """Return the last whole lines of a container's log, limit_bytes at most, empty where there is none; never follows."""
        action = f"reading the log of container {container} of Pod {namespace}/{pod}"
        query = {"container": container, "tailLines": tail_lines, "limitBytes": LOG_READ_BYTES, "previous": str(previous).lower()}
        path = resource_path("v1", KNOWN["v1", "Pod"], namespace, pod) + "/log"
        answer = self._transport.exchange("GET", path, action=action, query=query, accept="*/*")
        if answer.kubernetes_status and answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            return ""
        if answer.status != HTTPStatus.OK:
            raise refused(answer, self._transport.target, action)
        return _last_lines(answer.text, limit_bytes)

    def version(self) -> Object:
        """Return what the API server says of itself: gitVersion, major, minor and more."""
        answer = self._transport.exchange("GET", "/version", action="asking for the version")
        version = self._expected(answer, "asking for the version")
        if "gitVersion" not in version:
            raise self._strange(answer, "asking for the version")
        return version

    def request(
        self,
        method: str,
        path: str,
        *,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        accept: str = "application/json",
    ) -> Answer:
        """Return the answer to any other request, its body parsed where it is JSON; raises where its status is an error."""
        action = f"{method} {path}"
        repeatable = method == "GET" or path.startswith(REVIEWS)
        answer = self._transport.exchange(method, path, action=action, query=query, body=body, accept=accept, repeatable=repeatable)
        self._accepted(answer, action)
        if accept.startswith("application/json") and not isinstance(answer.body, dict):
            raise self._strange(answer, action)
        return answer

    def _write(self, method: str, path: str, obj: t.Mapping[str, t.Any], action: str) -> Object:
        """Send a whole object, marked so that it is known again where the answer to an earlier attempt was lost."""
        ref = Ref.of(obj)
        token = secrets.token_hex(8)
        metadata = dict(obj["metadata"])
        metadata["annotations"] = {**(metadata.get("annotations") or {}), WRITE: token}
        query = {"fieldManager": FIELD_MANAGER}
        answer = self._transport.exchange(method, path, action=action, query=query, body={**obj, "metadata": metadata})
        if answer.status == HTTPStatus.CONFLICT and answer.attempts > 1:
            found = self.get(ref)
            if found is not None and (found["metadata"].get("annotations") or {}).get(WRITE) == token:
                return found
        if method == "PUT" and self._is_absent(answer, ref):
            raise ConflictError(f"{ref} was deleted while it was being updated.")
        return _item(self._expected(answer, action, kinds=(ref.kind,), hidden=_values(obj)), ref.api_version, ref.kind)

    def _pages(
        self, read: t.Callable[[Object], T], path: str, query: t.Mapping[str, t.Any], action: str, accept: str, kind: str
    ) -> Listed[T] | None:
        """Return what `read` makes of the items of all pages, None where the list expired between two of them.

        A page is asked for while `read` is at work on the one before, so that neither waits for the other.
        """
        items: Listed[T] = []
        ask = partial(self._transport.exchange, "GET", path, action=action, accept=accept)
        answer, following = ask(query=query), ""
        with ThreadPoolExecutor(1) as ahead:
            while True:
                if answer.status == HTTPStatus.GONE and following:
                    return None
                found = self._expected(answer, action, kinds=(f"{kind}List", "PartialObjectMetadataList"))
                page = found.get("items")
                if page is None:
                    page = []
                if not isinstance(page, list):
                    raise self._strange(answer, action)
                following = (found.get("metadata") or {}).get("continue") or ""
                coming = ahead.submit(ask, query={**query, "continue": following}) if following else None
                items += map(read, page)
                if coming is None:
                    return items
                answer = coming.result()

    def _path(self, ref: Ref) -> str:
        """Return the path of an object."""
        if not ref.name:
            raise ValueError(f"a {ref.kind} without a name has no path")
        return resource_path(ref.api_version, self._resource(ref.api_version, ref.kind), ref.namespace, ref.name)

    def _resource(self, api_version: str, kind: str) -> Resource:
        """Return how the API spells a kind, asking it once where the kind is not one of ours."""
        key = (api_version, kind)
        found = KNOWN.get(key) or self._discovered.get(key)
        return found or self._discover(api_version, kind)

    def _discover(self, api_version: str, kind: str) -> Resource:
        """Ask the API which kinds a group has; a kind that it does not list is an error, as is an answer that is none."""
        action = f"asking for the kinds of {api_version}"
        answer = self._transport.exchange("GET", group_path(api_version), action=action)
        for entry in self._expected(answer, action, kinds=("APIResourceList",)).get("resources") or []:
            if "/" not in entry.get("name", "/"):
                self._discovered[api_version, entry["kind"]] = Resource(entry["name"], bool(entry.get("namespaced")))
        if (api_version, kind) not in self._discovered:
            raise ApiError(
                f"{self.root} serves no kind {kind} in {api_version}.",
                hint="Correct the template, or install what brings that kind.",
                status=HTTPStatus.NOT_FOUND,
            )
        return self._discovered[api_version, kind]

    def _is_absent(self, answer: Answer, ref: Ref) -> bool:
        """Return whether an answer is Kubernetes' own word that this very object does not exist."""
        status = answer.kubernetes_status
        details = status.get("details") or {}
        plural = self._resource(ref.api_version, ref.kind).plural
        return (
            answer.status == HTTPStatus.NOT_FOUND
            and status.get("reason") == "NotFound"
            and details.get("name") == ref.name
            and details.get("kind") == plural
        )

    def _accepted(self, answer: Answer, action: str, hidden: t.Sequence[str] = ()) -> None:
        """Raise what an answer's status means, unless it is one of success."""
        if answer.status not in range(HTTPStatus.OK, 300):
            raise refused(answer, self._transport.target, action, hidden)

    def _expected(self, answer: Answer, action: str, *, kinds: t.Sequence[str] = (), hidden: t.Sequence[str] = ()) -> Object:
        """Return the body of an answer of success that is an object, of one of the kinds where they are given."""
        self._accepted(answer, action, hidden)
        if not isinstance(answer.body, dict) or (kinds and answer.body.get("kind") not in kinds):
            raise self._strange(answer, action)
        return answer.body

    def _strange(self, answer: Answer, action: str) -> ApiError:
        """Return what is told of an answer of success that is not what was asked for; its content is not repeated."""
        what = (
            str(answer.body.get("kind", "JSON without a kind"))
            if isinstance(answer.body, dict)
            else answer.headers.get("Content-Type", "text")
        )
        return ApiError(
            f"{self.root} answered {answer.status} to {action}, but not with what was asked for: {what}.",
            hint="Is the path of api_root_url (host) right, such as /k8s/clusters/c-abcde, and is there a login page before the API?",
            status=answer.status,
        )


def _item(found: t.Mapping[str, t.Any], api_version: str, kind: str, metadata_only: bool = False) -> Object:
    """Return an object with its apiVersion and kind, which items of lists lack; with nothing but metadata where only that was asked for."""
    head = {"apiVersion": api_version, "kind": kind}
    return {**head, "metadata": found.get("metadata") or {}} if metadata_only else {**found, **head}


def _last_lines(text: str, limit_bytes: int) -> str:
    """Return the end of a text that has limit_bytes at most, without a line that is cut off at either end."""
    data = text.encode()
    if len(data) >= LOG_READ_BYTES:
        data = data[: data.rfind(b"\n") + 1]
    if len(data) > limit_bytes:
        data = data[-limit_bytes:].partition(b"\n")[2]
    return data.decode(errors="ignore")


def _values(obj: t.Mapping[str, t.Any]) -> list[str]:
    """Return the values that a Secret holds, which no message may repeat; longest first."""
    if obj.get("kind") != "Secret":
        return []
    return sorted((str(value) for value in {**(obj.get("data") or {}), **(obj.get("stringData") or {})}.values()), key=len, reverse=True)
