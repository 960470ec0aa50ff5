# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong between the public name and the pods: Service, Ingress or HTTPRoute, neighbours, and the answer outside."""

from __future__ import annotations

import re
import typing as t

from ..names import CLIENT_LABEL, PROBE_NAME, ingress_name, route_name, service_name
from .model import Obj, PublicAnswer, Seen, Symptom, dig, name_of, seconds_of
from .symptoms_pods import is_ready
from .symptoms_rollout import has_ready_endpoint, new_pods, of_condition

__all__ = [
    "PATH_KINDS",
    "Claims",
    "answer_symptoms",
    "by_claim",
    "deletion_symptoms",
    "neighbour_symptoms",
    "path_symptoms",
    "rivals",
    "route_judgements",
]

# Routes by what each of them claims: (class or Gateway, host, path).
Claim = tuple[str, str, str]
Claims = dict[Claim, list[Obj]]

PATH_KINDS = {"ingress": "Ingress", "httproute": "HTTPRoute"}
# What said the class before `ingressClassName` did, and still counts.
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
# A certificate that has fewer days than this left is worth a note.
FEW_DAYS = 14
# How long a finalizer may take before it counts as one that blocks a deletion.
DELETION_SECONDS = 10
# Finalizers of Kubernetes' own, which it takes away itself.
OWN_FINALIZERS = {"foregroundDeletion", "orphan"}
# What a path of an Ingress ends with where the prefix is taken off.
_REGEX_TAIL = re.compile(r"(\(/\|\$\)\(\.\*\)|/?\(\.\*\)|/)$")


def path_symptoms(seen: Seen) -> list[Symptom]:
    """Return what is wrong between the public name and the pods. Asked for once pods are ready: before that all of it is a consequence."""
    found = []
    service = service_name(seen.client)
    reference = f"Service {seen.namespace}/{service}"
    if ("Service", service) in seen.absent:
        found.append(Symptom("service", reference, "NotFound", facts={"service": service}))
    elif any(is_ready(pod) for pod in new_pods(seen)) and not has_ready_endpoint(seen):
        found.append(Symptom("service", reference, "NoEndpoints", facts={"service": service}))
    if seen.publish in PATH_KINDS and not seen.routes:
        name = ingress_name(seen.client) if seen.publish == "ingress" else route_name(seen.client)
        found.append(Symptom(seen.publish, f"{PATH_KINDS[seen.publish]} {seen.namespace}/{name}", "NotFound", facts={"name": name}))
    for route in seen.routes:
        found += _ingress_symptoms(route, seen) if seen.publish == "ingress" else _route_symptoms(route, seen)
    return found


def _ingress_symptoms(ingress: Obj, seen: Seen) -> list[Symptom]:
    """Return what is wrong with an Ingress: its class and its TLS Secrets, as far as they were proven absent."""
    reference = f"Ingress {seen.namespace}/{name_of(ingress)}"
    found = []
    name = str(dig(ingress, "spec", "ingressClassName", default=""))
    if ("IngressClass", name) in seen.absent:
        found.append(Symptom("ingress", reference, "IngressClassNotFound", facts={"class": name}))
    for tls in dig(ingress, "spec", "tls", default=[]):
        secret = str(tls.get("secretName") or "")
        if ("Secret", secret) in seen.absent:
            host = ", ".join(tls.get("hosts") or []) or "the public name"
            facts = {"secret": secret, "host": host, "tls_command": f"`{_tls_command(secret, seen)}`"}
            found.append(Symptom("ingress", reference, "TLSSecretNotFound", facts=facts))
    return found


