# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of clients' environments, and the wait that ends as soon as the answer is certain."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from .._core.clock import utc_now
from .._core.errors import InputError, LmsError, UnknownStateError
from .._core.operation import Context, Operation
from .._core.version import VERSION
from .._domain.client_id import ClientId
from .._domain.diagnosis.environment import image_of, judge, pods_of, wanted
from .._domain.diagnosis.model import Phase, Seen, Verdict, Wanted
from .._domain.diagnosis.overview import overview
from .._domain.diagnosis.screens import headline, screen_of_failure, screen_of_state
from .._domain.diagnosis.unknown import unknown
from .._domain.image import IMAGE_CHECKS
from .._domain.names import deployment_name, record_name
from .._domain.public_path import PROBES, PUBLISH
from .._domain.record import RETIRED, object_key
from .._domain.redaction import Redactor
from .._domain.report import Report
from .._domain.screen import progress, ready
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._k8s.image_registry import with_newer_images
from .._k8s.observation import Observer
from .._k8s.waiting import Patience, looks
from .client_lease import LEASE_OPTIONS, beats
from .known_clients import Known, known_clients
from .report_file import checked_path, write_report

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run", "watch"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    "clients": {"type": "list", "elements": "str", "default": []},
    "catalogue": {"type": "str", "default": ""},
    "read_records": {"type": "bool", "default": True},
    "publish": {"type": "str", "choices": list(PUBLISH), "default": "none"},
    "public_dns": {"type": "str", "default": ""},
    "probe": {"type": "str", "choices": list(PROBES), "default": "none"},
    "probe_status": {"type": "int", "default": 200},
    "probe_ca_file": {"type": "path", "default": ""},
    "probe_image": {"type": "str", "default": ""},
    "image_check": {"type": "str", "choices": list(IMAGE_CHECKS), "default": "none"},
    "image_ca_file": {"type": "path", "default": ""},
    "client_settings": {"type": "dict", "default": {}},
    "overview": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "must_be_ready": {"type": "bool", "default": True},
    "since": {"type": "float"},
    "restart_stuck": {"type": "bool", "default": False},
    "changes": {"type": "int"},
    **LEASE_OPTIONS,
    "redact_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "report": {"type": "path", "default": ""},
}

STAGE = "rollout"
GOOD = (Phase.READY, Phase.SUSPENDED, Phase.RETIRED)
# How long a public path may be wrong before it counts: ingress controllers and Gateways follow a change within seconds.
SETTLE_SECONDS = 10.0
ROUNDS = 2


@dataclass
class Judged:
    """One client's environment as it was last seen, and what is known of it beyond that."""

    seen: Seen
    verdict: Verdict
    seconds: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)


@dataclass
class Lines:
    """The lines of a wait: the stage's name in the first one only."""

    context: Context
    seconds: float = 0.0
    told: bool = False

    def tell(self, text: str) -> None:
        """Show the operator one line, with the seconds of the look that it is from."""
        self.context.report(progress("" if self.told else STAGE, self.seconds, text))
        self.told = True


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return phase, findings, pods, address and image of each client's environment; with wait, once each of them is certain.

    Raises LmsError whose message is the first cause where a wait ends and an environment is not ready (must_be_ready), and
    UnknownStateError where the state of one could not be found out and nothing worse is known.
    """
    clients = sorted({ClientId.parse(given) for given in params["clients"]})
    if params["overview"] and params["wait"]:
        raise InputError("overview: is true and so is wait. Expected one of them: an overview is not waited for.")
    checked_path(params["report"])
    looks_around = not params["wait"] or params["changes"] != 0
    secrets = params["redact_secrets"]
    observer = Observer(
        connect(params),
        params["namespace"],
        redact_secrets=secrets,
        overview=params["overview"],
        looks_around=looks_around,
        makes_jobs=not context.check_mode,
    )
    return watch(observer, clients, params, context)


def watch(observer: Observer, clients: t.Sequence[ClientId], params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Do what run says, with an observer that is connected."""
    if not clients and not params["catalogue"]:
        return {"changed": False, "environments": [], "screen": [], "calls": 0}
    started = time.time()
    known: dict[ClientId, Known] = {}
    try:
        known = known_clients(observer.api, params, clients)
        judged = _judge_all(observer, known, params, context)
    except UnknownStateError as error:
        verdict = unknown(error, f"Namespace {observer.namespace}")
        nothing = {client: Judged(Seen(client, observer.namespace), verdict) for client in known or clients}
        environments = [_shown(client, one, known.get(client), observer) for client, one in nothing.items()]
        _report(params, environments, time.time() - started)
        data = {"environments": environments, "screen": [], "calls": observer.api.calls}
        raise UnknownStateError(error.message, hint=error.hint, data={**error.data, **data}) from None
    result: dict[str, t.Any] = {
        "changed": bool(observer.restarted),
        "environments": [_shown(client, one, known[client], observer) for client, one in judged.items()],
        "screen": _screens(judged, known, params, started, observer),
    }
    for line in result["screen"]:
        context.report(line)
    _report(params, result["environments"], time.time() - started)
    result["calls"] = observer.api.calls
    _raise_if_bad(observer, judged, params, result)
    return result


