# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of clients' environments, and the wait that ends as soon as the answer is certain."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from .._core.errors import LmsError
from .._core.operation import Context, Operation
from .._domain.client_id import ClientId
from .._domain.diagnosis.environment import image_of, judge, pods_of, wanted
from .._domain.diagnosis.model import Phase, Seen, Verdict
from .._domain.diagnosis.screens import headline, screen_of_failure, screen_of_state
from .._domain.names import deployment_name
from .._domain.redaction import Redactor
from .._domain.screen import progress, ready
from .._k8s.connection import KUBERNETES_OPTIONS, connect
from .._k8s.observation import Observer
from .._k8s.waiting import looks
from .registry import read_records

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run", "watch"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    "clients": {"type": "list", "elements": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "registry_namespace": {"type": "str", "default": ""},
    "publish": {"type": "str", "choices": ["ingress", "httproute", "none"], "default": "none"},
    "public_dns": {"type": "str", "default": ""},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "must_be_ready": {"type": "bool", "default": True},
    "since": {"type": "float"},
    "changes": {"type": "int"},
    "redact_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
}

STAGE = "rollout"
GOOD = (Phase.READY, Phase.SUSPENDED)


@dataclass
class Judged:
    """One client's environment as it was last seen, and what is known of it beyond that."""

    seen: Seen
    verdict: Verdict
    seconds: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return phase, findings, pods, address and image of each client's environment; with wait, once each of them is certain.

    Raises LmsError whose message is the first cause where a wait ends and an environment is not ready (must_be_ready).
    """
    clients = sorted({ClientId.parse(given) for given in params["clients"]})
    observer = Observer(connect(params), params["namespace"], redact_secrets=params["redact_secrets"])
    return watch(observer, clients, params, context)


def watch(observer: Observer, clients: t.Sequence[ClientId], params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Do what run says, with an observer that is connected."""
    started = time.time()
    if not clients:
        return {"changed": False, "environments": [], "screen": [], "calls": 0}
    judged = _wait(observer, clients, params, context) if params["wait"] else _look(observer, clients, params["publish"], last=True)
    if not params["wait"]:
        judged = {client: _overdue(one) for client, one in judged.items()}
    whys = _whys(observer, params, judged)
    before = started - (params["since"] or started)
    screens = [line for client, one in judged.items() for line in _screen(client, one, params, before, whys.get(client, ""), observer)]
    for line in screens:
        context.report(line)
    result = {
        "changed": False,
        "environments": [_shown(client, one, params, observer) for client, one in judged.items()],
        "screen": screens,
        "calls": observer.api.calls,
    }
    bad = {client: one for client, one in judged.items() if one.verdict.phase not in GOOD}
    if params["wait"] and params["must_be_ready"] and bad:
        raise _failure(observer, bad, len(clients), result)
    return result


def _look(observer: Observer, clients: t.Sequence[ClientId], publish: str, *, last: bool = False) -> dict[ClientId, Judged]:
    """Look once at all environments, and closer where the first look is not enough.

    Of a client without a Deployment the database Jobs are looked at: they come before it, and may be why there is none.
    """
    found = observer.environments(clients, publish)
    absent = [client for client, seen in found.items() if seen.deployment is None]
    found.update(observer.jobs(absent) if absent else {})
    return {client: _judged(observer, seen, last=last) for client, seen in found.items()}


def _judged(observer: Observer, seen: Seen, *, last: bool) -> Judged:
    """Read what the diagnosis wants beside the lists, and what it wants once it has seen that; then judge."""
    wants = wanted(seen, last=last)
    sharper = observer.sharpened(seen, wants)
    more = wanted(sharper, last=last)
    if more != wants:
        sharper = observer.sharpened(sharper, more)
    return Judged(sharper, judge(sharper))


def _wait(observer: Observer, clients: t.Sequence[ClientId], params: t.Mapping[str, t.Any], context: Context) -> dict[ClientId, Judged]:
    """Look until each environment is certain or the time is over; report what changes meanwhile, a line at a time."""
    told: dict[ClientId, tuple[str, ...]] = {}
    certain: dict[ClientId, Judged] = {}
    lines = 0
    for taken, last in looks(params["wait_timeout"]):
        if last:
            observer.forget_logs()
        still = [client for client in clients if client not in certain]
        for client, one in _look(observer, still, params["publish"], last=last).items():
            one.seconds = taken
            for text in one.verdict.progress:
                if text not in told.get(client, ()) and not _needless(one.verdict, params):
                    context.report(progress("" if lines else STAGE, taken, text if len(clients) == 1 else f"{client} {text}"))
                    lines += 1
            told[client] = one.verdict.progress
            if one.verdict.certain or last:
                certain[client] = Judged(one.seen, one.verdict.given_up(), taken)
        if len(certain) == len(clients):
            break
    return {client: certain[client] for client in clients}


