"""What a verdict costs, and how soon it comes (issue 5, section 3): on a lab of its own, with nodes that only pretend."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from figures import Figure, times_as_long
from measure import measure
from support.deployer import COLLECTIONS, Deployer
from support.lab import ROOT, start, stop

__all__ = ["named_right", "verdicts"]

NAME, NODES = "bench-status", 4
# Every cause of the table that the lab produces, and pairs of faults at random.
CAUSES = ("test_verdict.py", "test_verdict_unknown.py")
FEW, MANY = 10, 1_000
ROUNDS = 5
SETTLE_SECONDS, POLL_SECONDS = 600, 2
LABELS = {"app.kubernetes.io/managed-by": "rarus.lms"}
POD_SECURITY = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
IMAGE = "registry.example/lms/backend:dev"

Obj = dict[str, Any]


class Clients(Deployer):
    """A namespace with the environments of so many clients."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of its deployer."""
        options = self.options
        found = {"K8S_AUTH_HOST": options["host"], "K8S_AUTH_SSL_CA_CERT": options["ca_cert"], "K8S_AUTH_API_KEY": self.token}
        return {**found, "PYTHONPATH": str(COLLECTIONS)}

    def fill(self, count: int) -> None:
        """Make the environments, and wait until all of them are ready."""
        self.prepare()
        every = [obj for number in range(1, count + 1) for obj in environment(f"C{number}", self.namespace, {"rarus": "pretended"})]
        self.lab.run("kubectl", "create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": every}), seconds=900)
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.read("ours")["found"] < count:
            assert time.monotonic() < deadline, f"not all of {count} environments became ready"
            time.sleep(POLL_SECONDS)

    def read(self, way: str) -> Obj:
        """Return what a way of overview.py took."""
        return dict(json.loads(measure(self.program("overview", way, self.namespace), env=self.env).output.splitlines()[-1]))

    def late(self, what: str, client: str) -> float:
        """Return the seconds between what the API shows of a client and its verdict."""
        return float(json.loads(measure(self.program("latency", what, self.namespace, client), env=self.env).output)["seconds"])

    def program(self, name: str, *words: str) -> list[str]:
        """Return the command line of a program of this folder, in the lab."""
        return self.lab.command(sys.executable, str(Path(__file__).with_name(f"{name}.py")), *words)


def verdicts(folder: Path) -> Iterator[Figure]:
    """All figures of the verdict."""
    lab = start(NAME, "--kwok", str(NODES))
    try:
        few, many = Clients(lab, "bench-few", folder), Clients(lab, "bench-many", folder)
        few.fill(FEW)
        many.fill(MANY)
        yield from overview(few, many)
        yield from latency(few)
    finally:
        stop(NAME)


def named_right(folder: Path) -> Iterator[Figure]:
    """How many causes are named wrong: of the tests that produce each on a lab of their own, and of 20 pairs whose seed is printed."""
    seed = os.environ.get("RARUS_LMS_SEED") or str(random.SystemRandom().randrange(1_000_000))
    report = folder / "causes.xml"
    files = [str(ROOT / "tests" / "integration" / name) for name in CAUSES]
    words = ["-q", "-m", "soak or not soak", f"--junit-xml={report}"]
    environment = {**os.environ, "RARUS_LMS_SEED": seed, "RARUS_LMS_TEST_LAB": "bench-causes", "RARUS_LMS_KEEP_LAB": "0"}
    print(f"causes: RARUS_LMS_SEED={seed}", flush=True)
    done = subprocess.run([sys.executable, "-m", "pytest", *words, *files], env=environment, cwd=ROOT, check=False)
    cases = list(ET.parse(report).getroot().iter("testcase"))
    wrong = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert (done.returncode == 0) == (not wrong), f"pytest ended with exit code {done.returncode}, and {len(wrong)} tests failed"
    pairs = sum(case.get("name", "").startswith("test_random_pair") for case in cases)
    assert pairs, "no pair was tried"
    name = f"causes named wrong, in {len(cases) - pairs} tests of the table and {pairs} random pairs (seed {seed})"
    yield Figure(name, len(wrong), "causes", 0, 0)


def overview(few: Clients, many: Clients) -> Iterator[Figure]:
    """The state of all clients."""
    rounds = [(many.read("ours"), many.read("bare")) for _round in range(ROUNDS)]
    found = {way["found"] for pair in rounds for way in pair}
    assert found == {MANY}, f"found {found} of {MANY:,} clients"
    seconds = [(ours["seconds"], bare["seconds"]) for ours, bare in rounds]
    mine, theirs = zip(*seconds, strict=True)
    yield times_as_long(f"status of {MANY:,} clients, against the same paged lists by curl and their JSON read", mine, theirs, 2.0, 1.3)
    pages = rounds[0][1]["calls"] - few.read("bare")["calls"]
    more = rounds[0][0]["calls"] - few.read("ours")["calls"] - pages
    yield Figure(f"API calls of that status, more than of {FEW} and their lists' further pages", more, "calls", 1, 0)


def latency(few: Clients) -> Iterator[Figure]:
    """How soon a verdict comes; the slowest of some."""
    slowest = {"fault": 0.0, "ready": 0.0}
    for number in range(2 * ROUNDS):
        what = "fault" if number % 2 else "ready"
        client = f"C{2_000 + number}"
        image = f"{IMAGE}-missing" if what == "fault" else IMAGE
        objects = environment(client, few.namespace, {"rarus": "lms" if what == "fault" else "pretended"}, image)
        few.lab.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        slowest[what] = max(slowest[what], few.late(what, client))
    yield Figure("from a fault that will not heal, in the API, to its verdict", round(slowest["fault"], 2), "s", 3.0, 1.5)
    yield Figure("from Ready in the API to ready printed", round(slowest["ready"], 2), "s", 2.0, 1.0)


def environment(client: str, namespace: str, nodes: dict[str, str], image: str = IMAGE) -> list[Obj]:
    """Return a client's record, Deployment, Service and Ingress."""
    name, app = client.lower(), {"app": f"{client}-lms"}

    def obj(api_version: str, kind: str, called: str, **more: Any) -> Obj:
        labels = {**LABELS, **app, "rarus.lms/client": client, **more.pop("labels", {})}
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": called, "namespace": namespace, "labels": labels}, **more}

    container = {"name": name, "image": image, "command": ["sleep", "100000"], "securityContext": RESTRICTED}
    pod = {"containers": [container], "nodeSelector": nodes, "securityContext": POD_SECURITY}
    template = {"metadata": {"labels": app}, "spec": pod}
    record = {"schema": "2", "client": client, "catalogue": namespace, "namespace": namespace, "organisation": f"Organisation {client}"}
    backend = {"service": {"name": f"lms-service-{name}", "port": {"number": 8080}}}
    path = {"path": f"/{client}(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": backend}
    rules = [{"host": "backend.lms-dev.example", "http": {"paths": [path]}}]
    marks = {"rarus.lms/record": "client", "rarus.lms/catalogue": namespace}
    return [
        obj("v1", "ConfigMap", f"lms-client-{name}", labels=marks, data=record),
        obj("v1", "Service", f"lms-service-{name}", spec={"selector": app, "ports": [{"port": 8080}]}),
        obj("networking.k8s.io/v1", "Ingress", f"client-lms-ingress-{name}", spec={"ingressClassName": "nginx", "rules": rules}),
        obj("apps/v1", "Deployment", f"lms-deployment-{name}", spec={"selector": {"matchLabels": app}, "template": template}),
    ]