def _judge_all(
    observer: Observer, known: t.Mapping[ClientId, Known], params: t.Mapping[str, t.Any], context: Context
) -> dict[ClientId, Judged]:
    """Return what is to be said of each client, in the order given: after a wait, or as it stands."""
    readable = {client: one for client, one in known.items() if not one.problem}
    if params["wait"]:
        observer.settle_seconds, observer.since = SETTLE_SECONDS, params["since"] or 0.0
        judged = _wait(observer, readable, params, context)
    else:
        observer.waited = False
        looked = _with_images(observer, _look(observer, readable, last=True), params) if readable else {}
        judged = {client: _overdue(one) for client, one in looked.items()}
    for client, one in known.items():
        if one.problem:
            judged[client] = Judged(Seen(client, observer.namespace), unknown(one.problem, _record_of(client, params)))
        elif judged[client].verdict.phase is Phase.ABSENT:
            judged[client] = _absent(client, judged[client], one, last=not params["wait"])
    return {client: judged[client] for client in known}


def _absent(client: ClientId, one: Judged, known: Known, *, last: bool) -> Judged:
    """Return an absent environment with what the registry says of its client: one that has left is rightly absent."""
    if last and known.record and _has_left(known) and not one.verdict.findings:
        return Judged(one.seen, Verdict(Phase.RETIRED), one.seconds, {"why": f"the client has left ({known.record.phase_since[:10]})"})
    listed = "" if known.unread else "; the client is on the list" if known.record else "; the client is not on the list"
    return Judged(one.seen, one.verdict, one.seconds, {"why": f"there is no Deployment {deployment_name(client)}{listed}"})


def _record_of(client: ClientId, params: t.Mapping[str, t.Any]) -> str:
    return f"ConfigMap {params['registry_namespace'] or params['namespace']}/{record_name(client)}"


def _report(params: t.Mapping[str, t.Any], environments: list[dict[str, t.Any]], seconds: float) -> None:
    """Write the report, where one is asked for."""
    if params["report"]:
        write_report(params["report"], Report(params["namespace"], utc_now(), VERSION, round(seconds, 1), environments))


def _look(observer: Observer, known: t.Mapping[ClientId, Known], *, last: bool = False) -> dict[ClientId, Judged]:
    """Look once at all environments, and closer where the first look is not enough.

    Of a client without a Deployment the database Jobs are looked at: they come before it, and may be why there is none.
    What the diagnosis wants beside the lists is read, and what it wants once it has seen that; then it judges.
    """
    paths = {client: one.path for client, one in known.items()}
    found = observer.environments(paths)
    found = {client: replace(seen, recorded=_is_recorded(known[client])) for client, seen in found.items()}
    absent = [client for client, seen in found.items() if seen.deployment is None and not _has_left(known[client])]
    jobs = observer.jobs(absent) if absent else {}
    found.update({client: replace(seen, recorded=found[client].recorded) for client, seen in jobs.items()})
    asked = {client: Wanted() for client in found}
    for _round in range(ROUNDS):
        wants = {client: wanted(seen, last=last) - asked[client] for client, seen in found.items()}
        asked = {client: asked[client] | wants[client] for client in found}
        found = observer.sharpened(found, wants, paths)
    return {client: Judged(seen, judge(seen)) for client, seen in found.items()}


