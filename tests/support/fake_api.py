# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes API over real HTTP on loopback, for unit tests (fixture fake_api): it stores objects, and answers as it is told.

def test_something(fake_api):
    fake_api.add({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "lms-dev"}})
    fake_api.answer("GET", "/secrets/", status=503, times=2)     # the next two requests whose path contains that
    fake_api.answer("POST", "/secrets", lose="answer")           # carried out, but the answer never arrives
    api = connect(fake_api.params)
    ...
    assert fake_api.writes() == []
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import itertools
import json
import re
import threading
import time
import typing as t
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import KNOWN, Ref, Resource, resource_path

PREFIX = "/k8s/clusters/c-unit"
BEARER = "unit-test-token-0123456789"
REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")
PATH = re.compile(
    r"(?P<group>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?P<sub>/.+)?"
)

Object = dict[str, t.Any]


@dataclass
class Request:
    """A request as it arrived: path without the API root's prefix, query with one value a key, body parsed."""

    method: str
    path: str
    query: dict[str, str]
    body: t.Any
    headers: dict[str, str]


@dataclass
class Rule:
    """What to answer to the next `times` requests of a method whose path contains a text; `$` is the end of a path."""

    method: str
    path: str
    status: int = 200
    body: t.Any = None
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    delay: float = 0.0
    lose: str = ""
    query: str = ""


