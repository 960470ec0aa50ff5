# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict that could not be found out (failures 31 and 32): by one look, and by a wait; phase, cause, next step, exit code, one sentence.

docs/causes.md shows the sentences that are seen here; RARUS_LMS_GOLDEN=write in the environment writes them anew.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap
import time
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._core.operation import Context
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._operations.environment_info import OPERATION
from faults import Cut, FaultProxy, Rule
from support.deployer import Deployer
from support.faults import BUSY, page, plainly, root_url, status, writes
from support.lab import Lab
from support.tls import certificate
from support.verdict_screens import PAGE, generated, plain, writing

NAMESPACE = "test-unknown"
CLIENT = "C42"
WAIT_SECONDS = 30
WIDTH = 100
UNAUTHORIZED = status(401, "Unauthorized", "Unauthorized", times=0)
# A pod that no node takes: whoever waits for it waits until the end.
POD = {"nodeSelector": {"verdict": "nowhere"}, "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Doubt:
    """What keeps a verdict from being found out, by its number and name in docs/causes.md: the proxy's rule or options, and what is told.

    waits: only a wait meets it, as it comes after some requests.
    """

    number: int
    name: str
    words: tuple[str, ...]
    rule: Rule = field(default_factory=Rule)
    options: t.Callable[[Lab, Path], Obj] = lambda _lab, _folder: {}
    waits: bool = False

    @property
    def title(self) -> str:
        """Its heading in docs/causes.md."""
        return f"{self.number}: {self.name}"


def another_authority(_lab: Lab, folder: Path) -> Obj:
    """Return options with an authority that signed nothing here."""
    file = folder / "another.pem"
    file.write_text(certificate("another.example", 30)[0])
    return {"ca_cert": str(file)}


def dropped(lab: Lab, _folder: Path) -> Obj:
    """Return options with an address that every packet to is dropped of."""
    return {"host": f"https://{lab.facts['names']['silent.example']}"}


def without_rights(lab: Lab, _folder: Path) -> Obj:
    """Return options with the token of an account that has no Role."""
    return {"api_key": lab.kubectl("create", "token", "default", "--namespace", NAMESPACE).strip()}


def expired_token(_lab: Lab, _folder: Path) -> Obj:
    """Return options with a token of a ServiceAccount's form, good until an hour ago; the real API answers it."""
    parts = [{"alg": "RS256"}, {"exp": int(time.time()) - 3600, "sub": "system:serviceaccount:lms-dev:lms-deployer"}]
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return {"api_key": f"{head}.{body}.c2lnbmF0dXJl"}


FOUND = (
    Doubt(31, "the certificate is signed by another authority than the one given", ("certificate", "ca_cert"), options=another_authority),
    Doubt(31, "nobody answers: packets are dropped", ("which came from", "this controller's address"), options=dropped),
    Doubt(31, "the API accepts the connection and is silent", ("stayed silent",), Rule(times=0, cut=Cut.SILENCE)),
    Doubt(31, "a proxy answers 502 with a page", ("answered 502", "A proxy before the API"), Rule(times=0, **page(502, "Bad Gateway"))),
    Doubt(31, "the token has expired", ("401 Unauthorized", "expired", "Make a new token"), options=expired_token),
    Doubt(
        31, "the token expires while a wait goes on", ("401 Unauthorized", "Make a new token"), Rule(first=12, **UNAUTHORIZED), waits=True
    ),
    Doubt(31, "the token lacks rights", ("forbids", "prepare_namespace.yml"), options=without_rights),
    Doubt(32, "the API throttles", ("429 TooManyRequests", "overloaded"), Rule(times=0, **BUSY)),
)


@pytest.fixture(scope="module")
def deployer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Provide a namespace with an environment that never becomes ready."""
    made = Deployer(lab, NAMESPACE, tmp_path_factory.mktemp("unknown"))
    made.remove()
    made.prepare()
    labels = {"app.kubernetes.io/managed-by": "rarus.lms", "rarus.lms/client": CLIENT, "app": f"{CLIENT}-lms"}
    container = {"name": "c42", "image": "registry.example/lms/backend:dev", "securityContext": CONTAINER}
    template = {"metadata": {"labels": {"app": labels["app"]}}, "spec": {**POD, "containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "lms-deployment-c42", "namespace": NAMESPACE, "labels": labels},
        "spec": {"selector": {"matchLabels": {"app": labels["app"]}}, "template": template},
    }
    lab.kubectl("apply", "-f", "-", text=json.dumps(deployment))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, str]]:
    """Provide what is seen, and write it into docs/causes.md at the end where that is to be written."""
    found: dict[str, str] = {}
    yield found
    if writing() and len(found) == len(FOUND):
        generated("unknown", "\n".join(f"### {title}\n```\n{text}\n```\n" for title, text in found.items()))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 1.0)
    monkeypatch.setenv("RARUS_LMS_REPEAT_SECONDS", "0.6")
    monkeypatch.setenv("RARUS_LMS_READ_SECONDS", "2")


def judged(options: Obj, *, wait: bool) -> tuple[Obj, LmsError | None, list[str]]:
    """Judge the client; return the result or the data of the failure, the failure, and the lines that were printed."""
    given = {"clients": [CLIENT], "namespace": NAMESPACE, "wait": wait, "wait_timeout": WAIT_SECONDS, **options}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec)).validate(given)
    assert not checked.error_messages
    lines: list[str] = []
    try:
        return OPERATION.run(checked.validated_parameters, Context(report=lines.append)), None, lines
    except LmsError as error:
        return dict(error.data), error, lines


@pytest.mark.parametrize("wait", [False, True], ids=["look", "wait"])
@pytest.mark.parametrize("doubt", FOUND, ids=lambda doubt: doubt.title)
def test_a_state_that_cannot_be_found_out(
    deployer: Deployer, proxy: FaultProxy, seen: dict[str, str], tmp_path: Path, doubt: Doubt, wait: bool
) -> None:
    proxy.rules = [doubt.rule] if doubt.rule != Rule() else []
    options = {**deployer.options, "host": root_url(deployer.lab, proxy), **doubt.options(deployer.lab, tmp_path)}
    started = time.monotonic()
    told, error, lines = judged(options, wait=wait)
    if doubt.waits and not wait:
        assert (error, told["environments"][0]["phase"]) == (None, "progressing"), "a look is over before"
        return
    assert isinstance(error, UnknownStateError), "the exit code is 4 for nothing else"
    assert time.monotonic() - started < WAIT_SECONDS
    (environment,) = told["environments"]
    (finding,) = environment["findings"]
    assert (environment["client"], environment["phase"], finding["cause"]) == (CLIENT, "unknown", "not_found_out")
    sentence = error.as_result()["msg"]
    assert [word for word in doubt.words if word not in sentence] == []
    assert finding["message"] in sentence
    assert finding["next"] in sentence
    assert options["api_key"] not in sentence + json.dumps(told)
    assert writes(proxy.passed) == []
    assert lines == [] or doubt.waits
    silent = str(deployer.lab.facts["names"]["silent.example"])
    names = {NAMESPACE: "lms-dev", str(tmp_path): "/etc/rarus-lms", silent: "rancher.example"}
    screen = "\n".join(textwrap.wrap(plain(plainly(sentence, names), CLIENT), WIDTH, break_on_hyphens=False))
    assert seen.setdefault(doubt.title, screen) == screen, "a wait says the same as a look"
    assert writing() or screens_of_doubts().get(doubt.title) == screen, "RARUS_LMS_GOLDEN=write writes docs/causes.md anew"


def screens_of_doubts() -> dict[str, str]:
    """Return what docs/causes.md shows, by the headings."""
    return dict(re.findall(r"^### (\d+: [^`\n]+)\n```\n(.*?)\n```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_an_api_that_is_slow_is_waited_for(deployer: Deployer, proxy: FaultProxy) -> None:
    proxy.rules = [Rule(times=0, delay=0.5)]
    told, error, _lines = judged({**deployer.options, "host": root_url(deployer.lab, proxy)}, wait=False)
    assert error is None
    assert told["environments"][0]["phase"] == "progressing"
    assert told["environments"][0]["findings"][0]["cause"] == "no_node_with_label"