def _with_images(observer: Observer, judged: dict[ClientId, Judged], params: t.Mapping[str, t.Any]) -> dict[ClientId, Judged]:
    """Return a judgement that knows what the images' tags stand for in their registries, where these are asked."""
    if params["image_check"] == "none" or observer.overview:
        return judged
    found = with_newer_images(observer.api, {client: one.seen for client, one in judged.items()}, ca_file=params["image_ca_file"])
    return {client: Judged(seen, judge(seen)) for client, seen in found.items()}


def _has_left(known: Known) -> bool:
    return known.record is not None and known.record.phase == RETIRED


def _is_recorded(known: Known) -> bool:
    """Return whether the record says that the client has a Deployment."""
    if known.record is None or _has_left(known):
        return False
    return object_key("apps/v1", "Deployment", deployment_name(known.record.client)) in known.record.objects


def _wait(observer: Observer, known: t.Mapping[ClientId, Known], params: t.Mapping[str, t.Any], context: Context) -> dict[ClientId, Judged]:
    """Look until each environment is certain or the time is over; report what changes meanwhile, a line at a time.

    What has become ready is looked at once more, unless its public path has answered: a kubelet under load may take a pod's first
    readiness back for a moment.
    """
    told: dict[ClientId, tuple[str, ...]] = {}
    phases: dict[ClientId, Phase] = {}
    certain: dict[ClientId, Judged] = {}
    lines = Lines(context)
    patience = Patience(lines.tell, beats(observer.api, params.get("lease")))
    for taken, last in looks(params["wait_timeout"]):
        lines.seconds = taken
        if last:
            observer.forget_logs()
        still = {client: one for client, one in known.items() if client not in certain}
        looked = patience(partial(_look, observer, still, last=last), last=last)
        for client, one in (looked or {}).items():
            one.seconds = taken
            name = "" if len(known) == 1 else f"{client} "
            for text in one.verdict.progress:
                if text not in told.get(client, ()) and not _needless(one.verdict, changed=_changed(client, params, observer)):
                    lines.tell(name + text)
            told[client] = one.verdict.progress
            if params["restart_stuck"] and one.verdict.stuck and not last and (done := observer.restart(one.seen)):
                lines.tell(name + done)
            before, phases[client] = phases.get(client, Phase.READY), one.verdict.phase
            just_ready = one.verdict.phase is Phase.READY and before is not Phase.READY and not one.seen.probed
            if (one.verdict.certain and not just_ready) or last:
                certain[client] = Judged(one.seen, one.verdict.given_up(), taken)
        if len(certain) == len(known):
            break
    return certain


def _needless(verdict: Verdict, *, changed: bool) -> bool:
    """Return whether the screen at the end says all that a line of progress would: a failure, or ready with nothing changed."""
    return verdict.certain and (verdict.phase is not Phase.READY or not changed)


def _changed(client: ClientId, params: t.Mapping[str, t.Any], observer: Observer) -> bool:
    """Return whether the run has changed something of a client's: before this task, or by a restart."""
    return params["changes"] != 0 or client in observer.restarted


def _overdue(one: Judged) -> Judged:
    """Return a state without waiting: what Kubernetes itself has given up is no progress any more."""
    return Judged(one.seen, one.verdict.given_up(), one.seconds) if one.verdict.overdue else one