def route_judgements(route: Obj) -> list[tuple[str, list[Obj] | None]]:
    """Return for each parent that an HTTPRoute names what it says (conditions of this generation), None where it has not judged yet."""
    generation = dig(route, "metadata", "generation", default=0)
    told = dig(route, "status", "parents", default=[])
    judged = []
    for parent in dig(route, "spec", "parentRefs", default=[]):
        name = "/".join(filter(None, [str(parent.get("namespace") or ""), str(parent.get("name", ""))]))
        said = [each for one in told if _same_parent(parent, one.get("parentRef") or {}) for each in one.get("conditions") or []]
        judged.append((name, [each for each in said if int(each.get("observedGeneration", generation)) >= generation] or None))
    return judged


def _same_parent(one: Obj, other: Obj) -> bool:
    return all((one.get(key) or None) == (other.get(key) or None) for key in ("name", "sectionName", "port")) and (
        not one.get("namespace") or not other.get("namespace") or one["namespace"] == other["namespace"]
    )


def _route_symptoms(route: Obj, seen: Seen) -> list[Symptom]:
    """Return what the parents of an HTTPRoute say of it."""
    reference = f"HTTPRoute {seen.namespace}/{name_of(route)}"
    found = []
    for parent, conditions in route_judgements(route):
        if conditions is None:
            found.append(Symptom("httproute", reference, "NotJudged", settled=False, facts={"parent": parent}))
        for told in conditions or []:
            if told.get("type") in ("Accepted", "ResolvedRefs") and told.get("status") != "True":
                found.append(of_condition("httproute", reference, told, parent=parent, condition=told.get("type")))
    return found


def deletion_symptoms(seen: Seen) -> list[Symptom]:
    """Return which objects are on their way out, the namespace first, and which finalizer keeps each of them."""
    found = []
    if seen.leaving:
        found.append(Symptom("deletion", f"Namespace {seen.namespace}", "NamespaceTerminating", since=seen.leaving))
    kinds = [("Deployment", seen.deployment), *((PATH_KINDS.get(seen.publish, ""), route) for route in seen.routes)]
    for kind, obj in kinds:
        since = str(dig(obj, "metadata", "deletionTimestamp", default=""))
        finalizers = [one for one in dig(obj, "metadata", "finalizers", default=[]) if one not in OWN_FINALIZERS]
        if obj is not None and since:
            facts = {"kind": kind.lower(), "name": name_of(obj), "finalizers": ", ".join(finalizers)}
            reason = "DeletionBlocked" if finalizers else "Terminating"
            settled = seen.now == 0 or seen.now - seconds_of(since) >= DELETION_SECONDS
            found.append(Symptom("deletion", f"{kind} {seen.namespace}/{name_of(obj)}", reason, since=since, settled=settled, facts=facts))
    return found


def neighbour_symptoms(seen: Seen) -> list[Symptom]:
    """Return which other routes of the namespace claim a host and path of this client's; the older one is served as a rule."""
    found = []
    for route in seen.routes:
        mine = _claims(route)
        for other in seen.neighbours:
            shared = sorted(mine & _claims(other))
            if not shared or name_of(other) == name_of(route):
                continue
            _served_by, host, path = shared[0]
            whose = dig(other, "metadata", "labels", CLIENT_LABEL, default="nobody of the collection's")
            kind = PATH_KINDS[seen.publish]
            facts = {"host": host, "path": path, "other": f"{kind} {name_of(other)}", "whose": whose}
            facts |= {"other_kind": kind.lower(), "other_name": name_of(other)}
            reason = "PathTaken" if _made(other) < _made(route) else "PathShared"
            found.append(Symptom(seen.publish, f"{PATH_KINDS[seen.publish]} {seen.namespace}/{name_of(route)}", reason, facts=facts))
    return found


def by_claim(routes: t.Iterable[Obj]) -> Claims:
    """Return routes by what they claim, so that those that claim the same are found without comparing each with each."""
    found: Claims = {}
    for route in routes:
        for claim in _claims(route):
            found.setdefault(claim, []).append(route)
    return found