class FakeApi:
    """root: URL to give as `host`; requests: all that arrived; objects: what is stored, by path; params: connection options."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.objects: dict[str, Object] = {}
        self.resources: dict[tuple[str, str], Resource] = dict(KNOWN)
        self._rules: list[Rule] = []
        self._versions = itertools.count(1)
        self._lock = threading.Lock()
        self.handler = _handler(self)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}{PREFIX}"

    @property
    def params(self) -> dict[str, t.Any]:
        """Return connection options for this API."""
        return {"host": self.root, "api_key": BEARER}

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, *objects: Object) -> None:
        """Store objects as if somebody had created them."""
        for obj in objects:
            stored = copy.deepcopy(obj)
            ref = Ref.of(stored)
            self._stamp(stored)
            self.objects[resource_path(ref.api_version, self.resources[ref.api_version, ref.kind], ref.namespace, ref.name)] = stored

    def stored(self, kind: str, name: str, namespace: str = "lms-dev", api_version: str = "v1") -> Object | None:
        """Return a stored object, None where there is none."""
        return self.objects.get(resource_path(api_version, self.resources[api_version, kind], namespace, name))

    def remove(self, kind: str, name: str, namespace: str = "lms-dev", api_version: str = "v1") -> None:
        """Take an object away behind everybody's back."""
        del self.objects[resource_path(api_version, self.resources[api_version, kind], namespace, name)]

    def answer(self, method: str, path: str, **rule: t.Any) -> None:
        """Answer the next `times` requests by a Rule; status 200 with no body and no `lose` means: as usual, after the delay."""
        self._rules.append(Rule(method, path, **rule))

    def forget(self) -> None:
        """Answer as usual from now on."""
        self._rules.clear()

    def fail(self, method: str, path: str, status: int, reason: str = "", message: str = "", **rule: t.Any) -> None:
        """Answer with a Status of Kubernetes' that is an error."""
        self.answer(method, path, status=status, body=status_object(status, reason, message or f"made-up {status}"), **rule)

    def writes(self) -> list[str]:
        """Return the methods and paths of all requests that write, access reviews left out."""
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET" and not any(group in r.path for group in REVIEWS)]

    def reads(self) -> list[str]:
        """Return the paths of all reads."""
        return [r.path for r in self.requests if r.method == "GET"]

    def handle(self, request: Request) -> tuple[int, t.Any, dict[str, str], str]:
        """Return status, body, headers and what is lost ("", "request" or "answer") for one request."""
        with self._lock:
            self.requests.append(request)
            rule = self._matching(request)
        if rule and rule.delay:
            time.sleep(rule.delay)
        if rule and rule.lose == "request":
            return 0, None, {}, "request"
        if rule and (rule.status != 200 or rule.body is not None):
            return rule.status, rule.body, rule.headers, rule.lose
        with self._lock:
            status, body = self._act(request)
        return status, copy.deepcopy(body), {}, rule.lose if rule else ""

    def _matching(self, request: Request) -> Rule | None:
        """Return the first rule for a request, and count it down."""
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        for rule in self._rules:
            if rule.times and rule.method == request.method and rule.path in f"{request.path}$" and rule.query in query:
                rule.times -= 1
                return rule
        return None

    def _act(self, request: Request) -> tuple[int, t.Any]:
        """Do what a request asks for with the stored objects."""
        if request.path == "/version":
            return 200, {"gitVersion": "v1.36.3", "major": "1", "minor": "36"}
        match = PATH.fullmatch(request.path)
        api_version = match["group"].removeprefix("/apis/").removeprefix("/api/") if match else ""
        known = match and next(
            (kind for (version, kind), r in self.resources.items() if (version, r.plural) == (api_version, match["plural"])), ""
        )
        if not match or not known:
            return 404, "404 page not found\n"
        if match["sub"]:
            return 200, f"log of {match['name']}\n"
        actions = {"GET": self._get if match["name"] else self._list, "POST": self._post, "PUT": self._put, "DELETE": self._delete}
        return actions[request.method](request, api_version, known, match)

    def _get(self, request: Request, _api_version: str, _kind: str, match: re.Match[str]) -> tuple[int, t.Any]:
        found = self.objects.get(request.path)
        if found is None:
            return _absent(match)
        return 200, _partial(found) if "PartialObjectMetadata" in request.headers.get("Accept", "") else found

    def _list(self, request: Request, api_version: str, kind: str, match: re.Match[str]) -> tuple[int, t.Any]:
        """Return one page; items lack apiVersion and kind, as the real ones do."""
        found = [
            obj
            for path, obj in sorted(self.objects.items())
            if (candidate := PATH.fullmatch(path))
            and (candidate["group"], candidate["plural"]) == (match["group"], match["plural"])
            and match["namespace"] in (None, candidate["namespace"])
            and _selected(obj, request.query)
        ]
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0")) or len(found)
        following = {"continue": str(start + limit)} if start + limit < len(found) else {}
        partial = "PartialObjectMetadata" in request.headers.get("Accept", "")
        page = [
            _partial(obj) if partial else {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}
            for obj in found[start : start + limit]
        ]
        head = (
            {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList"}
            if partial
            else {"apiVersion": api_version, "kind": f"{kind}List"}
        )
        return 200, {**head, "metadata": {"resourceVersion": "1", **following}, "items": page}

    def _post(self, request: Request, _api_version: str, _kind: str, match: re.Match[str]) -> tuple[int, t.Any]:
        name = request.body["metadata"]["name"]
        path = f"{request.path}/{name}"
        if path in self.objects:
            return 409, status_object(409, "AlreadyExists", f'{match["plural"]} "{name}" already exists', name, match["plural"])
        stored = copy.deepcopy(request.body)
        self._stamp(stored)
        self.objects[path] = stored
        return 201, stored

    def _put(self, request: Request, _api_version: str, _kind: str, match: re.Match[str]) -> tuple[int, t.Any]:
        found = self.objects.get(request.path)
        if found is None:
            return _absent(match)
        given = request.body["metadata"].get("resourceVersion")
        if given and given != found["metadata"]["resourceVersion"]:
            return 409, status_object(409, "Conflict", "the object has been modified", match["name"], match["plural"])
        stored = copy.deepcopy(request.body)
        stored["metadata"].update({key: found["metadata"][key] for key in ("uid", "creationTimestamp")})
        self._stamp(stored)
        self.objects[request.path] = stored
        return 200, stored

    def _delete(self, request: Request, _api_version: str, _kind: str, match: re.Match[str]) -> tuple[int, t.Any]:
        found = self.objects.get(request.path)
        if found is None:
            return _absent(match)
        wanted = ((request.body or {}).get("preconditions") or {}).get("uid")
        if wanted and wanted != found["metadata"]["uid"]:
            return 409, status_object(409, "Conflict", "the UID in the precondition differs", match["name"], match["plural"])
        return 200, self.objects.pop(request.path)

    def _stamp(self, obj: Object) -> None:
        """Set what a server sets in metadata."""
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(next(self._versions))
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def status_object(code: int, reason: str, message: str, name: str = "", plural: str = "") -> Object:
    """Return a Status as Kubernetes answers an error."""
    details = {"name": name, "kind": plural} if name else {}
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def _absent(match: re.Match[str]) -> tuple[int, Object]:
    """Return Kubernetes' own 404 for an object."""
    return 404, status_object(404, "NotFound", f'{match["plural"]} "{match["name"]}" not found', match["name"], match["plural"])


def _partial(obj: Object) -> Object:
    """Return an object's metadata alone."""
    return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": obj["metadata"]}


def _selected(obj: Object, query: dict[str, str]) -> bool:
    """Return whether an object is one that the label and field selectors (a=b, a in (b,c)) of a query ask for."""
    labels = obj["metadata"].get("labels") or {}
    for key, values in re.findall(r"([\w./-]+) in \(([^)]*)\)", query.get("labelSelector", "")):
        if labels.get(key) not in [value.strip() for value in values.split(",")]:
            return False
    equal = re.sub(r"[\w./-]+ in \([^)]*\)", "", query.get("labelSelector", ""))
    pairs = [part.split("=", 1) for part in equal.split(",") if "=" in part]
    fields = [part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if "=" in part]
    return all(labels.get(key) == value for key, value in pairs) and all(str(_at(obj, key)) == value for key, value in fields)


def _at(obj: t.Any, dotted: str) -> t.Any:
    """Return what stands under a dotted path."""
    for key in dotted.split("."):
        obj = (obj or {}).get(key)
    return obj


def _handler(fake: FakeApi) -> type[BaseHTTPRequestHandler]:
    """Return the class that speaks HTTP for one fake API."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            body = json.loads(content) if content else None
            if not url.path.startswith(f"{PREFIX}/"):
                status, answer, headers, lost = 404, "<html><body>no such page</body></html>", {"Content-Type": "text/html"}, ""
            else:
                status, answer, headers, lost = fake.handle(
                    Request(
                        self.command,
                        url.path.removeprefix(PREFIX),
                        query,
                        body,
                        {key.title(): value for key, value in self.headers.items()},
                    )
                )
            if lost:
                self.close_connection = True
                return
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            with contextlib.suppress(OSError):  # the client may have gone
                self._send(status, data, {"Content-Type": "text/plain" if isinstance(answer, str) else "application/json", **headers})

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

        def log_message(self, *_arguments: t.Any) -> None:
            """Say nothing."""

    return Handler
