# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a cluster as its administrator sees them, read by this process: a kubectl costs a hundred times more, and tests ask often."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

__all__ = ["Reader"]

Obj = dict[str, Any]
ANSWER_SECONDS = 30
# One document for the kinds of all groups, instead of one for each group.
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class _Kind:
    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str) -> str:
        root = "/apis" if "/" in self.api_version else "/api"
        where = f"/namespaces/{namespace or 'default'}" if self.namespaced else ""
        return f"{root}/{self.api_version}{where}/{self.plural}"


@dataclass(frozen=True)
class Reader:
    """Reads as a kubeconfig's only user does, who has a certificate."""

    kubeconfig: Path

    def get(self, kinds: str, name: str = "", namespace: str = "", *, selector: str = "") -> Obj:
        """Return an object, or a List of those of some kinds (`secret`, `pods,jobs`), without managed fields; empty where there is none.

        AssertionError where the API answers otherwise.
        """
        if name:
            return self._read(self._kind(kinds).path(namespace) + f"/{name}")
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        items = []
        for kind in map(self._kind, kinds.split(",")):
            listed = self._read(kind.path(namespace) + query).get("items", [])
            items += [_whole({"apiVersion": kind.api_version, "kind": kind.kind, **one}) for one in listed]
        return {"apiVersion": "v1", "kind": "List", "items": items} if items else {}

    def _kind(self, word: str) -> _Kind:
        assert word in self._kinds, f"{word!r} is no kind of this cluster"
        return self._kinds[word]

    @cached_property
    def _kinds(self) -> dict[str, _Kind]:
        """Every kind by the words that kubectl knows it by; of two groups with one word, the first."""
        found: dict[str, _Kind] = {}
        for root in ("/api", "/apis"):
            for group in self._read(root, DISCOVERY)["items"]:
                version = group["versions"][0]
                api_version = "/".join(filter(None, (group["metadata"].get("name", ""), version["version"])))
                for one in version["resources"]:
                    kind = _Kind(api_version, one["responseKind"]["kind"], one["resource"], one["scope"] == "Namespaced")
                    for word in (kind.plural, one["singularResource"], *one.get("shortNames", [])):
                        found.setdefault(word, kind)
        return found

    @cached_property
    def _server(self) -> tuple[str, ssl.SSLContext]:
        config = json.loads(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        context.load_cert_chain(user["client-certificate"], user["client-key"])
        return urlsplit(cluster["server"]).netloc, context

    def _read(self, path: str, accept: str = "application/json") -> Obj:
        address, context = self._server
        connection = HTTPSConnection(address, context=context, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status == HTTPStatus.NOT_FOUND:
            return {}
        assert answer.status == HTTPStatus.OK, f"{path}: {answer.status} {text}"
        return _whole(json.loads(text))


def _whole(obj: Obj) -> Obj:
    """Return an object without what the API server notes of who set which of its fields."""
    obj.get("metadata", {}).pop("managedFields", None)
    return obj