def rivals(routes: t.Iterable[Obj], claims: Claims) -> list[Obj]:
    """Return the routes that claim what one of these does, these among them."""
    found = [other for route in routes for claim in sorted(_claims(route)) for other in claims.get(claim, [])]
    return list({id(one): one for one in found}.values())


def _made(obj: Obj) -> str:
    return str(dig(obj, "metadata", "creationTimestamp", default=""))


def _claims(route: Obj) -> set[Claim]:
    """Return what an Ingress or HTTPRoute claims, of whom; of a path with a regular expression, what stands before it."""
    claims = set()
    for rule in dig(route, "spec", "rules", default=[]):
        for path in dig(rule, "http", "paths", default=[]):
            claims.add((str(rule.get("host") or "*"), _plain_path(path.get("path"))))
        for match in rule.get("matches") or []:
            claims |= {(str(host), _plain_path(dig(match, "path", "value"))) for host in dig(route, "spec", "hostnames", default=["*"])}
    return {(served_by, host, path) for served_by in _served_by(route) for host, path in claims}


def _served_by(route: Obj) -> list[str]:
    """Return who is to serve a route: an Ingress's class, an HTTPRoute's Gateways. What different ones serve is no conflict."""
    own = str(dig(route, "metadata", "namespace", default=""))
    parents = [f"{one.get('namespace') or own}/{one.get('name')}" for one in dig(route, "spec", "parentRefs", default=[])]
    named = dig(route, "metadata", "annotations", CLASS_ANNOTATION, default="")
    return parents or [str(dig(route, "spec", "ingressClassName", default=named))]


def _plain_path(path: t.Any) -> str:
    return _REGEX_TAIL.sub("", str(path or "/")) or "/"


def _certificate_fix(host: str, seen: Seen) -> str:
    """Return who has to do what for a valid certificate: a Gateway's is its owners', an Ingress's is in the namespace."""
    if seen.publish == "httproute":
        gateways = dict.fromkeys(name for route in seen.routes for name, _told in route_judgements(route))
        return f"ask the owners of Gateway {', '.join(gateways)} for a valid certificate for {host}"
    secrets = [str(tls.get("secretName") or "") for route in seen.routes for tls in dig(route, "spec", "tls", default=[])]
    secret = next(filter(None, secrets), "")
    if not secret:
        return f"ask the owners of the ingress controller for a valid certificate for {host}, or set lms_tls_secret"
    made = f"{_tls_command(secret, seen)} --dry-run=client -o yaml | kubectl -n {seen.namespace} replace -f -"
    return f"put a valid certificate for {host} into Secret {seen.namespace}/{secret}: `{made}`"


def _tls_command(secret: str, seen: Seen) -> str:
    """Return the command that makes a certificate's Secret; a deployer may create and update Secrets, and not patch them (`apply`)."""
    return f"kubectl -n {seen.namespace} create secret tls {secret} --cert=CERT.pem --key=KEY.pem"


def answer_symptoms(seen: Seen) -> list[Symptom]:
    """Return what is wrong with what the public path answered to somebody outside."""
    answer = seen.answer
    if answer is None:
        return []
    kind = PATH_KINDS.get(seen.publish, "Service")
    name = {"Ingress": ingress_name, "HTTPRoute": route_name}.get(kind, service_name)(seen.client)
    host = answer.address.split("/")[2]
    facts = {"address": answer.address, "host": host, "days": answer.days_left, "certificate_fix": _certificate_fix(host, seen)}
    reference = f"{kind} {seen.namespace}/{name}" if answer.reason != PublicAnswer.NOT_ASKED else f"Job {seen.namespace}/{PROBE_NAME}"
    if answer.reason != PublicAnswer.SERVED:
        return [Symptom("answer", reference, answer.reason, answer.message, settled=answer.settled, facts=facts)]
    if answer.days_left is not None and answer.days_left < FEW_DAYS:
        return [Symptom("answer", reference, "CertificateExpiresSoon", facts=facts)]
    return []
