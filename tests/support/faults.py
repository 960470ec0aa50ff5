# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between a controller and the API, the proxy that makes it happen on a lab, and the table of it in docs/faults.md.


A fault strikes one kind of request (WHERE); each entry point says which of its own requests that is.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults import Cut, FaultProxy, Passed, Rule, behind_tls

from .certificates import Authority
from .lab import Lab
from .tree import ROOT

__all__ = [
    "BUSY",
    "FAULTS",
    "Entry",
    "Fault",
    "Row",
    "Table",
    "faulty_api",
    "held",
    "page",
    "patience_of",
    "plainly",
    "root_url",
    "status",
    "writes",
]

DOCS = ROOT / "docs" / "faults.md"
HEAD = "| fault | what the operator reads | exit code | written | the next run |\n| --- | --- | --- | --- | --- |\n"
# What a lab's answers have of their own: (what it looks like, what the table has in its place).
PLAIN = (
    (re.compile(r"https://127\.0\.0\.1:\d+"), "https://rancher.example"),
    (re.compile(r"127\.0\.0\.1:\d+"), "rancher.example:443"),
    (re.compile(r"c-lab"), "c-abcde"),
    (re.compile(r"IncompleteRead\(\d+ bytes read, \d+ more expected\)"), "IncompleteRead"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "*date* UTC"),
    (re.compile(r"\b\d+\.\d s\b"), "*n* s"),
)
WRITES = {"POST": "create", "PUT": "replace", "PATCH": "apply", "DELETE": "delete"}
PATH = re.compile(r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)/namespaces/[^/]+/(?P<plural>[^/]+)(?:/[^/]+)?(?P<sub>/.+)?$")
REVIEWS = {"authorization.k8s.io", "authentication.k8s.io"}


def status(code: int, reason: str, message: str, **more: t.Any) -> dict[str, t.Any]:
    """Return what a Rule needs to answer as Kubernetes does."""
    body = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}
    return {"status": code, "body": body, **more}


def page(code: int, text: str) -> dict[str, t.Any]:
    """Return what a Rule needs to answer as a proxy before Kubernetes does."""
    return {"status": code, "body": f"<html><head><title>{code} {text}</title></head><body><h1>{text}</h1></body></html>"}


@dataclass(frozen=True)
class Fault:
    """One row of the table: its name, what it strikes (a read, page, create, update, discovery, apply, wait, delete), and how."""

    name: str
    where: str
    how: Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def lasts(self) -> bool:
        """Return whether it stays, however often the request is repeated."""
        return self.how.get("times") == 0


BUSY = status(429, "TooManyRequests", "too many requests, please try again later")
AWAY = status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
CUT_OFF = {"cut": Cut.REQUEST}

