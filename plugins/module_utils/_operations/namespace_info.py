# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the API, with the run's own token, whether a namespace has everything that provisioning needs; all that lacks comes in one list."""

from __future__ import annotations

import datetime as dt
import time
import typing as t
from dataclasses import dataclass

from .._core.deps import KUBERNETES
from .._core.errors import LmsError
from .._core.operation import Context, Operation
from .._domain.access import ALWAYS, DIAGNOSIS, HTTPROUTE, INGRESS, NAMESPACE_RULES, REGISTRY_RULES, Right, describe, granted, needed_rights
from .._domain.names import MANAGED_BY
from .._domain.needs import Needs, SecretNeed, has_cors, needs_of
from .._domain.prerequisites import (
    Findings,
    Problem,
    judge_claim,
    judge_config_map,
    judge_gateway_class,
    judge_namespace,
    judge_secret,
    judge_token,
    taken_paths,
)
from .._domain.screen import stage
from .._k8s.api import Api, ApiError
from .._k8s.connection import KUBERNETES_OPTIONS, PLACE_OPTIONS, connect
from .._k8s.resources import KNOWN, Ref
from .._k8s.token import expires
from .brought_key import BROUGHT_OPTIONS, judge_keys

__all__ = ["ARGUMENT_SPEC", "OPERATION", "run", "survey"]

ARGUMENT_SPEC: dict[str, t.Any] = {
    **KUBERNETES_OPTIONS,
    **PLACE_OPTIONS,
    **BROUGHT_OPTIONS,
    "clients": {"type": "list", "elements": "str", "default": []},
    "settings": {"type": "dict", "default": {}},
    "since": {"type": "float", "default": 0.0},
    "new_key": {"type": "bool", "default": False, "no_log": False},
    "requests": {"type": "list", "elements": "dict", "default": []},
    "secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "purpose": {"type": "str", "default": ""},
        },
    },
}

CHECKED = "rights, namespace, catalogue"
Object = dict[str, t.Any]
FORBIDDEN, NOT_FOUND = 403, 404
# What must be read whole: a Secret's keys, a claim's phase and a Gateway's class are no metadata.
WHOLE = {"Secret", "ConfigMap", "PersistentVolumeClaim", "Gateway", "GatewayClass"}
GATEWAY_API = "gateway.networking.k8s.io/v1"
CORS_UNKNOWN = "where browsers are refused, or every request gets 500: set lms_cors to false"
PUBLISHED = {"Ingress": INGRESS, "HTTPRoute": HTTPROUTE}
# What applying an object takes, for kinds that only a catalogue's own templates make.
APPLY_VERBS = ("get", "list", "create", "patch")
GRANTS = "playbooks/prepare_namespace.yml grants them"


@dataclass(frozen=True)
class Answer:
    """What one read brought: the object, None where it is proven absent; seen is False where the token may not look."""

    ref: Ref
    seen: bool
    object: dict[str, t.Any] | None


def run(params: t.Mapping[str, t.Any], context: Context) -> dict[str, t.Any]:
    """Return what the namespace has; raise LmsError with all problems when it lacks anything."""
    # What kubernetes.core will need, some tasks later.
    KUBERNETES.expect()
    found = Findings()
    facts = survey(connect(params), params, found, now=dt.datetime.now(dt.UTC))
    result = {
        "changed": False,
        "problems": [{"kind": one.kind, "message": one.message, "fix": one.fix} for one in found.problems],
        "warnings": [f"{one.kind}: {one}" for one in found.warnings],
        "not_seen": found.not_seen,
        **facts,
    }
    for one in found.warnings:
        context.report(f"  warning  {_line(one)}")
    if not found.problems:
        began = params["since"]
        return {**result, "line": stage("preflight", CHECKED, time.time() - began) if began else ""}
    count = len(found.problems)
    title = f"Preflight of {params['namespace']} found {count} problem{'s' if count > 1 else ''}, nothing was touched"
    screen = [f"{title}:", *(f"  {_line(one)}" for one in found.problems)]
    for line in screen:
        context.report(line)
    sentences = "; ".join(f"{one.kind}: {one}" for one in found.problems)
    raise LmsError(f"{title}: {sentences}.", data={**result, "screen": screen})


def _line(one: Problem) -> str:
    """Return a problem or warning as a line of the screen."""
    return f"{one.kind:<8} {one.message}" + (f"  ({one.fix})" if one.fix else "")


def survey(api: Api, params: t.Mapping[str, t.Any], found: Findings, *, now: dt.datetime) -> dict[str, t.Any]:
    """Ask everything and judge it into found; return server_version, token_expires, pod_security and calls."""
    namespace, registry = params["namespace"], params["registry_namespace"] or params["namespace"]
    needs = needs_of(params["requests"], namespace)
    for one in params["secrets"]:
        needs.add_secret(SecretNeed(one["name"], tuple(one["keys"]), one["purpose"]))
    _review_rights(api, found, namespace, _rights(found, needs), needed_rights(NAMESPACE_RULES, {DIAGNOSIS}))
    if registry != namespace:
        _review_rights(api, found, registry, needed_rights(REGISTRY_RULES, {ALWAYS}), [])
    server_version = api.version()["gitVersion"]
    level = ""
    answers = [_look(api, ref) for ref in _refs(needs, namespace)]
    for answer in answers:
        level = _judge(found, needs, answer, now) or level
    routes = {kind: _routes(api, found, namespace, version, kind) for version, kind in needs.kinds if kind in PUBLISHED}
    for live in routes.values():
        taken_paths(found, live, needs.paths)
    for answer in answers:
        if answer.ref.kind == "Gateway" and (answer.ref.namespace, answer.ref.name) in needs.cors:
            _judge_cors(api, found, answer, routes.get("HTTPRoute", []))
    judge_keys(api, found, params)
    ends = judge_token(found, expires(params.get("api_key") or ""), now)
    return {"server_version": str(server_version), "token_expires": ends, "pod_security": level, "calls": api.calls}