def _needless(verdict: Verdict, params: t.Mapping[str, t.Any]) -> bool:
    """Return whether the screen at the end says all that a line of progress would: a failure, or ready with nothing changed."""
    return verdict.certain and (verdict.phase is not Phase.READY or params["changes"] == 0)


def _overdue(one: Judged) -> Judged:
    """Return a state without waiting: what Kubernetes itself has given up is no progress any more."""
    return Judged(one.seen, one.verdict.given_up(), one.seconds) if one.verdict.overdue else one


def _whys(observer: Observer, params: t.Mapping[str, t.Any], judged: t.Mapping[ClientId, Judged]) -> dict[ClientId, str]:
    """Return for each absent environment what the registry knows of its client."""
    absent = [client for client, one in judged.items() if one.verdict.phase is Phase.ABSENT]
    if not absent:
        return {}
    known = read_records(observer.api, params["registry_namespace"] or params["namespace"], absent)
    return {
        client: f"there is no Deployment {deployment_name(client)}"
        + ("; the client is on the list" if client in known else "; the client is not on the list")
        for client in absent
    }


def _screen(client: ClientId, one: Judged, params: t.Mapping[str, t.Any], before: float, why: str, observer: Observer) -> list[str]:
    """Return what an operator reads of one client at the end; before is how many seconds the run had taken until the wait began."""
    taken, not_seen = before + one.seconds, _worth_telling(one)
    address, image = _address(client, params), image_of(one.seen)
    redact = _redactor(client, one, observer)
    if not params["wait"]:
        pods = pods_of(one.seen)
        lines = screen_of_state(
            client.id, params["namespace"], one.verdict, address=address, image=image, pods=pods, not_seen=not_seen, why=why
        )
    elif one.verdict.phase is Phase.READY:
        lines = ready(client.id, address, taken, image=image, changed=params["changes"] != 0)
    elif one.verdict.phase is Phase.SUSPENDED:
        lines = [f"{client} in {params['namespace']} is suspended: it is scaled to zero"]
    else:
        lines = screen_of_failure(client.id, params["namespace"], one.verdict, seconds=taken, not_seen=not_seen)
    return [redact(line) for line in lines]


def _worth_telling(one: Judged) -> list[str]:
    """Return what could not be seen and might be the cause: where there is one, the Ingress's class is not."""
    return [told for kind, told in one.seen.not_seen.items() if not (kind == "IngressClass" and one.verdict.findings)]


def _redactor(client: ClientId, one: Judged, observer: Observer) -> Redactor:
    """Return what cleans the texts of a client; the values of Secrets are read where something is wrong only."""
    return observer.redactor(client) if one.verdict.findings or one.verdict.phase in (Phase.FAILED, Phase.DEGRADED) else Redactor()


def _address(client: ClientId, params: t.Mapping[str, t.Any]) -> str:
    return f"https://{params['public_dns']}/{client}/" if params["public_dns"] and params["publish"] != "none" else ""


def _shown(client: ClientId, one: Judged, params: t.Mapping[str, t.Any], observer: Observer) -> dict[str, t.Any]:
    """Return one environment as data."""
    facts = {
        "client": client.id,
        "namespace": params["namespace"],
        "phase": one.verdict.phase.value,
        "message": "" if one.verdict.phase in GOOD else headline(one.verdict),
        "serving": one.verdict.serving,
        "address": _address(client, params),
        "image": image_of(one.seen),
        "seconds": round(one.seconds, 1),
        "findings": [finding.as_result() for finding in one.verdict.findings],
        "pods": pods_of(one.seen),
        "not_seen": list(one.seen.not_seen.values()),
    }
    return dict(_redactor(client, one, observer).tree(facts))


def _failure(observer: Observer, bad: t.Mapping[ClientId, Judged], count: int, data: dict[str, t.Any]) -> LmsError:
    """Return the failure of a wait: the first client's first cause, in one line."""
    client, first = next(iter(bad.items()))
    told = f"{client} in {first.seen.namespace} is not ready: {headline(first.verdict)}"
    message = told if count == 1 else f"{len(bad)} of {count} clients are not ready. {told}"
    findings = first.verdict.findings
    hint = f"Next: {findings[0].next}." if findings else ""
    return LmsError(observer.redactor(client)(f"{message}."), hint=observer.redactor(client)(hint), data=data)


OPERATION = Operation(name="environment_info", argument_spec=ARGUMENT_SPEC, run=run)