FAULTS = (
    Fault("400 to a read", "read", status(400, "BadRequest", "the server rejected our request for an unknown reason")),
    Fault("401 to a read", "read", status(401, "Unauthorized", "Unauthorized")),
    Fault("403 to a read", "read", status(403, "Forbidden", "it is forbidden: the deployer may not read it")),
    Fault("404 that is not about the object", "read", {"status": 404, "body": "404 page not found\n"}),
    Fault("404 to discovery", "discovery", {"status": 404, "body": "404 page not found\n"}),
    Fault("409 to a create", "create", status(409, "AlreadyExists", "it already exists")),
    Fault(
        "409 to an update",
        "update",
        status(409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    ),
    Fault("409 to every update", "update", status(409, "Conflict", "the object has been modified", times=0)),
    Fault("410 to a read", "read", status(410, "Expired", "too old resource version")),
    Fault("413 to a create", "create", status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")),
    Fault("422 to a create", "create", status(422, "Invalid", "it is invalid: metadata.labels: Invalid value")),
    Fault("503 while Jobs are waited for, all the time", "wait", {**AWAY, "first": 2, "times": 0}),
    Fault("reset while Jobs are waited for, once", "wait", {**CUT_OFF, "first": 2}),
    Fault("token that expires while Jobs are waited for", "wait", status(401, "Unauthorized", "Unauthorized", first=2, times=0)),
    Fault("422 to an apply", "apply", status(422, "Invalid", "it is invalid: spec.rules: Required value")),
    Fault("429 once, Retry-After 1 s", "read", {**BUSY, "headers": {"Retry-After": "1"}}),
    Fault("429 once, Retry-After 60 s", "read", {**BUSY, "headers": {"Retry-After": "60"}}),
    Fault("429 once, without Retry-After", "read", BUSY),
    Fault("429 once to a create", "create", BUSY),
    Fault("429 once to an apply", "apply", BUSY),
    Fault("429 all the time", "read", {**BUSY, "times": 0}),
    Fault("500 to a read", "read", status(500, "InternalError", "Internal error occurred: etcdserver: leader changed")),
    Fault("502 once", "read", page(502, "Bad Gateway")),
    Fault("502 once to an apply", "apply", page(502, "Bad Gateway")),
    Fault("502 all the time", "read", {**page(502, "Bad Gateway"), "times": 0}),
    Fault("503 on the object, once", "read", AWAY),
    Fault("503 on the object, all the time", "read", {**AWAY, "times": 0}),
    Fault("503 on discovery only", "discovery", {**AWAY, "times": 0}),
    Fault("504 once to a create", "create", page(504, "Gateway Time-out")),
    Fault("504 all the time", "read", {**page(504, "Gateway Time-out"), "times": 0}),
    Fault("reset before the answer, once", "read", CUT_OFF),
    Fault("reset before the answer to a create, once", "create", CUT_OFF),
    Fault("reset before the answer, all the time", "read", {**CUT_OFF, "times": 0}),
    Fault("reset in the middle of a read, once", "read", {"cut": Cut.MIDDLE}),
    Fault("reset in the middle of the answer to a create", "create", {"cut": Cut.MIDDLE}),
    Fault("answer lost after a create", "create", {"cut": Cut.ANSWER}),
    Fault("answer lost after an update", "update", {"cut": Cut.ANSWER}),
    Fault("answer lost after an apply", "apply", {"cut": Cut.ANSWER}),
    Fault("30 s of silence to a read", "read", {"cut": Cut.SILENCE}),
    Fault("30 s of silence to a create", "create", {"cut": Cut.SILENCE}),
    Fault("30 s of silence to an apply", "apply", {"cut": Cut.SILENCE}),
    Fault("502 once to a delete", "delete", page(502, "Bad Gateway")),
    Fault("answer lost after a delete", "delete", {"cut": Cut.ANSWER}),
    Fault("30 s of silence to a delete", "delete", {"cut": Cut.SILENCE}),
    Fault("HTML instead of JSON", "read", page(200, "Log in")),
    Fault("expired certificate", "read", {"cut": Cut.REQUEST, "expired": True}),
    Fault("token that expires half way", "create", status(401, "Unauthorized", "Unauthorized", times=0)),
    Fault("token that expires on page two", "page", status(401, "Unauthorized", "Unauthorized", first=2, times=0)),
    Fault("token that expires before an update", "update", status(401, "Unauthorized", "Unauthorized", times=0)),
)


@contextmanager
def faulty_api(lab: Lab, folder: Path) -> Iterator[FaultProxy]:
    """Put a proxy before the lab's API, with certificates of the lab's own authority; its files lie in a folder of the test's."""
    pki = lab.state / "pki"
    authority = Authority.read(Path(lab.facts["api"]["ca_file"]), pki / "ca.key")
    upstream = behind_tls(lab.facts["names"]["rancher.example"], "rancher.example", Path(lab.facts["api"]["ca_file"]))
    good, expired = authority.issue(folder / "good.pem"), authority.issue(folder / "expired.pem", expired=True)
    with FaultProxy(upstream, certificate=good, expired=expired) as proxy:
        yield proxy


def root_url(lab: Lab, proxy: FaultProxy) -> str:
    """Return the API's root URL through the proxy: the path is kept."""
    return str(lab.facts["api"]["root_url"]).replace("https://rancher.example", proxy.url)


def patience_of(fault: Fault) -> dict[str, str]:
    """Return the environment that makes a run give up soon: what lasts is not waited out, and silence is called so after 3 s."""
    silent = fault.how.get("cut") is Cut.SILENCE
    return {"RARUS_LMS_REPEAT_SECONDS": "0.6" if fault.lasts else "3", "RARUS_LMS_READ_SECONDS": "3" if silent else "30"}


def writes(passed: Iterable[Passed]) -> list[str]:
    """Return what was written, each kind once, as `create secrets`; Leases come and go, and are left out."""
    found: dict[str, None] = {}
    for request in passed:
        match = PATH.search(request.path)
        done = request.became[:1] == "2" and request.method in WRITES
        if done and match and match["group"] not in REVIEWS and match["plural"] != "leases":
            found[f"{WRITES[request.method]} {match['plural']}{match['sub'] or ''}"] = None
    return list(found)


def plainly(text: str, names: Mapping[str, str] | None = None) -> str:
    """Return a text with what is a lab's or a test's own (names: its texts, and what they become) replaced by what people know."""
    for own, known in (names or {}).items():
        text = text.replace(own, known)
    for pattern, known in PLAIN:
        text = pattern.sub(known, text)
    return text


@dataclass(frozen=True)
class Row:
    """What was seen of one fault. told: the sentence, empty where the run went on; wrote: as `writes` has it."""

    told: str
    exit_code: int | str
    wrote: tuple[str, ...]
    next_run: str

    @property
    def sentence(self) -> str:
        """The sentence as Markdown."""
        return self.told.replace("|", "\\|").replace("<", "\\<") if self.told else "*nothing: the run goes on*"

    def line(self, name: str) -> str:
        """Return the row as Markdown."""
        return f"| {name} | {self.sentence} | {self.exit_code} | {', '.join(self.wrote) or 'nothing'} | {self.next_run} |\n"


class Table:
    """One entry point's table in docs/faults.md. With RARUS_LMS_GOLDEN=write in the environment it is written, otherwise held."""

    def __init__(self, entry: Entry) -> None:
        self.names = [fault.name for fault in entry.faults]
        self.begin, self.end = f"<!-- {entry.name}: begin -->\n", f"<!-- {entry.name}: end -->\n"
        self._seen: dict[str, str] = {}

    def hold(self, fault: Fault, row: Row) -> None:
        """Compare what was seen with the table's row; AssertionError where they differ."""
        line = row.line(fault.name)
        self._seen[fault.name] = line
        if os.environ.get("RARUS_LMS_GOLDEN") != "write":
            assert line == self.rows().get(fault.name, "there is no such row\n")

    def told(self, fault: Fault) -> tuple[str, str]:
        """Return what the table has for a fault: the sentence and the exit code."""
        _name, sentence, code, _wrote, _next_run = self.rows()[fault.name].split(" | ")
        return sentence, code

    def rows(self) -> dict[str, str]:
        """Return the rows of the table as it stands, by the fault's name."""
        text = DOCS.read_text()
        table = text[text.index(self.begin) + len(self.begin) : text.index(self.end)].removeprefix(HEAD)
        return {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines(keepends=True)}

    def write(self) -> None:
        """Write the rows that were seen into the table, in the order of the faults."""
        if os.environ.get("RARUS_LMS_GOLDEN") != "write":
            return
        rows = {**self.rows(), **self._seen}
        text = DOCS.read_text()
        table = HEAD + "".join(rows[name] for name in self.names if name in rows)
        DOCS.write_text(text[: text.index(self.begin) + len(self.begin)] + table + text[text.index(self.end) :])


@dataclass(frozen=True)
class Entry:
    """An entry point, and which of its own requests are of which kind: (method, path), as regular expressions; names: of faults."""

    name: str
    where: Mapping[str, tuple[str, str]]
    names: Sequence[str] = ()

    @property
    def faults(self) -> list[Fault]:
        """Return the faults that can strike it: of those of its names where it has some."""
        return [fault for fault in FAULTS if fault.where in self.where and (not self.names or fault.name in self.names)]

    def rule(self, fault: Fault) -> Rule:
        """Return the proxy's rule by which a fault strikes it."""
        return Rule(*self.where[fault.where], **fault.how)


@contextmanager
def held(entries: Iterable[Entry]) -> Iterator[dict[str, Table]]:
    """Give the tables of entry points, by their names, and write those that are to be written at the end."""
    tables = {entry.name: Table(entry) for entry in entries}
    try:
        yield tables
    finally:
        for table in tables.values():
            table.write()