def _rights(found: Findings, needs: Needs) -> list[Right]:
    """Return the rights without which these requests cannot be applied; a catalogue's own templates may need more than the Role has."""
    rights = needed_rights(NAMESPACE_RULES, {ALWAYS, *(PUBLISHED[kind] for _version, kind in needs.kinds if kind in PUBLISHED)})
    known = {(right.group, right.resource) for right in rights}
    for api_version, kind in needs.kinds:
        group = api_version.rpartition("/")[0]
        resource = KNOWN.get((api_version, kind))
        if resource is None:
            found.not_seen.append(f"the rights on {kind} ({api_version}): they show when it is applied")
        elif (group, resource.plural) not in known:
            rights += [Right(group, resource.plural, verb) for verb in APPLY_VERBS]
    return rights


def _review_rights(api: Api, found: Findings, namespace: str, needed: t.Sequence[Right], useful: t.Sequence[Right]) -> None:
    """Add the rights that the token lacks: one review of all rules, and a review each only where that one cannot say."""
    status = _review(api, "SelfSubjectRulesReview", {"namespace": namespace})
    gaps = [right for right in (*needed, *useful) if not granted(right, status.get("resourceRules") or [])]
    if status.get("incomplete") or status.get("evaluationError"):
        gaps = [right for right in gaps if not _is_allowed(api, namespace, right)]
    lacking, dim = [right for right in gaps if right in needed], [right for right in gaps if right in useful]
    if lacking:
        found.problem("rights", f"missing in {namespace}: {describe(lacking)}", GRANTS)
    if dim:
        found.warn("rights", f"missing in {namespace}, for better answers only: {describe(dim)}", GRANTS)


def _is_allowed(api: Api, namespace: str, right: Right) -> bool:
    resource, _slash, subresource = right.resource.partition("/")
    attributes = {"namespace": namespace, "verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    return bool(_review(api, "SelfSubjectAccessReview", {"resourceAttributes": attributes}).get("allowed"))


def _review(api: Api, kind: str, spec: dict[str, t.Any]) -> dict[str, t.Any]:
    """Post a review and return its status. It writes nothing, though it is a POST."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = api.request("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body=body)
    return dict(answer.body.get("status") or {})


def _refs(needs: Needs, namespace: str) -> list[Ref]:
    """Return what is read one by one."""
    return [
        Ref("v1", "Namespace", namespace),
        *(Ref("v1", "Secret", name, namespace) for name in needs.secrets),
        *(Ref("v1", "ConfigMap", name, namespace) for name in needs.config_maps),
        *(Ref("v1", "PersistentVolumeClaim", name, namespace) for name in needs.claims),
        *(Ref("networking.k8s.io/v1", "IngressClass", name) for name in needs.ingress_classes),
        *(Ref(GATEWAY_API, "Gateway", name, place) for place, name in needs.gateways),
    ]


def _look(api: Api, ref: Ref) -> Answer:
    """Read one object, whole or its metadata."""
    try:
        return Answer(ref, seen=True, object=api.get(ref, metadata_only=ref.kind not in WHOLE))
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return Answer(ref, seen=False, object=None)


def _judge(found: Findings, needs: Needs, answer: Answer, now: dt.datetime) -> str:
    """Judge one answer into found; return the Pod Security level when it is the namespace's."""
    ref = answer.ref
    if not answer.seen:
        found.not_seen.append(f"{ref}: the token may not read it")
    elif ref.kind == "Secret":
        judge_secret(found, needs.secrets[ref.name], answer.object, now)
    elif ref.kind == "ConfigMap":
        judge_config_map(found, ref.name, needs.config_maps[ref.name], answer.object)
    elif ref.kind == "PersistentVolumeClaim":
        judge_claim(found, ref.name, answer.object)
    elif ref.kind == "Namespace":
        return judge_namespace(found, ref.name, answer.object, needs.pod_security)
    elif answer.object is None:
        found.problem("publish", f"{ref} does not exist", "correct the setting, or ask the cluster's administrator")
    return ""


def _routes(api: Api, found: Findings, namespace: str, api_version: str, kind: str) -> list[dict[str, t.Any]]:
    """Return every Ingress or HTTPRoute of the namespace, whole; what may not be listed is said elsewhere, as a missing right."""
    try:
        return api.list(api_version, kind, namespace)
    except ApiError as error:
        if error.status == NOT_FOUND:
            found.problem("publish", f"this cluster does not serve {kind} ({api_version})", "install it, or choose another setting publish")
        elif error.status != FORBIDDEN:
            raise
        return []


def _judge_cors(api: Api, found: Findings, gateway: Answer, live: t.Sequence[Object]) -> None:
    """Judge whether a Gateway has the CORS filter; what cannot be seen is said as long as no route of ours has that filter."""
    class_name = ((gateway.object or {}).get("spec") or {}).get("gatewayClassName", "")
    answer = _look(api, Ref(GATEWAY_API, "GatewayClass", class_name)) if class_name else gateway
    if answer.seen and answer.object and class_name:
        judge_gateway_class(found, str(gateway.ref), answer.object)
    elif not answer.seen and not any(has_cors(route) and MANAGED_BY in (route["metadata"].get("labels") or {}) for route in live):
        found.warn("publish", f"whether {gateway.ref} has CORS is not known: the token may not read {answer.ref}", CORS_UNKNOWN)


OPERATION = Operation(name="namespace_info", argument_spec=ARGUMENT_SPEC, run=run)