def _screens(
    judged: t.Mapping[ClientId, Judged],
    known: t.Mapping[ClientId, Known],
    params: t.Mapping[str, t.Any],
    started: float,
    observer: Observer,
) -> list[str]:
    """Return what an operator reads at the end: a table, or a screen for each client; the seconds count from the run's beginning."""
    if params["overview"]:
        rows = [(client, one.verdict, known[client].organisation, one.notes.get("why", "")) for client, one in judged.items()]
        return [Redactor()(line) for line in overview(params["namespace"], rows, time.time() - started)]
    before = started - (params["since"] or started)
    return [line for client, one in judged.items() for line in _screen(client, one, known[client], params, before, observer)]


def _screen(client: ClientId, one: Judged, known: Known, params: t.Mapping[str, t.Any], before: float, observer: Observer) -> list[str]:
    """Return what an operator reads of one client at the end; before is how many seconds the run had taken until the wait began."""
    taken, not_seen = before + one.seconds, _worth_telling(one)
    address, image, why = known.path.address(client), image_of(one.seen), one.notes.get("why", "")
    redact = _redactor(client, one, observer)
    if not params["wait"]:
        pods = pods_of(one.seen)
        lines = screen_of_state(
            client.id, params["namespace"], one.verdict, address=address, image=image, pods=pods, not_seen=not_seen, why=why
        )
    elif one.verdict.phase is Phase.READY:
        lines = ready(client.id, address, taken, image=image, changed=_changed(client, params, observer))
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
    if observer.overview or one.verdict.phase is Phase.UNKNOWN:
        return Redactor()
    return observer.redactor(client) if one.verdict.findings or one.verdict.phase in (Phase.FAILED, Phase.DEGRADED) else Redactor()


def _shown(client: ClientId, one: Judged, known: Known | None, observer: Observer) -> dict[str, t.Any]:
    """Return one environment as data."""
    facts = {
        "client": client.id,
        "namespace": observer.namespace,
        "organisation": known.organisation if known else "",
        "phase": one.verdict.phase.value,
        "message": "" if one.verdict.phase in GOOD else headline(one.verdict),
        "serving": one.verdict.serving,
        "address": known.path.address(client) if known else "",
        "image": image_of(one.seen),
        "seconds": round(one.seconds, 1),
        "findings": [finding.as_result() for finding in one.verdict.findings],
        "pods": pods_of(one.seen),
        "not_seen": list(one.seen.not_seen.values()),
    }
    return facts if one.verdict.phase is Phase.READY and not one.verdict.findings else dict(_redactor(client, one, observer).tree(facts))


def _raise_if_bad(
    observer: Observer, judged: t.Mapping[ClientId, Judged], params: t.Mapping[str, t.Any], data: t.Mapping[str, t.Any]
) -> None:
    """Raise the failure of a wait in one line, or, where all else is well, that a state could not be found out."""
    bad = {client: one for client, one in judged.items() if one.verdict.phase not in GOOD}
    failed = {client: one for client, one in bad.items() if one.verdict.phase not in (Phase.UNKNOWN, Phase.ABSENT)}
    doubtful = {client: one for client, one in bad.items() if one.verdict.phase is Phase.UNKNOWN}
    if doubtful and not failed:
        raise UnknownStateError(_sentence(doubtful, len(judged), "could not be judged"), data=data)
    if params["wait"] and params["must_be_ready"] and bad:
        client, first = next(iter(bad.items()))
        redact = observer.redactor(client)
        findings = first.verdict.findings
        hint = f"Next: {findings[0].next}." if findings else ""
        raise LmsError(redact(_sentence(bad, len(judged), "not ready")), hint=redact(hint), data=data)


def _sentence(bad: t.Mapping[ClientId, Judged], count: int, what: str) -> str:
    client, first = next(iter(bad.items()))
    is_bad = what if what.startswith("could") else f"is {what}"
    told = f"{client} in {first.seen.namespace} {is_bad}: {headline(first.verdict).rstrip('.')}."
    return told if count == 1 else f"{len(bad)} of {count} clients {what if what.startswith('could') else f'are {what}'}. {told}"


OPERATION = Operation(name="environment_info", argument_spec=ARGUMENT_SPEC, run=run)
